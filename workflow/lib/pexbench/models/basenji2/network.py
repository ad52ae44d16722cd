"""Basenji2 in PyTorch, able to compute any part of its output from the part of the input that this part needs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pexbench.models.basenji2.published import EPSILON, Architecture, Arrays, Convolution, Crop, Residual, Weights
from pexbench.models.torch_spans import Piece, Span, Stack, Stage, Step

#: Code of a position that a shift left empty: a quarter of each letter. Codes 0..3 = A, C, G, T, 4 = N, all zero.
EMPTY = 5
#: Bins that are shared together: fewer are alike in more people, but the margins that each piece computes weigh more.
TOWER_CHUNK, BLOCK_CHUNK = 8, 32


def _gelu(x: Tensor) -> Tensor:
    """The approximation that the published weights were trained with; others are off by half a unit of the output."""
    gate = torch.sigmoid(1.702 * x)
    return gate * x if gate.requires_grad else gate.mul_(x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": _gelu, "relu": functional.relu}


class _Convolution:
    """Activation, convolution with the batch norm multiplied into it, max pooling."""

    def __init__(self, step: Convolution, arrays: Arrays, activation: str, device: torch.device) -> None:
        scale = arrays["gamma"] / np.sqrt(arrays["moving_variance"].astype(np.float64) + EPSILON)
        kernel = np.ascontiguousarray((arrays["kernel"] * scale).transpose(2, 1, 0), dtype=np.float32)
        bias = (arrays["beta"] - arrays["moving_mean"] * scale).astype(np.float32)
        self.kernel = torch.from_numpy(kernel).to(device)
        self.bias = torch.from_numpy(bias).to(device)
        self.dilation, self.pool = step.dilation, step.pool
        around = (step.width - 1) * step.dilation
        self.left, self.right = around // 2, around - around // 2
        self.activation = ACTIVATIONS[activation]

    def length(self, whole: int) -> int:
        return whole // self.pool

    def needs(self, span: Span, whole: int) -> Span:
        return max(span[0] * self.pool - self.left, 0), min(span[1] * self.pool + self.right, whole)

    def __call__(self, piece: Piece, span: Span) -> Piece:
        first, last = self.needs(span, piece.whole)
        x = self.activation(piece.part((first, last)))
        zeros = first - (span[0] * self.pool - self.left), (span[1] * self.pool + self.right) - last
        x = functional.conv1d(functional.pad(x, zeros), self.kernel, self.bias, dilation=self.dilation)
        if self.pool > 1:
            x = functional.max_pool1d(x, self.pool)
        return Piece(x, span[0], self.length(piece.whole))


class _Crop:
    """Drops positions at both ends."""

    def __init__(self, step: Crop) -> None:
        self.positions = step.positions

    def length(self, whole: int) -> int:
        return whole - 2 * self.positions

    def needs(self, span: Span, whole: int) -> Span:
        return span[0] + self.positions, span[1] + self.positions

    def __call__(self, piece: Piece, span: Span) -> Piece:
        return Piece(piece.part(self.needs(span, piece.whole)), span[0], self.length(piece.whole))


class _Residual:
    """Adds what it reads to what its steps make of it."""

    def __init__(self, steps: Stack) -> None:
        self.steps = steps

    def length(self, whole: int) -> int:
        return whole

    def needs(self, span: Span, whole: int) -> Span:
        return self.steps.needs(span, whole)  # holds the span itself: a convolution reads on both sides

    def __call__(self, piece: Piece, span: Span) -> Piece:
        return Piece(self.steps(piece, span).values.add_(piece.part(span)), span[0], piece.whole)


class _Head:
    """The head as a step: some tracks of every bin."""

    def __init__(self, network: Network, tracks: slice) -> None:
        self._network, self._tracks = network, tracks

    def length(self, whole: int) -> int:
        return whole

    def needs(self, span: Span, whole: int) -> Span:
        return span

    def __call__(self, piece: Piece, span: Span) -> Piece:
        features = Piece(piece.part(span), span[0], piece.whole)
        return Piece(self._network.head(features, self._tracks), span[0], piece.whole)


class Network:
    """The whole network: tower (down to bins), body (dilated convolutions, crop), head (tracks).

    Attributes:
        tower: the convolutions before the first residual or crop.
        body: the rest of the trunk.
    """

    def __init__(self, architecture: Architecture, weights: Weights, device: torch.device) -> None:
        """Put the weights on the device."""
        arrays = iter(weights.convolutions)

        def made(step: Convolution | Residual | Crop) -> Step:
            if isinstance(step, Crop):
                return _Crop(step)
            if isinstance(step, Residual):
                return _Residual(Stack([made(inner) for inner in step.steps]))
            return _Convolution(step, next(arrays), architecture.activation, device)

        steps = [made(step) for step in architecture.steps]
        tower = list(takewhile(lambda step: isinstance(step, _Convolution), steps))
        self.tower, self.body = Stack(tower), Stack(steps[len(tower) :])
        self._activation = ACTIVATIONS[architecture.activation]
        self._kernel = torch.from_numpy(np.ascontiguousarray(weights.head["kernel"].T)).to(device)
        self._bias = torch.from_numpy(weights.head["bias"]).to(device)
        letters = np.zeros((EMPTY + 1, 4), np.float32)
        letters[:4] = np.eye(4)
        letters[EMPTY] = 0.25
        self._letters = torch.from_numpy(letters).to(device)
        self._device = device

    def letters(self, codes: Tensor, span: Span, whole: int) -> Piece:
        """The network's input for codes uint8 [N, bases], which lie at ``span`` of sequences of ``whole`` bp."""
        values = self._letters[codes.to(self._device).long()]
        return Piece(values.transpose(1, 2).contiguous(), span[0], whole)

    def stages(self, tracks: slice) -> list[Stage]:
        """The network as stages for :func:`pexbench.models.torch_spans.share`, the head for some tracks included.

        The further an output sees, the fewer haplotypes are alike in what it sees: so each residual block is shared by
        itself. What follows the last but one is computed once per distinct window.
        """
        blocks = list(takewhile(lambda step: isinstance(step, _Residual), self.body.steps))[:-1]
        stages = [Stage("tower", self.tower, TOWER_CHUNK)]
        stages += [Stage(f"block {number}", block, BLOCK_CHUNK) for number, block in enumerate(blocks, start=1)]
        return [*stages, Stage("window", Stack([*self.body.steps[len(blocks) :], _Head(self, tracks)]), 0)]

    def head(self, features: Piece, tracks: slice = slice(None)) -> Tensor:
        """Tracks [N, tracks, positions] from the trunk's output."""
        x = self._activation(features.values)
        # A convolution, whose sums do not depend on an item's place in the batch, as those of a batched product do.
        return functional.softplus(functional.conv1d(x, self._kernel[tracks, :, None], self._bias[tracks]))

    def predict(self, codes: Tensor, bins: Span, tracks: slice = slice(None)) -> Tensor:
        """Predict from sequences.

        Args:
            codes: uint8 [N, L], 0..3 = A, C, G, T, 4 = N, 5 = empty.
            bins: half-open, of the whole output.
            tracks: those to compute.

        Returns:
            float32 [N, tracks, bins].
        """
        first, last = self.reads(bins, codes.shape[1])
        piece = self.letters(codes[:, first:last], (first, last), codes.shape[1])
        return self.from_letters(piece, bins, tracks)

    def reads(self, bins: Span, length: int) -> Span:
        """The bases that some bins depend on, in sequences of ``length`` bp."""
        return self.tower.needs(self.body.needs(bins, self.tower.length(length)), length)

    def from_letters(self, piece: Piece, bins: Span, tracks: slice) -> Tensor:
        """The same from the network's input: letters [N, 4, bases] that hold what :meth:`reads` says."""
        middle = self.body.needs(bins, self.tower.length(piece.whole))
        return self.head(self.body(self.tower(piece, middle), bins), tracks)
