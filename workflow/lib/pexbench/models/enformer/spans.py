"""Enformer's trunk as steps that compute any span of their output from the span of the input that it takes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from pexbench.models.enformer.network import Block, Convolution, Stage, Trunk, gelu
from pexbench.models.torch_spans import Piece, Span, Stack

POOL = 2


class TrunkStage:
    """One stage: a convolution, a residual block, the pooling that halves the length."""

    def __init__(self, stage: Stage) -> None:
        """Take the stage, whose parameters are used as they are."""
        self._stage = stage

    def length(self, whole: int) -> int:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return whole // POOL

    def needs(self, span: Span, whole: int) -> Span:
        """See :class:`pexbench.models.torch_spans.Step`."""
        return self._widened(self._refined(span, whole), whole)

    def __call__(self, piece: Piece, span: Span) -> Piece:
        """See :class:`pexbench.models.torch_spans.Step`."""
        stage, whole = self._stage, piece.whole
        refined = self._refined(span, whole)
        wide = Piece(convolved(stage.widen, piece, refined), refined[0], whole)
        pooled = POOL * span[0], POOL * span[1]
        x = convolved(stage.refine, wide, pooled).add_(wide.part(pooled))
        return Piece(stage.pool(x), span[0], self.length(whole))

    def _refined(self, span: Span, whole: int) -> Span:
        """What the residual block reads for a span of the stage's output."""
        reach = self._stage.refine.reach
        return max(POOL * span[0] - reach, 0), min(POOL * span[1] + reach, whole)

    def _widened(self, span: Span, whole: int) -> Span:
        """What the first convolution reads for a span of its output."""
        reach = self._stage.widen.reach
        return max(span[0] - reach, 0), min(span[1] + reach, whole)


def convolved(layer: Convolution | Block, piece: Piece, span: Span) -> Tensor:
    """A span of a convolution's output, zeros put only where the whole input ends."""
    first, last = max(span[0] - layer.reach, 0), min(span[1] + layer.reach, piece.whole)
    x = piece.part((first, last))
    if isinstance(layer, Block):
        x, layer = gelu(layer.norm(x)), layer.convolution
    zeros = first - (span[0] - layer.reach), span[1] + layer.reach - last
    return functional.conv1d(functional.pad(x, zeros), layer.weight, layer.bias)


def trunk_steps(trunk: Trunk) -> Stack:
    """The whole trunk, from one-hot bases to bins."""
    return Stack([TrunkStage(stage) for stage in trunk.stages])
