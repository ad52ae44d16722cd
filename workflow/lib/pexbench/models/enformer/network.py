"""Enformer's network in PyTorch: trunk, transformer, head, each usable alone.

Every part is built from its parameters, so that no size is typed in here. Sequences lie as [N, channels, positions]
in the trunk and as [N, bins, channels] from the transformer on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

EPSILON = 1e-5  # of batch and layer norms, as in Sonnet and PyTorch
#: Bins that attend at once: of all distances, such a block needs few more than there are keys.
QUERIES = 256


def gelu(x: Tensor) -> Tensor:
    """GELU as x * sigmoid(1.702 x), the form the weights were trained with."""
    gate = (x * 1.702).sigmoid_()
    return gate * x if gate.requires_grad else gate.mul_(x)


def _once_more_for_gradients(part: Part, x: Tensor, *more: object) -> Tensor:
    """Apply a part; where a gradient is wanted, forget what it computed on the way and compute it again for that.

    So a gradient takes the memory of one piece or layer, not that of all (10 GB and more for 196,608 bp).
    """
    return checkpoint(part, x, *more, use_reentrant=False) if x.requires_grad else part(x, *more)


class Part(nn.Module):  # type: ignore[misc] # PyTorch ships types that mypy is told to skip
    """A module whose parameters are constants: given, never trained."""

    def keep(self, **tensors: Tensor | None) -> None:
        """Keep tensors as attributes that follow the module to another device."""
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)


class BatchNorm(Part):
    """Batch norm with the statistics of training: a scale and an offset per channel."""

    scale: Tensor
    offset: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Fold the four parameters, each [channels], into two."""
        super().__init__()
        scale = weight.double() / (variance.double() + EPSILON).sqrt()
        offset = bias.double() - mean.double() * scale
        self.keep(scale=scale.to(weight.dtype)[:, None], offset=offset.to(weight.dtype)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, positions] to the same."""
        return torch.addcmul(self.offset, x, self.scale)


class Convolution(Part):
    """Convolution with zeros beyond both ends, so that the length stays."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Keep weight [out, in, width], width odd, and bias [out]."""
        super().__init__()
        self.keep(weight=weight, bias=bias)

    @property
    def reach(self) -> int:
        """How many positions to either side an output sees."""
        return int(self.weight.shape[-1] // 2)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, positions] to [N, out, positions]."""
        return functional.conv1d(x, self.weight, self.bias, padding=self.reach)


class Block(Part):
    """Batch norm, GELU, convolution."""

    def __init__(self, norm: BatchNorm, convolution: Convolution) -> None:
        """Take the two layers."""
        super().__init__()
        self.norm, self.convolution = norm, convolution

    @property
    def reach(self) -> int:
        """How many positions to either side an output sees."""
        return int(self.convolution.reach)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, positions] to [N, out, positions]."""
        return self.convolution(gelu(self.norm(x)))


class Pool(Part):
    """Attention pooling: two neighbours become one, in each channel weighted by a softmax over the two.

    With two members the softmax is the sigmoid of the difference of their logits, and the logits are linear: one
    product with the neighbours' difference does the work of two.
    """

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        """Keep weight [channels, channels], rows the logits' channels."""
        super().__init__()
        self.keep(weight=weight)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, 2 * positions] to [N, channels, positions]."""
        first, second = x[..., 0::2], x[..., 1::2]
        difference = second - first
        share = torch.matmul(self.weight, difference).sigmoid_()
        return share * difference + first if share.requires_grad else share.mul_(difference).add_(first)


class Stage(Part):
    """A convolution, a residual block that refines it, and the pooling that halves the length."""

    def __init__(self, widen: Convolution | Block, refine: Block, pool: Pool) -> None:
        """Take the three parts."""
        super().__init__()
        self.widen, self.refine, self.pool = widen, refine, pool

    @property
    def reach(self) -> int:
        """How many positions to either side an output sees, beyond its own two."""
        return int(self.widen.reach + self.refine.reach)

    def forward(self, x: Tensor) -> Tensor:
        """[N, in, 2 * positions] to [N, out, positions]."""
        x = self.widen(x)
        return self.pool(self.refine(x).add_(x))


class Trunk(Part):
    """From one-hot bases to bins of 128 bp: the stem and the convolution tower."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Take the stages, the stem first."""
        super().__init__()
        self.stages = nn.ModuleList(stages)

    @property
    def bin(self) -> int:
        """Bases per bin."""
        return 1 << len(self.stages)

    @property
    def margin(self) -> int:
        """How many bases to either side a bin sees beyond its own (259 in the published network)."""
        return sum(int(stage.reach) << i for i, stage in enumerate(self.stages))

    def forward(self, x: Tensor) -> Tensor:
        """One-hot [N, 4, bases], a whole number of bins, to [N, channels, bins]."""
        for stage in self.stages:
            x = stage(x)
        return x

    def in_pieces(self, x: Tensor, bins: int) -> Tensor:
        """The same as calling it, computed piece by piece, which bounds the memory.

        Each piece brings as many whole bins on either side as the margin needs; at the sequence's ends there are none,
        because there the layers' zeros belong.

        Args:
            x: one-hot [N, 4, bases].
            bins: bins per piece, at least 1.

        Returns:
            [N, channels, bases / bin].
        """
        total, halo = x.shape[-1] // self.bin, -(-self.margin // self.bin)
        pieces = []
        for start in range(0, total, bins):
            stop = min(start + bins, total)
            low, high = max(start - halo, 0), min(stop + halo, total)
            piece = _once_more_for_gradients(self, x[..., low * self.bin : high * self.bin])
            pieces.append(piece[..., start - low : stop - low])
        return torch.cat(pieces, dim=-1)


class LayerNorm(Part):
    """Layer norm over channels."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Keep weight and bias, each [channels]."""
        super().__init__()
        self.keep(weight=weight, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[N, bins, channels] to the same."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, EPSILON)


class Linear(Part):
    """A linear layer over the last axis."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """Keep weight [out, in] and bias [out], if any."""
        super().__init__()
        self.keep(weight=weight, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        return functional.linear(x, self.weight, self.bias)


class Attention(Part):
    """Multi-head attention whose logits add what the keys hold and how far away they are.

    logit(i, j) = (q_i + content bias) . k_j + (q_i + position bias) . r_(j-i), with q scaled by 1/sqrt(key channels)
    and r the projected position features.
    """

    content_bias: Tensor
    position_bias: Tensor

    def __init__(self, content_bias: Tensor, position_bias: Tensor, **layers: Linear) -> None:
        """Keep the biases [heads, 1, key channels] and the layers query, key, value, relative, out."""
        super().__init__()
        self.keep(content_bias=content_bias, position_bias=position_bias)
        self.query, self.key, self.value = layers["query"], layers["key"], layers["value"]
        self.relative, self.out = layers["relative"], layers["out"]

    def forward(self, x: Tensor, positions: Tensor, queries: slice) -> Tensor:
        """Attend from some bins to all.

        Args:
            x: [N, bins, channels].
            positions: [2 * bins - 1, features], see :func:`positions.position_features`.
            queries: the bins that attend, with start and stop.

        Returns:
            [N, queries, channels].
        """
        bins = x.shape[1]
        key, value = self._heads(self.key(x)).transpose(-1, -2), self._heads(self.value(x))
        query = self._heads(self.query(x[:, queries])) * self.content_bias.shape[-1] ** -0.5
        # Row i of the distances that occur is distance i - queries.stop + 1.
        distance = self._heads(self.relative(positions[bins - queries.stop : 2 * bins - 1 - queries.start]))
        mixed = []
        for start in range(0, query.shape[-2], QUERIES):
            some = query[..., start : start + QUERIES, :]
            count = some.shape[-2]
            # Of these queries: from the last one's distance to the first bin to the first one's to the last bin.
            low = query.shape[-2] - start - count
            logits = torch.matmul(some + self.content_bias, key)
            near = distance[..., low : low + bins + count - 1, :].transpose(-1, -2)
            logits += _aligned(torch.matmul(some + self.position_bias, near), bins)
            mixed.append(torch.matmul(logits.softmax(dim=-1), value))
        return self.out(torch.cat(mixed, dim=-2).transpose(-2, -3).flatten(-2))

    def _heads(self, x: Tensor) -> Tensor:
        """[..., bins, heads * channels] to [..., heads, bins, channels]."""
        return x.unflatten(-1, (len(self.content_bias), -1)).transpose(-2, -3)


def _aligned(by_distance: Tensor, bins: int) -> Tensor:
    """From logits by distance to logits by key.

    Args:
        by_distance: contiguous [N, heads, queries, bins + queries - 1] for neighbouring queries; the last column is the
            distance from the first of them to the last bin.
        bins: number of keys.

    Returns:
        A view [N, heads, queries, bins]: in each row the keys begin one column further left.
    """
    queries, step = by_distance.shape[-2], by_distance.stride()
    shape = (*by_distance.shape[:-1], bins)
    return by_distance.as_strided(shape, (*step[:-2], step[-2] - 1, 1), by_distance.storage_offset() + queries - 1)


class Layer(Part):
    """One transformer layer: attention, then a two-layer perceptron, each normed before and added to its input."""

    def __init__(
        self, before: LayerNorm, attention: Attention, between: LayerNorm, widen: Linear, narrow: Linear
    ) -> None:
        """Take the parts in their order."""
        super().__init__()
        self.before, self.attention = before, attention
        self.between, self.widen, self.narrow = between, widen, narrow

    def forward(self, x: Tensor, positions: Tensor, wanted: slice) -> Tensor:
        """[N, bins, channels] to [N, bins wanted, channels]."""
        x = x[:, wanted] + self.attention(self.before(x), positions, wanted)
        return x + self.narrow(functional.relu(self.widen(self.between(x))))


class Transformer(Part):
    """All transformer layers."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        """Take the layers."""
        super().__init__()
        self.layers = nn.ModuleList(layers)

    @property
    def features(self) -> int:
        """Number of position features the layers expect; 0 without layers."""
        return int(self.layers[0].attention.relative.weight.shape[1]) if len(self.layers) else 0

    def forward(self, x: Tensor, positions: Tensor, wanted: slice) -> Tensor:
        """Every bin attends in every layer but the last, where only those wanted do.

        Args:
            x: [N, bins, channels].
            positions: position features [2 * bins - 1, features].
            wanted: bins to give.

        Returns:
            [N, bins wanted, channels].
        """
        every = slice(0, x.shape[1])
        wanted = slice(*wanted.indices(x.shape[1])[:2])
        for number, layer in enumerate(self.layers, start=1):
            x = _once_more_for_gradients(layer, x, positions, wanted if number == len(self.layers) else every)
        return x if len(self.layers) else x[:, wanted]


class Head(Part):
    """From bins to tracks: the final pointwise block, GELU, a linear layer, softplus. Bins do not see each other."""

    def __init__(self, pointwise: Block, tracks: Linear) -> None:
        """Take the parts."""
        super().__init__()
        self.pointwise, self.tracks = pointwise, tracks

    @property
    def count(self) -> int:
        """Number of tracks."""
        return len(self.tracks.weight)

    def forward(self, x: Tensor, tracks: slice = slice(None)) -> Tensor:
        """[N, bins, channels] to [N, bins, tracks], all of them or some."""
        x = gelu(self.pointwise(x.transpose(1, 2)).transpose(1, 2))
        weight, bias = self.tracks.weight[tracks], self.tracks.bias
        assert bias is not None  # noqa: S101 the published head has one
        return functional.softplus(functional.linear(x, weight, bias[tracks]))


class Enformer(Part):
    """The whole network."""

    def __init__(self, trunk: Trunk, transformer: Transformer, head: Head) -> None:
        """Take the three parts."""
        super().__init__()
        self.trunk, self.transformer, self.head = trunk, transformer, head

    def forward(
        self, x: Tensor, positions: Tensor, bins: slice, tracks: slice = slice(None), piece: int | None = None
    ) -> Tensor:
        """Predict.

        Args:
            x: one-hot [N, 4, bases].
            positions: position features [2 * bins - 1, features].
            bins: which bins to give, counted from the sequence's start, before any crop.
            tracks: which tracks to give.
            piece: bins that the trunk computes at once; None for all.

        Returns:
            [N, bins given, tracks given].
        """
        x = self.trunk(x) if piece is None else self.trunk.in_pieces(x, piece)
        x = self.transformer(x.transpose(1, 2), positions, bins)
        return self.head(x, tracks)
