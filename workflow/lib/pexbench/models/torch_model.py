"""What all PyTorch adapters share: the device, the arithmetic, batches by memory, counted work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pexbench.errors import InputError
from pexbench.models.base import Adapter, checked_codes, one_hot
from pexbench.models.card import Card
from pexbench.models.torch_batches import Batches, multiply_adds
from pexbench.models.torch_exact import PRECISIONS, arithmetic


class TorchAdapter(Adapter):
    """A model that computes in PyTorch.

    Attributes:
        batches: how many pieces are computed at once.
    """

    precisions = PRECISIONS

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Keep the settings and try the device.

        Raises:
            InputError: PyTorch cannot use the device, or as :class:`pexbench.models.base.Adapter`.
        """
        super().__init__(card, weights, device=device, options=options)
        try:
            self._device = torch.device(device)
            torch.empty(0, device=self._device)
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f"device {device!r} cannot be used by PyTorch ({str(error).splitlines()[0]}); cpu, or cuda on a "
                "machine with a GPU and a PyTorch built for it, is allowed; correct the configuration."
            ) from error
        self.batches = Batches(self._device, self.work)

    def use(self, precision: str = "float32", batch_size: int | None = None) -> None:
        """Choose precision and batch size; see :meth:`pexbench.models.base.Adapter.use`."""
        if precision == "tf32" and self._device.type != "cuda":
            raise InputError(
                f"model {self.card.name}: precision tf32 on {self._device.type}; only NVIDIA GPUs have it; "
                "set inference.precision to 'float32', or run on a GPU."
            )
        super().use(precision, batch_size)
        self.batches.use(batch_size)

    def arithmetic(self) -> AbstractContextManager[None]:
        """The precision chosen, for a ``with`` statement."""
        return arithmetic(self.precision, self._device.type)

    def input_gradient(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """By automatic differentiation; see :meth:`pexbench.models.base.Adapter.input_gradient`."""
        if type(self).from_letters is TorchAdapter.from_letters:
            return None
        made = np.empty((*codes.shape, 4), np.float32)
        for row, own in zip(checked_codes(codes, self.card), made, strict=True):
            letters = torch.from_numpy(one_hot(row[None])).transpose(1, 2).contiguous().to(self._device)
            letters.requires_grad_()
            with arithmetic("float32", self._device.type, gradient=True):
                (slope,) = torch.autograd.grad(self.from_letters(letters).sum(), letters)
            own[:] = slope[0].T.float().cpu().numpy()
        return made

    def from_letters(self, letters: Tensor) -> Tensor:
        """The plain path as a function that can be differentiated, for models that give their gradient.

        Args:
            letters: [1, 4, L], channels A, C, G, T, on the device.

        Returns:
            The prediction, [1].
        """
        raise NotImplementedError

    def plain_multiply_adds(self, codes: NDArray[np.uint8]) -> int:
        """Multiply-adds of the plain path for one sequence, uint8 [1, L]: it is run and counted."""
        return multiply_adds(lambda: self.predict(codes))

    def device_facts(self) -> dict[str, object]:
        """See :meth:`pexbench.models.base.Adapter.device_facts`."""
        facts = super().device_facts() | {"threads": torch.get_num_threads()}
        if self._device.type == "cuda":
            facts["device_name"] = torch.cuda.get_device_name(self._device)
            facts["peak_device_memory_mb"] = round(self.batches.peak / 1e6, 1)
        return facts

    def _counted(
        self, kind: str, codes: NDArray[np.uint8], compute: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        if kind not in self._costs:
            self._costs[kind] = multiply_adds(lambda: compute(codes[:1]))
        self.work.multiply_adds += self._costs[kind] * len(codes)
        return compute(codes)
