"""Xpresso in PyTorch: the published network, computed from the layers its file describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pexbench.incremental import Sequences
from pexbench.models.card import Card
from pexbench.models.torch_model import TorchAdapter
from pexbench.models.xpresso.published import Layer, read_published


@contextmanager
def _one_thread() -> Iterator[None]:
    """One CPU thread; PyTorch's setting is put back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Model(TorchAdapter):
    """Xpresso in float32, TF32 off; half-life features are 0.

    On the CPU each sequence is computed by itself and by one thread: its activations then stay in the processor's
    cache, which is faster than any batch, and a result cannot depend on which other sequences were in the batch, not
    even in its last bit. Other cores are for other shards; threads that wait for each other on a busy machine were
    ten times slower. On a GPU the batch is computed as one.
    """

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
        network = read_published(self.weights_file("network"), card.input.length)
        self._network = network
        self._parameters = {
            layer.name: {name: self._put(layer, name) for name in layer.parameters} for layer in network.layers
        }

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        whole = torch.from_numpy(np.ascontiguousarray(codes))
        parts = whole.split(1 if self._device.type == "cpu" else len(codes))
        with self.arithmetic(), _one_thread():
            result = torch.cat([self._run(part.to(self._device)).float().cpu() for part in parts])
        return np.asarray(result.numpy(), dtype=np.float32)

    def forward_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """Predict each distinct window once; see :class:`pexbench.models.base.Adapter`."""
        every = np.arange(len(sequences))
        with self.arithmetic(), _one_thread():
            result = self.batches.map(
                "window",
                len(sequences),
                lambda part: torch.from_numpy(sequences.codes(every[part])).to(self._device),
                lambda codes: self._run(codes).float(),
                unit=1,
            )
        return np.asarray(result.cpu().numpy(), dtype=np.float32)

    def _run(self, codes: Tensor) -> Tensor:
        """Codes uint8 [N, L] through every layer; sequences lie as [N, channels, steps] on the way. Gives [N]."""
        letters = torch.arange(4, dtype=torch.uint8, device=codes.device)
        return self.from_letters((codes[:, None, :] == letters[None, :, None]).to(torch.float32))

    def from_letters(self, letters: Tensor) -> Tensor:
        """The network itself: letters [N, 4, L] to [N]; see :class:`pexbench.models.torch_model.TorchAdapter`."""
        values = {
            self._network.sequence: letters,
            self._network.features: letters.new_zeros(len(letters), self._network.feature_count),
        }
        for layer in self._network.layers:
            if layer.kind != "InputLayer":
                values[layer.name] = self._layer(layer, [values[name] for name in layer.inputs])
        return values[self._network.output][:, 0]

    def _layer(self, layer: Layer, inputs: list[Tensor]) -> Tensor:
        """One layer."""
        own, x = self._parameters[layer.name], inputs[0]
        if layer.kind == "Conv1D":
            x = functional.conv1d(functional.pad(x, layer.pad), own["kernel"], own["bias"])
        elif layer.kind == "MaxPooling1D":
            x = functional.max_pool1d(x, layer.size, layer.stride)
        elif layer.kind == "Flatten":
            x = x.transpose(1, 2).flatten(1)  # Keras flattens steps first, channels last
        elif layer.kind == "Concatenate":
            x = torch.cat(inputs, dim=1)
        elif layer.kind == "Dense":
            x = functional.linear(x, own["kernel"], own["bias"])
        return functional.relu(x) if layer.activation == "relu" else x

    def _put(self, layer: Layer, name: str) -> Tensor:
        """A parameter in PyTorch's layout ([out, in, width] or [out, in]) on the device."""
        array = layer.parameters[name]
        if name == "kernel":
            array = np.ascontiguousarray(array.T)
        return torch.from_numpy(array).to(self._device)
