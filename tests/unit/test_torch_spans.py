"""Networks taken apart into spans: a part is what the whole pass gives there, and the margins are what outputs see."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import basenji2_file
import enformer_file
import expecto_file
from pexbench.incremental import Sequences, from_letters
from pexbench.models import find_model, load_adapter
from pexbench.models.work import Work

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")

from pexbench.models.enformer import spans as enformer_spans  # noqa: E402
from pexbench.models.expecto import spans as expecto_spans  # noqa: E402
from pexbench.models.torch_batches import Batches  # noqa: E402
from pexbench.models.torch_spans import Piece, Shared, Stack, Stage, share  # noqa: E402

#: Of the largest value: the plain pass folds no batch norm and sums in another order.
ROUNDING = 2e-6


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@dataclasses.dataclass
class Net:
    """A network both ways: as steps, and the plain pass over whole sequences, uint8 [N, L] to [N, channels, L']."""

    step: Any
    letters: Callable[[Any, tuple[int, int], int], Piece]
    plain: Callable[[np.ndarray], np.ndarray]
    length: int


def basenji2(folder: Path, length: int = 512, params: dict[str, Any] | None = None) -> Net:
    params = params or basenji2_file.tiny(length)
    card = find_model("basenji2")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=length))
    files = basenji2_file.files(folder, params)
    network = load_adapter(card, "torch", files, options={"track": 3, "bins": 2}).network
    arrays = basenji2_file.weights(params, 4)
    values = [torch.from_numpy(array.copy()) for array in arrays.values()]

    def plain(codes: np.ndarray) -> np.ndarray:
        """Layer by layer over whole sequences, padded by PyTorch itself, without the head."""
        left = iter(values)
        x = before = torch.from_numpy((codes[:, None] == np.arange(4)[:, None]).astype(np.float32))
        for kind, width, _, _, dilation, then in basenji2_file.layers(params)[:-1]:
            if kind == "crop":
                x = x[..., width:-width]
                continue
            if then == "keep":
                before = x
            kernel, gamma, beta, mean, variance = (next(left) for _ in range(5))
            y = x * torch.sigmoid(1.702 * x)
            y = torch.nn.functional.conv1d(y, kernel.permute(2, 1, 0), dilation=dilation, padding=width // 2 * dilation)
            y = torch.nn.functional.batch_norm(y, mean, variance, gamma, beta, eps=0.001)
            if then == "add":
                y = y + before
            elif then.startswith("pool"):
                y = torch.nn.functional.max_pool1d(y, int(then.split()[1]))
            x = y
        return x.numpy()

    return Net(Stack([*network.tower.steps, *network.body.steps]), network.letters, plain, length)


def enformer(folder: Path, sizes: enformer_file.Sizes = enformer_file.TINY, length: int = 160) -> Net:
    file = enformer_file.write(folder / "network.bin", enformer_file.parameters(sizes, seed=2))
    bins = length >> len(sizes.channels)
    made = enformer_file.adapter(file, length, track=0, crop=0, bins=min(bins, 4))
    trunk = made.network.trunk

    def plain(codes: np.ndarray) -> np.ndarray:
        return trunk(torch.from_numpy((codes[:, None] == np.arange(4)[:, None]).astype(np.float32))).numpy()

    return Net(enformer_spans.trunk_steps(trunk), made._letters, plain, length)


def beluga(folder: Path, offset: int = 0, length: int = 300) -> Net:
    """On the grid that begins at ``offset``: the plain pass is that of the sequence without the bases before it."""
    made = expecto_file.load(expecto_file.files(folder))
    shared, ways = expecto_spans.trunk_steps(made.network, [0, offset])
    step = Stack([*shared.steps, *ways[offset].steps])

    def plain(codes: np.ndarray) -> np.ndarray:
        letters = (codes[:, None, offset:] == np.array([0, 2, 1, 3])[:, None]).astype(np.float32)
        return made.network.trunk(torch.from_numpy(np.ascontiguousarray(letters))).numpy()

    return Net(step, made._letters, plain, length)


NETS = {
    "basenji2": basenji2,
    "enformer": enformer,
    "beluga": beluga,
    "beluga, another grid": lambda folder: beluga(folder, offset=8),
}


@pytest.fixture(params=list(NETS))
def net(request: pytest.FixtureRequest, tmp_path: Path) -> Net:
    return NETS[request.param](tmp_path)


def haplotypes(length: int, seed: int = 1, others: bool = True) -> Sequences:
    """Variants at both ends, in pairs and inside; a block of N; two moved by a base as insertions do."""
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, 4, length).astype(np.uint8)
    reference[length // 3 : length // 3 + 9] = 4
    positions = np.unique([0, 1, length // 5, length // 2, length // 2 + 1, length - 2, length - 1])
    letters = np.tile(reference[positions], (len(positions) + 1, 1))
    for row, place in enumerate(range(len(positions))):
        letters[row, place] = (letters[row, place] + 1) % 5
    letters[-1] = (letters[-1] + 2) % 4
    moved = np.stack([np.roll(reference, 1), np.roll(reference, -1)])
    return from_letters(reference, positions, letters, moved if others else moved[:0])[0]


def together(net: Net, stages: list[Stage], span: tuple[int, int], sequences: Sequences, work: Work) -> np.ndarray:
    made = share(sequences, net.letters, stages, span, Batches(torch.device("cpu"), work))
    return made.part(np.arange(len(sequences)), span).numpy()


def test_every_chunk_size_gives_the_plain_pass(net: Net) -> None:
    sequences = haplotypes(net.length)
    whole = net.plain(sequences.codes(np.arange(len(sequences))))
    total = net.step.length(net.length)
    assert whole.shape[-1] == total
    for chunk in [*range(1, min(total, 16) + 1), total - 1, total, total + 5, 0]:
        found = together(net, [Stage("all", net.step, chunk)], (0, total), sequences, Work())
        np.testing.assert_allclose(found, whole, rtol=0, atol=ROUNDING * np.abs(whole).max(), err_msg=str(chunk))


def test_every_cut_into_stages_gives_the_plain_pass(net: Net) -> None:
    """Also where the last stage's span is a part only, and chunks of different stages do not fit each other."""
    sequences = haplotypes(net.length, seed=2)
    whole = net.plain(sequences.codes(np.arange(len(sequences))))
    total, steps = net.step.length(net.length), net.step.steps
    for cut in range(1, len(steps)):
        stages = [Stage("first", Stack(steps[:cut]), 5), Stage("second", Stack(steps[cut:]), 3)]
        # Behind a crop zeros lie where the input does not end; models compute such a stretch as one chunk.
        if any("Crop" in type(step).__name__ for step in steps[cut:]):
            stages[1] = dataclasses.replace(stages[1], chunk=0)
        for span in [(0, total), (0, 1), (total - 1, total), (total // 2 - 1, total // 2 + 2)]:
            found = together(net, stages, span, sequences, Work())
            wanted = whole[..., slice(*span)]
            np.testing.assert_allclose(
                found, wanted, rtol=0, atol=ROUNDING * np.abs(whole).max(), err_msg=f"{cut} {span}"
            )


def test_a_stage_that_is_done_is_used_again(net: Net) -> None:
    sequences, steps = haplotypes(net.length), net.step.steps
    whole = net.plain(sequences.codes(np.arange(len(sequences))))
    first, second = Stage("first", Stack(steps[:2]), 4), Stage("second", Stack(steps[2:]), 0)
    work = Work()
    batches = Batches(torch.device("cpu"), work)
    done = share(sequences, net.letters, [first], (0, first.step.length(net.length)), batches)
    before = work.pieces["first"]
    total = net.step.length(net.length)
    for span in [(0, total), (1, 2)]:
        made = share(sequences, net.letters, [first, second], span, batches, done)
        found = made.part(np.arange(len(sequences)), span).numpy()
        np.testing.assert_allclose(found, whole[..., slice(*span)], rtol=0, atol=ROUNDING * np.abs(whole).max())
    assert work.pieces["first"] == before


def test_only_distinct_pieces_are_computed(net: Net) -> None:
    """The ledger against a count over the bases that each chunk sees, in full sequences."""
    sequences = haplotypes(net.length)
    full = sequences.codes(np.arange(len(sequences)))
    total, work = net.step.length(net.length), Work()
    together(net, [Stage("all", net.step, 2)], (0, total), sequences, work)
    distinct = 0
    for start in range(0, total, 2):
        first, last = net.step.needs((start, min(start + 2, total)), net.length)
        distinct += len({row[first:last].tobytes() for row in full})
    assert work.pieces["all"] == (distinct, len(range(0, total, 2)) * len(full))


def test_a_span_that_is_not_there_is_refused(net: Net) -> None:
    codes = torch.zeros(1, 10, dtype=torch.uint8)
    piece = net.letters(codes, (5, 15), net.length)
    assert piece.part((6, 9)).shape[-1] == 3
    for span in [(4, 9), (6, 16), (9, 8)]:
        with pytest.raises(ValueError, match="asked of 5 to 15"):
            piece.part(span)


def test_parts_of_a_shared_output() -> None:
    """Chunks of three positions, the first and the last cut short."""
    whole = torch.arange(2 * 8, dtype=torch.float32).reshape(2, 1, 8)
    span, bounds = (2, 10), [(2, 3), (3, 6), (6, 9), (9, 10)]
    tables = [whole[..., start - 2 : stop - 2] for start, stop in bounds]
    made = Shared(span, 3, tables, [(number, torch.tensor([1, 0])) for number in range(4)])
    for start in range(2, 10):
        for stop in range(start + 1, 11):
            found = made.part(np.array([1, 0, 0]), (start, stop))
            assert torch.equal(found, whole[[0, 1, 1], :, start - 2 : stop - 2]), (start, stop)


def check_margin(net: Net, span: tuple[int, int], tries: int = 40) -> None:
    """A base within what a span needs changes it in some sequence, where a pool does not hide it; none beyond does."""
    first, last = net.step.needs(span, net.length)
    rng = np.random.default_rng(7)

    def changes(place: int, count: int) -> bool:
        codes = rng.integers(0, 4, (count, net.length)).astype(np.uint8)
        changed = codes.copy()
        changed[:, place] = (codes[:, place] + rng.integers(1, 4, count)) % 4
        before, after = (net.plain(x)[..., slice(*span)] for x in (codes, changed))
        return not np.array_equal(before, after)

    for place in {first, last - 1}:
        assert any(changes(place, 8) for _ in range(tries)), f"{span} does not see its first or last base {place}"
    for place in {first - 1, last, first - 2, last + 1, 0, net.length - 1}:
        if 0 <= place < net.length and not first <= place < last:
            assert not changes(place, 16), f"{span} sees base {place}, beyond {first} to {last}"


def test_margins_are_what_the_plain_pass_sees(net: Net) -> None:
    total = net.step.length(net.length)
    for span in [(0, 1), (0, 2), (total // 2, total // 2 + 1), (total // 2 - 1, total // 2 + 2), (total - 1, total)]:
        check_margin(net, span)


def test_margins_of_each_basenji2_stage(tmp_path: Path) -> None:
    """The tower alone, and the tower with each residual block, as the model shares them."""
    net = basenji2(tmp_path)
    params, steps = basenji2_file.tiny(), net.step.steps
    tower = sum(type(step).__name__ == "_Convolution" for step in steps[:3])
    for blocks in range(3):
        shorter = copy.deepcopy(params)
        shorter["model"]["trunk"] = [*params["model"]["trunk"][:2], {**params["model"]["trunk"][2], "repeat": blocks}]
        if not blocks:
            del shorter["model"]["trunk"][2]
        folder = tmp_path / str(blocks)
        folder.mkdir()
        shorter["model"]["target_length"] = 512 // 8
        part = basenji2(folder, params=shorter)
        assert len(part.step.steps) == tower + blocks
        for span in [(0, 1), (20, 22), (63, 64)]:
            check_margin(part, span)


def test_enformer_published_widths_see_259_bp_beyond_a_chunk(tmp_path: Path) -> None:
    """The published kernels and number of stages, few channels."""
    sizes = dataclasses.replace(enformer_file.SMALL, tracks=1)
    net = enformer(tmp_path, sizes, 40 * 128)
    assert net.step.needs((16, 24), net.length) == (16 * 128 - 259, 24 * 128 + 259)
    assert net.step.needs((0, 8), net.length) == (0, 1024 + 259)
    assert net.step.needs((32, 40), net.length) == (32 * 128 - 259, 40 * 128)
    check_margin(net, (16, 24))


def test_basenji2_published_widths_see_56_kb_around_ten_bins(tmp_path: Path) -> None:
    params = copy.deepcopy(basenji2_file.SMALL)
    params["model"]["trunk"][2]["repeat"] = 11
    network = load_adapter(find_model("basenji2"), "torch", basenji2_file.files(tmp_path, params)).network
    step = Stack([*network.tower.steps, *network.body.steps])
    first, last = step.needs((443, 453), 131072)
    assert (last - first, first + last) == (56_070, 131_072)
    stages = network.stages(slice(0, 1))
    assert [stage.name for stage in stages] == ["tower", *(f"block {i}" for i in range(1, 11)), "window"]
    span: tuple[int, int] = (443, 453)
    for stage in stages[:0:-1]:
        span = stage.step.needs(span, 1024)
    assert network.tower.needs(span, 131072) == (first, last)
    # The tower's own margin: 7 bases of the first kernel, 2 positions of each of six further ones.
    margin = 7 + 2 * sum(2**i for i in range(1, 7))
    assert network.tower.needs((8, 16), 131072) == (1024 - margin, 2048 + margin)


def test_beluga_published_widths(tmp_path: Path) -> None:
    """One position of the trunk's output sees 133 bases: kernels of 8, two each before, between and after the pools."""
    sizes = tuple((place, 3, width) for place, _, width in expecto_file.PUBLISHED)
    arrays = expecto_file.parameters(expecto_file.shapes(sizes), 1)
    booster = tmp_path / expecto_file.BOOSTER
    booster.write_bytes(expecto_file.booster_bytes(expecto_file.booster_weights(10, 2), bias=0))
    beluga_file = expecto_file.write_beluga(tmp_path / expecto_file.BELUGA, arrays)
    network = expecto_file.load({"beluga": beluga_file, "booster": booster}).network
    shared, ways = expecto_spans.trunk_steps(network, [0, 8])
    assert expecto_spans.grid(network.architecture) == 16
    for offset, way in ways.items():
        first, last = shared.needs(way.needs((0, 1), 700), 2800)
        # Backwards: 1 + 7 + 7 positions behind the second pool, times 4, + 14, times 4, + 14.
        assert (first, last) == (offset, offset + ((1 + 14) * 4 + 14) * 4 + 14)
