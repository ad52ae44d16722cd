"""Items computed some at a time: same results whatever the batches, and what happens when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pexbench.errors import InputError
from pexbench.models.work import Work

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")

from pexbench.models.torch_batches import FILL, UNIT, Batches  # noqa: E402

CPU = torch.device("cpu")
KERNEL = torch.from_numpy(np.random.default_rng(1).standard_normal((6, 4, 5)).astype(np.float32))
DENSE = torch.from_numpy(np.random.default_rng(2).standard_normal((3, 40)).astype(np.float32))
ITEMS = torch.from_numpy(np.random.default_rng(3).standard_normal((23, 4, 10)).astype(np.float32))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


def convolution(x: Any) -> Any:
    return torch.nn.functional.conv1d(x, KERNEL)


def linear(x: Any) -> Any:
    return torch.nn.functional.linear(x.flatten(1), DENSE)


def assert_each(found: Any, count: int = 23) -> None:
    """What each item gives by itself, but for the order in which float32 sums are taken."""
    torch.testing.assert_close(found, torch.cat([convolution(item[None]) for item in ITEMS[:count]]), rtol=0, atol=1e-5)


def listened(compute: Callable[[Any], Any], most: int = 10**9, sizes: list[int] | None = None) -> Callable[[Any], Any]:
    """Notes how many items come at once; has memory for so many only."""

    def run(x: Any) -> Any:
        if sizes is not None:
            sizes.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError(f"no memory for {len(x)}\nsecond line")
        return compute(x)

    return run


def through(batches: Batches, compute: Callable[[Any], Any], count: int = 23, **more: Any) -> Any:
    return batches.map("stage", count, lambda part: ITEMS[:count][part], compute, **more)


@pytest.mark.parametrize("compute", [convolution, linear])
def test_on_the_cpu_no_bit_depends_on_the_rest(compute: Any) -> None:
    """Limits, order, and how many others there are: always the same few items at once."""
    wanted = through(Batches(CPU, Work()), compute)
    for limit in (1, 2, 3, 7, 1000):
        sizes: list[int] = []
        assert torch.equal(through(Batches(CPU, Work(), limit), listened(compute, sizes=sizes)), wanted)
        assert set(sizes) == {UNIT}
    mixed = torch.from_numpy(np.random.default_rng(4).permutation(23))
    found = Batches(CPU, Work()).map("stage", 23, lambda part: ITEMS[mixed[part]], compute)
    assert torch.equal(found, wanted[mixed])
    for count in (1, 2, 3, 4, 5, 8):
        assert torch.equal(through(Batches(CPU, Work()), compute, count), wanted[:count])


def test_results_are_those_of_each_item() -> None:
    for unit in (1, 2, UNIT, 30):
        assert_each(through(Batches(CPU, Work()), convolution, unit=unit))


@pytest.mark.parametrize("unit", [1, 4, 5, 16, 30])
def test_groups_are_filled_up(unit: int) -> None:
    """Every group has the same number of items, so that an item is computed in the same way whatever the others."""
    sizes: list[int] = []
    batches = Batches(CPU, Work())
    found = through(batches, listened(linear, sizes=sizes), unit=unit)
    assert set(sizes) == {unit}
    filled = torch.cat([ITEMS, torch.zeros(-23 % unit, 4, 10)])
    assert torch.equal(found, torch.cat([linear(part) for part in filled.split(unit)])[:23])
    again = torch.cat([through(batches, linear, count, unit=unit)[-1:] for count in (1, 5, 23)])
    assert torch.equal(again, found[[0, 4, 22]])


@pytest.mark.parametrize("unit", [1, 4])
def test_too_little_for_one_is_said_in_words(unit: int) -> None:
    with pytest.raises(InputError) as caught:
        through(Batches(CPU, Work()), listened(linear, most=0), unit=unit)
    assert str(caught.value).startswith(f"stage: memory of cpu does not suffice for {unit} item(s) at once (no memory")
    assert "second line" not in str(caught.value)
    assert "use a device with more memory" in str(caught.value)


@pytest.mark.parametrize("unit", [1, 4])
@pytest.mark.parametrize(
    ("compute", "each"),
    [(convolution, 6 * 6 * 4 * 5), (linear, 3 * 40), (lambda x: convolution(x).relu() + 1, 6 * 6 * 4 * 5)],
    ids=["convolution", "linear", "what is no product is not counted"],
)
def test_multiply_adds_are_those_of_the_items(unit: int, compute: Any, each: int) -> None:
    """6 outputs at 6 positions from 4 channels and 5 bases; 3 outputs from 40 numbers; what fills up is work as well."""
    work = Work()
    batches = Batches(CPU, work)
    through(batches, compute, unit=unit)
    first = -(-23 // unit) * unit
    assert work.multiply_adds == first * each
    through(batches, compute, 5, unit=unit)
    assert work.multiply_adds == (first + -(-5 // unit) * unit) * each


class Gpu:
    """Memory of a GPU that is not there: what is allocated, reserved and free, in bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int, per_item: int, held: int = 5000, spare: int = 0):
        self.free, self.per_item, self.held, self.spare, self.peak = free, per_item, held, spare, held
        self.emptied = self.resets = 0
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: self.held)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: self.held + self.spare)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (self.free, 10**12))
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device=None: self.peak)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", self._reset)
        monkeypatch.setattr(torch.cuda, "empty_cache", self._empty)

    def _reset(self, device: Any = None) -> None:
        self.peak, self.resets = self.held, self.resets + 1

    def _empty(self) -> None:
        self.emptied += 1

    def compute(self, sizes: list[int], most: int = 10**9) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            sizes.append(len(x))
            if len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self.peak = max(self.peak, self.held + self.per_item * len(x))
            return convolution(x)

        return run


EACH = 1000 + ITEMS[0].nbytes  # what one item takes: on the way, and itself


@pytest.mark.parametrize(
    ("free", "spare", "limit", "expected"),
    [
        (10 * EACH, 0, None, 7),  # 0.7 of the free memory
        (5 * EACH, 5 * EACH, None, 7),  # what the allocator holds unused counts
        (10 * EACH, 0, 3, 3),
        (10 * EACH, 0, 500, 7),
        (10**9, 0, None, 22),
        (1, 0, None, 1),
    ],
)
def test_free_memory_of_a_gpu_decides(
    monkeypatch: pytest.MonkeyPatch, free: int, spare: int, limit: int | None, expected: int
) -> None:
    assert FILL == 0.7
    gpu, sizes = Gpu(monkeypatch, free + 1, per_item=1000, spare=spare), []
    batches = Batches(torch.device("cuda"), Work(), limit)
    found = through(batches, gpu.compute(sizes), unit=1)
    assert_each(found)
    assert sizes[0] == 1  # computed alone, and measured
    assert max(sizes) == expected
    assert batches.peak == gpu.held + 1000 * max(sizes)


def test_each_stage_and_shape_has_a_size_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, sizes = Gpu(monkeypatch, 10 * EACH + 1, per_item=1000), []
    batches = Batches(torch.device("cuda"), Work())
    through(batches, gpu.compute(sizes), unit=1)
    gpu.per_item, gpu.free = 4000, 6 * (4000 + ITEMS[0].nbytes)
    sizes.clear()
    batches.map("other", 23, lambda part: ITEMS[part], gpu.compute(sizes), unit=1)
    assert max(sizes) == 4
    sizes.clear()
    batches.map("stage", 23, lambda part: ITEMS[part][..., :8], gpu.compute(sizes), unit=1)
    assert sizes[0] == 1
    sizes.clear()
    through(batches, gpu.compute(sizes), unit=1)  # known: no item alone again
    assert sizes == [7, 7, 7, 2]


@pytest.mark.parametrize("limit", [None, 20])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
def test_out_of_memory_halves_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, most: int, limit: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    gpu, sizes, work = Gpu(monkeypatch, 10**6, per_item=1000), [], Work()
    batches = Batches(torch.device("cuda"), work, limit)
    assert_each(through(batches, gpu.compute(sizes, most), unit=1))
    fitting = [size for size in sizes if size <= most]
    assert sum(fitting) == 1 + 23  # the first is run once more, to be counted
    assert work.batches["stage"] == max(fitting)
    assert work.multiply_adds == 23 * 6 * 6 * 4 * 5  # what did not fit is not counted
    assert gpu.emptied == len(sizes) - len(fitting) > 0
    assert "stage: out of memory" in caplog.text
    # What was learned stays: the next call asks for no more.
    sizes.clear()
    assert_each(through(batches, gpu.compute(sizes, most), unit=1))
    assert max(sizes) <= most


def test_out_of_memory_keeps_units(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, sizes = Gpu(monkeypatch, 10**6, per_item=1000), []
    assert_each(through(Batches(torch.device("cuda"), Work()), gpu.compute(sizes, most=7), unit=3))
    assert all(size % 3 == 0 for size in sizes)


def test_out_of_memory_while_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(part: slice) -> Any:
        if part.stop - part.start > 2:
            raise torch.OutOfMemoryError("nothing left")
        return ITEMS[part]

    gpu = Gpu(monkeypatch, 10**6, per_item=1000)
    assert_each(Batches(torch.device("cuda"), Work()).map("stage", 23, load, gpu.compute([]), unit=1))

    def never(part: slice) -> Any:
        raise torch.OutOfMemoryError("nothing left")

    with pytest.raises(InputError, match=r"does not suffice for 4 item\(s\) at once \(nothing left\)"):
        Batches(torch.device("cuda"), Work()).map("stage", 23, never, convolution)


def test_a_gpu_with_too_little_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, 10**6, per_item=1000)
    with pytest.raises(InputError, match=r"memory of cuda does not suffice for 1 item\(s\) at once \(CUDA out of"):
        through(Batches(torch.device("cuda"), Work()), gpu.compute([], most=0), unit=1)


def test_a_limit_set_later_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, sizes = Gpu(monkeypatch, 10**6, per_item=1000), []
    batches = Batches(torch.device("cuda"), Work(), 9)
    through(batches, gpu.compute(sizes), unit=1)
    assert max(sizes) == 9
    for limit, wanted in [(2, 2), (None, 23)]:
        batches.use(limit)
        sizes.clear()
        through(batches, gpu.compute(sizes), unit=1)
        assert max(sizes) == min(wanted, 22)  # the first alone


def test_a_gpu_keeps_units_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, sizes = Gpu(monkeypatch, 21 * EACH + 1, per_item=1000), []
    assert_each(through(Batches(torch.device("cuda"), Work()), gpu.compute(sizes), unit=4))
    assert sizes == [4, 4, 12, 8]  # the first to be counted; 14 would fit; of 19 the last group is filled up
    sizes.clear()
    through(Batches(torch.device("cuda"), Work(), limit=3), gpu.compute(sizes), unit=4)
    assert set(sizes) == {4}  # a unit is the least
