"""Batches as large as the device's free memory allows, halved and tried again when it does not."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pexbench.errors import InputError
from pexbench.models.work import Work

LOG = logging.getLogger(__name__)
#: What is computed, and the shape of one item.
Kind = tuple[str, tuple[int, ...]]
#: Share of the free memory that a batch may fill: the allocator needs room for blocks of other sizes.
FILL = 0.7
#: Items at once on the CPU: more are no faster, because their activations leave the processor's cache.
UNIT = 4


def multiply_adds(compute: Callable[[], object]) -> int:
    """Multiplications with addition of a computation, which is run for the count alone.

    Its result is not to be used: under the counter PyTorch may round other last bits.
    """
    counter = FlopCounterMode(display=False)
    with counter:
        compute()
    return int(counter.get_total_flops() // 2)


class Batches:
    """Applies a function to many items of one shape, some at a time.

    On the CPU always the same few items (``unit``) at a time: PyTorch chooses another kernel, which rounds otherwise, for
    another number. With a fixed one the batch size changes nothing, and what else is computed at most a last bit. On a
    GPU the memory that the first ``unit`` took decides how many follow at once; results agree up to float32 rounding.

    Attributes:
        work: the ledger.
        limit: most items at once on a GPU, or None.
        peak: largest memory of the GPU in use so far, in bytes.
    """

    def __init__(self, device: torch.device, work: Work, limit: int | None = None) -> None:
        """Keep the device and the ledger."""
        self._device, self.work, self.limit = device, work, limit
        self.peak = self._bytes = 0
        self._sizes: dict[Kind, int] = {}
        self._costs: dict[Kind, int] = {}

    def use(self, limit: int | None) -> None:
        """Set the most items at once, or None; sizes found before are forgotten."""
        self.limit = limit
        self._sizes.clear()

    def map(
        self,
        stage: str,
        count: int,
        load: Callable[[slice], Tensor],
        compute: Callable[[Tensor], Tensor],
        unit: int = UNIT,
    ) -> Tensor:
        """Compute all items.

        Args:
            stage: name of what is computed, for the ledger and errors.
            count: number of items, at least 1.
            load: gives the items of a slice, [n, ...], on the device.
            compute: [n, ...] to [n, ...], each item by itself.
            unit: numbers of items computed together are multiples of it; a last group that is smaller is filled up, so
                that every item is computed in the same way.

        Returns:
            The results of all items, [count, ...], on the device.

        Raises:
            InputError: memory does not suffice for one item.
        """
        result: Tensor | None = None
        key: Kind | None = None
        at, size = 0, unit
        while at < count:
            stop = min(at + size, count)
            try:
                given = load(slice(at, stop))
                key = (stage, tuple(given.shape[1:]))
                if at == 0 and size < (known := self._sizes.get(key, unit)):
                    size = known
                    continue
                made = self._computed(key, given, compute, unit)
                if result is None:
                    result = made.new_empty((count, *made.shape[1:]))
                result[at:stop] = made
            except torch.OutOfMemoryError as error:
                if size <= unit:
                    raise InputError(
                        f"{stage}: memory of {self._device} does not suffice for {unit} item(s) at once "
                        f"({str(error).splitlines()[0]}); use a device with more memory, or one that nobody else uses."
                    ) from None
                size = max(size // 2 // unit * unit, unit)
                if key is not None:
                    self._sizes[key] = size
                LOG.warning("%s: out of memory, %d at a time from here on", stage, size)
                torch.cuda.empty_cache()
                continue
            self.work.batch(stage, stop - at)
            at = stop
            if key not in self._sizes:
                size = self._sizes[key] = self._fitting(unit)
        assert result is not None  # noqa: S101 count is at least 1
        return result

    def _computed(self, key: Kind, given: Tensor, compute: Callable[[Tensor], Tensor], unit: int) -> Tensor:
        """Results for one batch; the first of its kind is counted, and its memory measured."""
        number = len(given)
        if number % unit:
            filler = given.new_zeros((unit - number % unit, *given.shape[1:]))
            given = torch.cat([given, filler])
        on_gpu = self._device.type == "cuda"
        held = torch.cuda.memory_allocated(self._device) if on_gpu else 0
        if key not in self._costs:
            self._costs[key] = multiply_adds(lambda: compute(given)) // len(given)
            if on_gpu:
                torch.cuda.reset_peak_memory_stats(self._device)
        made = compute(given)
        if on_gpu:
            peak = torch.cuda.max_memory_allocated(self._device)
            self.peak = max(self.peak, peak)
            if key not in self._sizes:
                self._bytes = (peak - held + given.nbytes) // len(given)
        self.work.multiply_adds += self._costs[key] * len(given)
        return made[:number]

    def _fitting(self, unit: int) -> int:
        """How many items to compute at once, after the first of their kind."""
        size = unit
        if self._device.type == "cuda":
            spare = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)
            free = torch.cuda.mem_get_info(self._device)[0] + spare
            fitting = int(FILL * free / max(self._bytes, 1))
            size = min(self.limit or fitting, fitting)
        return max(size // unit * unit, unit)
