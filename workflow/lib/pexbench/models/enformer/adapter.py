"""Enformer in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pexbench.errors import InputError
from pexbench.incremental import Sequences
from pexbench.models.card import Card
from pexbench.models.enformer.positions import GAMMA, position_features
from pexbench.models.enformer.published import read_published
from pexbench.models.enformer.readout import readout
from pexbench.models.enformer.spans import trunk_steps
from pexbench.models.torch_model import TorchAdapter
from pexbench.models.torch_spans import Piece, Shared, Span, Stage, share

#: Bins that the trunk computes at once (32,768 bp): 1.8 GB at most in place of 3.0 GB, and no slower.
PIECE = 256
#: The same where a gradient is wanted, which takes several times the memory.
GRADIENT_PIECE = 64
#: Bins of the trunk that are shared together: fewer are alike in more people, but their margins weigh more.
CHUNK = 8


class Model(TorchAdapter):
    """Enformer's human head in float32, TF32 off: the mean of a track's bins around the TSS.

    The plain path computes each sequence by itself, so that a result cannot depend on which others were in the batch.
    What haplotypes share is said in :meth:`forward_haplotypes`. The number of CPU threads is PyTorch's
    (``OMP_NUM_THREADS``, which Snakemake sets to the job's threads); another number rounds differently.

    Attributes:
        network: the network, on the device.
        readout: which of its outputs are read.
        positions: position features float32 [2 * bins - 1, features], on the device.
    """

    shares = ("trunk",)

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Read the network; ``weights`` holds the published file as ``network``."""
        super().__init__(card, weights, device=device, options=options)
        gamma = self.options["gamma"]
        if gamma not in GAMMA:
            raise InputError(
                f"model {card.name}: option gamma is {gamma!r}; one of {', '.join(GAMMA)} is allowed; correct the option."
            )
        network = read_published(self.weights_file("network"))
        self.readout = readout(card, self.options, network.head.count, network.trunk.bin)
        self.network = network.to(self._device)
        features = position_features(self.readout.total, network.transformer.features, gamma)
        self.positions = torch.from_numpy(features).to(self._device)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        track = slice(self.readout.track, self.readout.track + 1)
        made = [
            [self.outputs(one, bins, track).mean() for one, bins in self.readout.strands(codes[i : i + 1])]
            for i in range(len(codes))
        ]
        return np.asarray(np.mean(made, axis=1), dtype=np.float32)

    def forward_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """Predict what haplotypes share once; see :class:`pexbench.models.base.Adapter`.

        Shared are chunks of the trunk. Each bin of the transformer sees all others, so it is computed for every distinct
        sequence, the last layer for the bins that are read.
        """
        here = self.readout
        passes = [(sequences, here.forward)]
        if here.both_strands:
            passes.append((sequences.reverse_complement(), here.reverse))
        stage = Stage("trunk", trunk_steps(self.network.trunk), CHUNK)
        made = []
        with self.arithmetic():
            for given, bins in passes:
                features = share(given, self._letters, [stage], (0, here.total), self.batches)

                def load(part: slice, features: Shared = features, count: int = len(given)) -> Tensor:
                    return features.part(np.arange(count)[part], features.span)

                def compute(x: Tensor, bins: slice = bins) -> Tensor:
                    track = slice(here.track, here.track + 1)
                    x = self.network.transformer(x.transpose(1, 2), self.positions, bins)
                    return self.network.head(x, track).float()

                found = self.batches.map("transformer", len(given), load, compute, unit=1)
                made.append(found.cpu().numpy().mean(axis=(1, 2)))
        return np.asarray(np.mean(made, axis=0), dtype=np.float32)

    def from_letters(self, letters: Tensor) -> Tensor:
        """See :meth:`pexbench.models.torch_model.TorchAdapter.from_letters`."""
        here = self.readout
        passes = [(letters, here.forward)]
        if here.both_strands:
            passes.append((letters.flip(1, 2), here.reverse))  # A and T, C and G lie opposite each other
        track = slice(here.track, here.track + 1)
        made = [
            self.network(given, self.positions, bins, track, GRADIENT_PIECE).mean(dim=(1, 2)) for given, bins in passes
        ]
        return torch.stack(made).mean(dim=0)

    def outputs(
        self, codes: NDArray[np.uint8], bins: slice | None = None, tracks: slice = slice(None)
    ) -> NDArray[np.float32]:
        """The network's output for one sequence.

        Args:
            codes: uint8 [1, L].
            bins: which bins, counted before the crop; None for all that the crop leaves.
            tracks: which tracks of the human head.

        Returns:
            float32 [bins, tracks].
        """
        here = self.readout
        wanted = slice(here.crop, here.total - here.crop) if bins is None else bins
        with self.arithmetic():
            result = self.network(self._one_hot(codes), self.positions, wanted, tracks, PIECE)
        return np.asarray(result[0].float().cpu().numpy(), dtype=np.float32)

    def _one_hot(self, codes: NDArray[np.uint8]) -> Tensor:
        """Codes uint8 [N, L] to float32 [N, 4, L]; N is zero in all four."""
        # A copy, because PyTorch takes no negative strides, which NumPy calls contiguous where an axis has length 1.
        given = torch.from_numpy(codes.copy(order="C"))
        return self._letters(given, (0, given.shape[1]), given.shape[1]).values

    def _letters(self, codes: Tensor, span: Span, whole: int) -> Piece:
        """The network's input for codes uint8 [N, bases], which lie at ``span`` of sequences of ``whole`` bp."""
        letters = torch.arange(4, dtype=torch.uint8, device=self._device)
        values = (codes.to(self._device)[:, None, :] == letters[:, None]).to(torch.float32)
        return Piece(values, span[0], whole)
