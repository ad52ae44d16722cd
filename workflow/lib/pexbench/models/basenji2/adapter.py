"""Basenji2 in PyTorch: the published network, averaged over strands and shifts as the original does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pexbench.incremental import Sequences
from pexbench.models.basenji2.network import EMPTY, Network
from pexbench.models.basenji2.published import read_architecture, read_weights
from pexbench.models.basenji2.readout import read_readout
from pexbench.models.card import Card
from pexbench.models.torch_model import TorchAdapter
from pexbench.models.torch_spans import Piece, Span, share


class Model(TorchAdapter):
    """Basenji2 in float32, TF32 off.

    Only what the bins that are read depend on is computed: 56 kb of the 131 kb for ten bins. In the plain path each
    sequence is computed by itself on the CPU, so that a result cannot depend on the rest of the batch, not even in its
    last bit; on a GPU the batch is computed as one. What haplotypes share is said in :meth:`forward_haplotypes`. The
    number of CPU threads is PyTorch's own setting.
    """

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Read the network; ``weights`` holds the published files as ``weights`` (HDF5) and ``params`` (JSON)."""
        super().__init__(card, weights, device=device, options=options)
        architecture = read_architecture(self.weights_file("params"), card.input.length)
        self.readout = read_readout(card.name, self.options, architecture, card.input.length)
        arrays = read_weights(self.weights_file("weights"), architecture)
        self.network = Network(architecture, arrays, self._device)
        self._stages = self.network.stages(slice(self.readout.track, self.readout.track + 1))
        self.shares = tuple(stage.name for stage in self._stages)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        track = slice(self.readout.track, self.readout.track + 1)
        size = 1 if self._device.type == "cpu" else len(codes)
        parts = [self.profile(codes[i : i + size], self.readout.bins, track) for i in range(0, len(codes), size)]
        return np.asarray(np.concatenate(parts).mean(axis=(1, 2)), dtype=np.float32)

    def forward_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """Predict what haplotypes share once; see :class:`pexbench.models.base.Adapter`.

        Shared are chunks of the tower, chunks of each residual block, and windows, in each pass by itself: a strand has
        kernels of its own, and a shift that is no multiple of a bin moves every base to another place in the pooling.
        """
        here = self.readout
        total = np.zeros(len(sequences))
        with self.arithmetic():
            for shift, reverse in here.passes:
                given, wanted = sequences.shifted(shift, EMPTY), here.bins
                if reverse:
                    given = given.reverse_complement()
                    wanted = here.whole - here.bins[1], here.whole - here.bins[0]
                made, number = share(given, self.network.letters, self._stages, wanted, self.batches).single()
                total += made.float().cpu().numpy().astype(np.float64).mean(axis=(1, 2))[number]
        return (total / len(here.passes)).astype(np.float32)

    def from_letters(self, letters: Tensor) -> Tensor:
        """See :meth:`pexbench.models.torch_model.TorchAdapter.from_letters`."""
        parts = [checkpoint(self._pass, letters, *one, use_reentrant=False) for one in self.readout.passes]
        return torch.stack(parts).mean(dim=0)

    def _pass(self, letters: Tensor, shift: int, reverse: bool) -> Tensor:
        """One shift and strand; computed once more for its gradient, as six of them at once would take 5 GB."""
        here, length = self.readout, letters.shape[-1]
        kept = letters[..., max(-shift, 0) : length - max(shift, 0)]
        given, wanted = functional.pad(kept, (max(shift, 0), max(-shift, 0)), value=0.25), here.bins
        if reverse:
            given = given.flip(1, 2)  # A and T, C and G lie opposite each other
            wanted = here.whole - here.bins[1], here.whole - here.bins[0]
        first, last = self.network.reads(wanted, length)
        piece = Piece(given[..., first:last].contiguous(), first, length)
        return self.network.from_letters(piece, wanted, slice(here.track, here.track + 1)).mean(dim=(1, 2))

    def profile(self, codes: NDArray[np.uint8], bins: Span, tracks: slice = slice(None)) -> NDArray[np.float64]:
        """The averaged output before it is reduced to one number.

        Args:
            codes: uint8 [N, L], 0..3 = A, C, G, T, 4 = N.
            bins: half-open, of the whole output, in the direction of the input.
            tracks: those to compute.

        Returns:
            float64 [N, tracks, bins], float32 values averaged over all shifts and strands.
        """
        total: NDArray[np.float64] | float = 0.0
        with self.arithmetic():
            for shift, reverse in self.readout.passes:
                given, wanted = shifted(codes, shift), bins
                if reverse:
                    given = reverse_complement(given)
                    wanted = self.readout.whole - bins[1], self.readout.whole - bins[0]
                found = self.network.predict(torch.from_numpy(np.ascontiguousarray(given)), wanted, tracks)
                if reverse:
                    found = found.flip(-1)
                total = total + found.float().cpu().numpy().astype(np.float64)
        return np.asarray(total / len(self.readout.passes))


def shifted(codes: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    """Sequences moved by ``shift`` bp, to the right where it is positive; what falls off an end is lost.

    Args:
        codes: uint8 [N, L].
        shift: shorter than L.

    Returns:
        uint8 [N, L]; positions left empty have the code ``EMPTY``.
    """
    moved = np.full_like(codes, EMPTY)
    end = codes.shape[1]
    moved[:, max(shift, 0) : end + min(shift, 0)] = codes[:, max(-shift, 0) : end - max(shift, 0)]
    return moved


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The other strand; N and empty positions stay what they are."""
    return np.asarray(np.array([3, 2, 1, 0, 4, EMPTY], np.uint8)[codes[:, ::-1]])
