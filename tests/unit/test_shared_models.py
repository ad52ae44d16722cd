"""What haplotypes share is computed once and gives what each whole sequence gives: three networks, small ones."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import basenji2_file
import enformer_file
import expecto_file
from pexbench.incremental import Sequences, from_letters
from pexbench.models import find_model, load_adapter

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")

#: Of a prediction's size: what check_incremental allows.
ROUNDING = 2e-6


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def haplotypes(length: int, sites: list[list[int]], moved: tuple[int, ...] = (), blocks: tuple[int, ...] = ()) -> Any:
    """One haplotype per list of sites, the reference first; ``moved`` by so many bp; N's at ``blocks``.

    The first is changed at the first sites, and so on; the last carries all of them.
    """
    rng = np.random.default_rng(length)
    reference = rng.integers(0, 4, length).astype(np.uint8)
    for start in blocks:
        reference[start : start + 40] = 4
    positions = np.unique([place % length for own in sites for place in own])
    letters = np.tile(reference[positions], (len(sites) + 1, 1))
    for row, own in enumerate(sites):
        for place in own:
            column = int(np.searchsorted(positions, place % length))
            # N becomes a base and a base may become N.
            letters[row, column] = letters[-1, column] = (reference[place % length] + 1 + row % 3) % 5
    others = np.stack([np.roll(reference, by) for by in moved]) if moved else np.empty((0, length), np.uint8)
    for row, by in enumerate(moved):
        others[row, : max(by, 0)] = 4
    return from_letters(reference, positions, letters, others)[0]


def compare(adapter: Any, sequences: Sequences, rounding: float = ROUNDING) -> None:
    """Both paths agree, far within the spread between haplotypes."""
    rows = np.arange(len(sequences))
    plain = adapter.predict(sequences.codes(rows))
    fast = adapter.predict_haplotypes("G", sequences)
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, plain, rtol=0, atol=rounding * np.abs(plain).max())
    assert plain.std() > 100 * np.abs(fast - plain).max()


# Basenji2: 8 bp bins and 512 bp in the tiny network, chunks of 8 bins, blocks of 32.


def basenji2(folder: Path, length: int, **options: Any) -> Any:
    params = basenji2_file.tiny(length)
    params["model"]["trunk"][2] |= {"repeat": 5}
    card = find_model("basenji2")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=length))
    files = basenji2_file.files(folder, params)
    return load_adapter(card, "torch", files, options={"track": 3, **options})


#: At the ends; at the borders of chunks of 64 and 256 bp; alone, in pairs, many.
SITES = [[0], [-1], [63, 64], [255, 256], [300], [127, 191, 448], [256, 511], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    "options",
    [
        {"bins": 10},
        {"bins": 60},
        {"bins": 1, "shifts": "0"},
        {"bins": 3, "shifts": "3,0,-128"},
        {"bins": 10, "reverse_complement": False},
        {"bins": 60, "reverse_complement": False, "shifts": "-1"},
        {"bins": 60, "shifts": "500,-500"},
    ],
    ids=str,
)
def test_basenji2(tmp_path: Path, options: dict[str, Any]) -> None:
    made = basenji2(tmp_path, 512, **options)
    compare(made, haplotypes(512, SITES, moved=(1, -2), blocks=(230,)))
    compare(made, haplotypes(512, SITES, moved=(7,), blocks=(0, 472)))
    compare(made, haplotypes(512, SITES))


def test_basenji2_shares_what_is_alike(tmp_path: Path) -> None:
    """Variants in one place leave all other chunks of the tower to the reference."""
    made = basenji2(tmp_path, 2048, bins=200, shifts="0", reverse_complement=False)
    sequences = haplotypes(2048, [[1030], [1031], [1032], [1030, 1031]])
    compare(made, sequences)
    computed, total = made.work.pieces["tower"]
    chunks = total // len(sequences)
    assert chunks > 20
    assert computed <= chunks + 2 * (len(sequences) - 1)


def test_basenji2_full_length(tmp_path: Path) -> None:
    """131,072 bp, eleven dilated layers: variants at the ends of what the ten bins see, and beyond."""
    params = copy.deepcopy(basenji2_file.SMALL)
    params["model"]["trunk"][2]["repeat"] = 11
    files = basenji2_file.files(tmp_path, params)
    first, last = (131072 - 56070) // 2, (131072 + 56070) // 2
    sites = [[0, 131071], [first - 1, last], [65536], [64 * 1024, 64 * 1024 - 1], [60000, 70000]]
    made = load_adapter(find_model("basenji2"), "torch", files, options={"shifts": "0"})
    sequences = haplotypes(131072, sites, moved=(2,), blocks=(66000,))
    compare(made, sequences)
    found = made.predict_haplotypes("G", sequences)
    # Beyond what the bins see nothing is computed, so that these are the reference's number to the last bit.
    assert found[1] == found[2] == found[0]
    assert len(set(found.tolist())) == len(found) - 2


# Enformer: 8 bp bins; chunks of 8 bins are 64 bp.


def compare_enformer(adapter: Any, sequences: Sequences) -> None:
    """In float32, whose rounding the attention of a drawn network makes larger; and the same network in float64.

    There both paths agree to what the last step, to float32, leaves.
    """
    compare(adapter, sequences, rounding=20 * ROUNDING)
    letters, network, positions = adapter._letters, adapter.network, adapter.positions
    adapter.network, adapter.positions = copy.deepcopy(network).double(), positions.double()
    adapter._letters = lambda *given: dataclasses.replace(letters(*given), values=letters(*given).values.double())
    compare(adapter, sequences, rounding=2.0**-22)
    adapter._letters, adapter.network, adapter.positions = letters, network, positions


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("length", [160, 256])
def test_enformer(tmp_path: Path, both: bool, length: int) -> None:
    file = enformer_file.write(tmp_path / "net.bin", enformer_file.parameters(enformer_file.TINY, seed=1))
    made = enformer_file.adapter(file, length, reverse_complement=both)
    sites = [[0], [-1], [63, 64], [127, 128], [80], [60, 70, 100], [159, 0]]
    compare_enformer(made, haplotypes(length, sites, moved=(1, -2), blocks=(90,)))
    compare_enformer(made, haplotypes(length, sites, moved=(3,), blocks=(0, length - 40)))
    compare_enformer(made, haplotypes(length, sites))


def test_enformer_shares_the_trunk(tmp_path: Path) -> None:
    """The published widths: a chunk sees 259 bp beyond its 1,024."""
    sizes = dataclasses.replace(enformer_file.SMALL, tracks=7)
    file = enformer_file.write(tmp_path / "net.bin", enformer_file.parameters(sizes, seed=1))
    made = enformer_file.adapter(file, 64 * 128, bins=10)
    sequences = haplotypes(64 * 128, [[1024 + 300], [1024 + 300, 3000], [3000], [2048 - 259], [2048 - 260]], (1,))
    compare_enformer(made, sequences)
    made.work.pieces.clear()
    made.predict_haplotypes("G", sequences)
    # Per chunk: the reference and what differs within 259 bp of it, and the one that is moved.
    wanted = 0
    full = sequences.codes(np.arange(len(sequences)))
    for start in range(0, 64 * 128, 1024):
        wanted += len({row[max(start - 259, 0) : start + 1024 + 259].tobytes() for row in full})
    assert made.work.pieces["trunk"] == (wanted, 8 * len(sequences))


# ExPecto: windows of 2,000 bp every 200 bp, both strands.


@pytest.fixture(scope="module")
def expecto_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return expecto_file.files(tmp_path_factory.mktemp("expecto"))


@pytest.mark.parametrize("length", [2000, 2200, 3200, 4000])
def test_expecto(expecto_files: dict[str, Path], length: int) -> None:
    steps = (length - 2000) // 200
    before = steps // 2 * 200
    card = expecto_file.short_card(length, before + 999, length - 2000 - before + 999)
    made = expecto_file.load(expecto_files, card)
    sites = [[0], [-1], [199, 200], [255, 256, 1023, 1024], [1500], [1999, 2000], [400, 600, 1800]]
    compare(made, haplotypes(length, sites, moved=(1, -2), blocks=(700,)))
    compare(made, haplotypes(length, sites, moved=(3,), blocks=(0, length - 40)))
    compare(made, haplotypes(length, sites))


def test_expecto_as_deep_as_the_published_one(tmp_path: Path) -> None:
    """Two poolings: windows 200 bp apart lie on two grids of 16 bp."""
    sizes = tuple(
        (place, channels, width)
        for (place, _, width), channels in zip(expecto_file.PUBLISHED, (4, 4, 5, 5, 6, 6), strict=True)
    )
    arrays = expecto_file.parameters(expecto_file.shapes(sizes), 5)
    (tmp_path / "booster.save").write_bytes(expecto_file.booster_bytes(expecto_file.booster_weights(10, 2), bias=0.5))
    beluga = expecto_file.write_beluga(tmp_path / "beluga.pth", arrays)
    made = expecto_file.load({"beluga": beluga, "booster": tmp_path / "booster.save"})
    compare(made, haplotypes(3200, [[0], [-1], [1599, 1600], [215, 216], [2400, 800]], moved=(1,), blocks=(1500,)))


def test_expecto_shares_windows(expecto_files: dict[str, Path]) -> None:
    """At base 100 only the window that begins at 0 differs, at 1,600 all seven do."""
    made = expecto_file.load(expecto_files)
    compare(made, haplotypes(3200, [[100], [1600]]))
    # The reference's seven windows; one for the first, seven for the second; the last carries both.
    assert made.work.pieces["window"] == (7 + 1 + 7 + 1, 7 * 4)
