"""Beluga, the chromatin network under ExPecto, in PyTorch.

Convolutions with ReLU and max pooling by 4 between blocks (the trunk), then two dense layers and a sigmoid (the head).
Nothing is padded, so that a position of the trunk's output depends on its own stretch of sequence only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

#: The network's channels, as positions in A, C, G, T: it reads A, G, C, T.
CHANNELS = (0, 2, 1, 3)
POOL = 4


@dataclass(frozen=True)
class Convolution:
    """One convolution, followed by ReLU and, if ``pooled``, by max pooling over 4 positions."""

    inputs: int
    outputs: int
    width: int
    pooled: bool


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network: the convolutions in order, the hidden dense layer, and the chromatin features given."""

    convolutions: tuple[Convolution, ...]
    hidden: int
    features: int

    def positions(self, length: int) -> int:
        """Positions of the trunk's output for a sequence of ``length`` bp; 0 for a sequence that is too short."""
        for layer in self.convolutions:
            length -= layer.width - 1
            length = max(length // POOL if layer.pooled else length, 0)
        return length

    def trunk_size(self, length: int) -> int:
        """Numbers that the trunk gives for a sequence of ``length`` bp."""
        return self.convolutions[-1].outputs * self.positions(length)


class Beluga(nn.Module):  # type: ignore[misc] # torch is left out of the type check
    """Letters to chromatin features.

    :meth:`forward` is ``head(trunk(letters))``; the trunk takes any length, the head only the window's.
    """

    def __init__(self, architecture: Architecture, length: int) -> None:
        """Lay out the layers; the parameters are filled by the caller.

        Args:
            architecture: the network's sizes.
            length: window in bp.
        """
        super().__init__()
        self.architecture = architecture
        self.convolutions = nn.ModuleList(
            nn.Conv1d(layer.inputs, layer.outputs, layer.width) for layer in architecture.convolutions
        )
        self.dense = nn.Linear(architecture.trunk_size(length), architecture.hidden)
        self.last = nn.Linear(architecture.hidden, architecture.features)

    def trunk(self, letters: Tensor) -> Tensor:
        """Convolutions: float32 [W, 4, length] (channels A, G, C, T, contiguous) to [W, channels, positions]."""
        x = letters
        for layer, convolution in zip(self.architecture.convolutions, self.convolutions, strict=True):
            x = functional.relu(convolution(x), inplace=True)
            if layer.pooled:
                x = functional.max_pool1d(x, POOL)
        return x

    def head(self, x: Tensor) -> Tensor:
        """Dense layers: [W, channels, positions] to probabilities of the chromatin features, [W, features]."""
        hidden = functional.relu(self.dense(x.flatten(1)), inplace=True)  # channel by channel
        return self.last(hidden).sigmoid()

    def forward(self, letters: Tensor) -> Tensor:
        """The whole network: float32 [W, 4, length] to [W, features]."""
        return self.head(self.trunk(letters))
