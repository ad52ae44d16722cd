"""ExPecto in PyTorch: Beluga over 200 windows, ten exponential weightings over distance, a linear model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pexbench.errors import InputError
from pexbench.incremental import Sequences
from pexbench.models.base import check_codes
from pexbench.models.card import Card
from pexbench.models.expecto.booster import read_booster
from pexbench.models.expecto.network import CHANNELS, Beluga
from pexbench.models.expecto.published import read_beluga
from pexbench.models.expecto.spans import grid, trunk_steps
from pexbench.models.torch_model import TorchAdapter
from pexbench.models.torch_spans import Piece, Span, Stage, share

WINDOW, STEP = 2000, 200
#: 0-based index of the TSS in the window of shift 0, counted on the + strand for both strands.
TSS_IN_WINDOW = 999
#: Loss of weight per 200 bp of distance; each is used upstream, then each downstream.
DECAYS = (0.01, 0.02, 0.05, 0.1, 0.2)
#: Positions of the trunk (4 bp before the grids of the windows part, 16 bp behind) that are shared together.
STEM_CHUNK, TRUNK_CHUNK = 64, 32
#: Windows whose dense layers are computed together: their weights are read once for all of them.
HEADS = 16


def window_shifts(card: Card) -> NDArray[np.int64]:
    """Distance of each window from the TSS, in bp, negative upstream; window i starts at 200 i of the input.

    Args:
        card: its input length and TSS indices are where the windows lie.

    Returns:
        int64 [W]; for the published input -20000, -19800 .. 19800.

    Raises:
        InputError: the input is no whole number of steps, or the TSS is at no window's place on both strands.
    """
    given = card.input
    steps, rest = divmod(given.length - WINDOW, STEP)
    before = given.tss_index_plus - TSS_IN_WINDOW
    reverse = given.length - WINDOW - (given.tss_index_minus - TSS_IN_WINDOW)
    if rest or steps < 0 or before % STEP or not 0 <= before <= steps * STEP or reverse != before:
        raise InputError(
            f"{card.path}: input length {given.length} with the TSS at {given.tss_index_plus} (+) and "
            f"{given.tss_index_minus} (-) found; {WINDOW} + k {STEP} bp with the TSS at {TSS_IN_WINDOW} + j {STEP} and "
            f"{TSS_IN_WINDOW} + (k - j) {STEP} are allowed; correct the card."
        )
    return np.arange(steps + 1, dtype=np.int64) * STEP - before


def distance_weights(shifts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights of the windows: float64 [10, W], five decays upstream, five downstream, each with the TSS's window."""
    steps = np.abs(shifts) / STEP
    sides = (shifts <= 0, shifts >= 0)
    return np.stack([np.exp(-decay * steps) * side for side in sides for decay in DECAYS])


class Model(TorchAdapter):
    """ExPecto in float32, TF32 off; the sums over windows and features are float64.

    The plain path computes each sequence by itself, its windows always in the same groups, so that a result cannot
    depend on which other sequences were in the batch, not even in its last bit. One sequence is 400 passes of Beluga.
    Haplotypes share most of them: see :meth:`forward_haplotypes`.
    """

    shares = ("stem", "trunk", "window")

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Read the network (``beluga``) and the linear model (``booster``)."""
        super().__init__(card, weights, device=device, options=options)
        self._group = int(str(self.options["window_batch"]))
        if self._group < 1:
            raise InputError(
                f"model {card.name}: option window_batch is {self._group}; a whole number of at least 1 is allowed; "
                "correct the configuration."
            )
        self._weighting = distance_weights(window_shifts(card))
        network, booster = self.weights_file("beluga"), self.weights_file("booster")
        self._booster = read_booster(booster)
        self.network: Beluga = read_beluga(network, WINDOW).to(self._device)
        given, wanted = len(self._booster.weights), self.feature_count
        if given != wanted:
            marks = self.network.architecture.features
            raise InputError(
                f"{booster}: {given} features found; {wanted} = {len(self._weighting)} x (1 + the {marks} chromatin "
                f"features of {network}) are expected; give the two files that belong together."
            )

    @property
    def feature_count(self) -> int:
        """Features of the linear model: ten weightings of a zero and the chromatin features."""
        return len(self._weighting) * (1 + self.network.architecture.features)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        return self._booster.predict(self._features(codes)).astype(np.float32)

    def forward_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """Predict what haplotypes share once; see :class:`pexbench.models.base.Adapter`.

        Shared are chunks of the trunk, which overlapping windows share as well, and distinct windows. All behind them
        is linear: a window adds one number to the prediction, its features times what the linear model and the
        weightings make of them.
        """
        windows = dict(sequences.sliding(WINDOW, STEP))
        starts, pieces = list(windows), list(windows.values())
        with self.arithmetic():
            forward = self._trunk(sequences, starts)
            backward = self._trunk(
                sequences.reverse_complement(), [sequences.length - WINDOW - start for start in starts]
            )
            items = [(window, row) for window, found in enumerate(pieces) for row in found.rows.tolist()]
            self.work.share("window", len(items), len(pieces) * len(sequences))

            def load(part: slice) -> Tensor:
                strands = [[trunk(*item) for item in items[part]] for trunk in (forward, backward)]
                return torch.stack([torch.cat(strand) for strand in strands], dim=1)

            def compute(x: Tensor) -> Tensor:
                first, second = (self.network.head(x[:, strand]).to(torch.float64) for strand in (0, 1))
                return (first + second) / 2

            features = self.batches.map("window", len(items), load, compute, unit=HEADS).cpu().numpy()
        own = self._linear()
        total, at = np.zeros(len(sequences)), 0
        for window, found in enumerate(pieces):
            total += (features[at : at + len(found)] * own[window]).sum(axis=1)[found.number]
            at += len(found)
        return (total + self._booster.bias + self._booster.base_score).astype(np.float32)

    def from_letters(self, letters: Tensor) -> Tensor:
        """See :meth:`pexbench.models.torch_model.TorchAdapter.from_letters`.

        Some windows at a time, and what they took is computed once more for the gradient: 400 passes at once would take
        4 GB.
        """
        windows = letters[0, list(CHANNELS)].unfold(-1, WINDOW, STEP).transpose(0, 1)
        own = torch.from_numpy(self._linear()).to(self._device)

        def part(given: Tensor, weights: Tensor) -> Tensor:
            first, second = (self.network(x.contiguous()).double() for x in (given, given.flip(1, 2)))
            return ((first + second) / 2 * weights).sum()

        parts = [
            checkpoint(part, *given, use_reentrant=False)
            for given in zip(windows.split(HEADS), own.split(HEADS), strict=True)
        ]
        return (torch.stack(parts).sum() + self._booster.bias + self._booster.base_score)[None]

    def _linear(self) -> NDArray[np.float64]:
        """What each window's features are multiplied by on the way to the prediction: float64 [windows, features]."""
        marks = self.network.architecture.features
        weights = self._booster.weights.reshape(len(self._weighting), 1 + marks)[:, 1:]
        return np.asarray(self._weighting.T @ weights)

    def _trunk(self, sequences: Sequences, starts: Sequence[int]) -> Callable[[int, int], Tensor]:
        """The trunk of every window of one strand: a function of window and row to [1, channels, positions].

        Args:
            sequences: of this strand.
            starts: first base of each window.
        """
        step, count = grid(self.network.architecture), self.network.architecture.positions(WINDOW)
        spans = [(start // step, start // step + count) for start in starts]
        by_grid: dict[int, list[Span]] = {}
        for start, span in zip(starts, spans, strict=True):
            by_grid.setdefault(start % step, []).append(span)
        reach = {offset: (min(own)[0], max(own)[1]) for offset, own in by_grid.items()}
        stem, ways = trunk_steps(self.network, reach)
        first, whole = Stage("stem", stem, STEM_CHUNK), stem.length(sequences.length)
        needs = [way.needs(reach[offset], whole) for offset, way in ways.items()]
        common = min(need[0] for need in needs), max(need[1] for need in needs)
        done = share(sequences, self._letters, [first], common, self.batches)
        made = {
            offset: share(
                sequences, self._letters, [first, Stage("trunk", way, TRUNK_CHUNK)], reach[offset], self.batches, done
            )
            for offset, way in ways.items()
        }
        return lambda window, row: made[starts[window] % step].part(np.array([row]), spans[window])

    def _letters(self, codes: Tensor, span: Span, whole: int) -> Piece:
        """The network's input for codes uint8 [N, bases], which lie at ``span`` of sequences of ``whole`` bp."""
        order = torch.tensor(CHANNELS, dtype=torch.uint8, device=self._device)
        values = codes.to(self._device)[:, None, :] == order[None, :, None]
        return Piece(values.to(torch.float32).contiguous(), span[0], whole)

    def features(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What the linear model reads.

        Args:
            codes: as in :meth:`predict`.

        Returns:
            float64 [N, 10 x (1 + chromatin features)]; 20,030 for the published network.

        Raises:
            InputError: codes of another type, length or value.
        """
        check_codes(codes, self.card)
        return self._features(codes)

    def chromatin(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Beluga's probabilities for each window, mean of both strands.

        Args:
            codes: as in :meth:`predict`.

        Returns:
            float64 [N, windows, chromatin features]; window i starts at 200 i. 3.2 MB per sequence as published.

        Raises:
            InputError: codes of another type, length or value.
        """
        check_codes(codes, self.card)
        shape = (len(codes), self._weighting.shape[1], self.network.architecture.features)
        return np.array([self._chromatin(row) for row in codes], np.float64).reshape(shape)

    def _features(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Weighted sums over the windows, with the column of zeros that the published model expects in each group."""
        result = np.zeros((len(codes), len(self._weighting), 1 + self.network.architecture.features))
        for row, own in zip(codes, result, strict=True):
            own[:, 1:] = self._weighting @ self._chromatin(row)
        return result.reshape(len(codes), self.feature_count)

    def _chromatin(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """One sequence, uint8 [L], to float64 [windows, chromatin features]."""
        windows = torch.from_numpy(np.ascontiguousarray(codes)).to(self._device).unfold(0, WINDOW, STEP)
        with self.arithmetic():
            parts = [self._both_strands(part).cpu() for part in windows.split(self._group)]
        return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)

    def _both_strands(self, codes: Tensor) -> Tensor:
        """Codes uint8 [W, 2000] to the mean over both strands, float64 [W, chromatin features]."""
        letters = self._letters(codes, (0, codes.shape[1]), codes.shape[1]).values
        # A and T, G and C lie opposite each other in the channels' order: reversed, they are complements.
        reverse = letters.flip(1, 2).contiguous()
        forward, backward = (self.network(x).to(torch.float64) for x in (letters, reverse))
        return (forward + backward) / 2
