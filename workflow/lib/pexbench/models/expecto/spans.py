"""Beluga's trunk as steps over a whole stretch of sequence, on the grid of some of ExPecto's windows.

Nothing in the trunk is padded, so what a window gives is a span of what the whole stretch gives, provided that the
pooling falls on the same bases: windows that begin a multiple of the poolings' product apart share one grid.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn import functional

from pexbench.models.expecto.network import POOL, Architecture, Beluga
from pexbench.models.torch_spans import Piece, Span, Stack, Step


class ConvolutionStep:
    """One of Beluga's convolutions with its ReLU."""

    def __init__(self, network: Beluga, number: int) -> None:
        """Take the convolution's place in the network."""
        self._convolution = network.convolutions[number]
        self._width = network.architecture.convolutions[number].width

    def length(self, whole: int) -> int:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return max(whole - self._width + 1, 0)

    def needs(self, span: Span, whole: int) -> Span:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return span[0], span[1] + self._width - 1

    def __call__(self, piece: Piece, span: Span) -> Piece:
        """See :class:`pexbench.models.torch_spans.Step`."""
        x = self._convolution(piece.part(self.needs(span, piece.whole)))
        return Piece(functional.relu(x, inplace=True), span[0], self.length(piece.whole))


class PoolStep:
    """Max pooling, on a grid that begins at some position of its input."""

    def __init__(self, offset: int) -> None:
        """Keep where the grid begins."""
        self._offset = offset

    def length(self, whole: int) -> int:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return max(whole - self._offset, 0) // POOL

    def needs(self, span: Span, whole: int) -> Span:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return self._offset + POOL * span[0], self._offset + POOL * span[1]

    def __call__(self, piece: Piece, span: Span) -> Piece:
        """See :class:`pexbench.models.torch_spans.Step`."""
        x = functional.max_pool1d(piece.part(self.needs(span, piece.whole)), POOL)
        return Piece(x, span[0], self.length(piece.whole))


def grid(architecture: Architecture) -> int:
    """Bases per position of the trunk's output (16 in the published network)."""
    return int(POOL ** sum(layer.pooled for layer in architecture.convolutions))


def trunk_steps(network: Beluga, offsets: Iterable[int]) -> tuple[Stack, dict[int, Stack]]:
    """The trunk on several grids, cut where their ways part.

    Args:
        network: Beluga.
        offsets: first base of each grid, less than :func:`grid`.

    Returns:
        The steps before the first pooling that the grids do differently, and those from there on, by offset. Position
        p of an output is the one whose pooled bases begin at ``offset + p * grid``.
    """
    offsets = sorted(set(offsets))
    shared: list[Step] = []
    own: dict[int, list[Step]] = {offset: [] for offset in offsets}
    bases, parted = 1, False
    for number, layer in enumerate(network.architecture.convolutions):
        for steps in own.values() if parted else [shared]:
            steps.append(ConvolutionStep(network, number))
        if not layer.pooled:
            continue
        begins = {offset: offset // bases % POOL for offset in offsets}
        parted = parted or len(set(begins.values())) > 1
        if parted:
            for offset, begin in begins.items():
                own[offset].append(PoolStep(begin))
        else:
            shared.append(PoolStep(begins[offsets[0]]))
        bases *= POOL
    return Stack(shared), {offset: Stack(steps) for offset, steps in own.items()}
