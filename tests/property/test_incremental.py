"""Sequences kept as letters at the sites that vary, against the same operations on full arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pexbench.incremental import Pieces, Sequences, from_letters

EMPTY = 5  # what models call a position that a shift left empty


class Case(NamedTuple):
    """What from_letters is given."""

    reference: np.ndarray
    positions: np.ndarray
    letters: np.ndarray
    others: np.ndarray

    def full(self) -> np.ndarray:
        """All sequences written out, one base after the other."""
        rows = []
        for own in self.letters.tolist():
            row = self.reference.tolist()
            for position, letter in zip(self.positions.tolist(), own, strict=True):
                row[position] = letter
            rows.append(row)
        rows += self.others.tolist()
        return np.array(rows, np.uint8).reshape(-1, len(self.reference))


def made(reference: list[int], positions: list[int], letters: list[list[int]], others: list[list[int]]) -> Case:
    return Case(
        np.array(reference, np.uint8),
        np.array(positions, np.int64),
        np.array(letters, np.uint8).reshape(len(letters), len(positions)),
        np.array(others, np.uint8).reshape(len(others), len(reference)),
    )


@st.composite
def case(draw: st.DrawFn) -> Case:
    """Few letters and short sequences, so that many are alike, whether kept by their letters or whole."""
    base = st.sampled_from(draw(st.sampled_from([[4], [0, 3], [0, 1, 2, 3, 4]])))
    length = draw(st.integers(1, 12))
    reference = draw(st.lists(base, min_size=length, max_size=length))
    positions = sorted(draw(st.sets(st.integers(0, length - 1), max_size=5)))
    row = st.lists(base, min_size=len(positions), max_size=len(positions))
    letters = draw(st.lists(row, max_size=7))
    whole = st.lists(base, min_size=length, max_size=length)
    given = made(reference, positions, letters, draw(st.lists(whole, max_size=3)))
    # Some kept whole are equal to one kept by its letters, at every base or but for the first or last.
    more = []
    for source, change in draw(
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "first", "last"])), max_size=3)
    ):
        full = np.concatenate([given.reference[None], given.full()])
        copy = full[source % len(full)].copy()
        if change:
            copy[0 if change == "first" else -1] = draw(base)
        more.append(copy)
    return given._replace(others=np.array([*given.others, *more], np.uint8).reshape(-1, length))


EDGES = {
    "no positions": made([0, 1, 2], [], [[], []], []),
    "no positions and whole ones": made([0, 1, 2], [], [[], []], [[0, 1, 2], [0, 1, 3], [0, 1, 3]]),
    "nobody": made([0, 1, 2], [1], [], []),
    "only whole ones": made([0, 1, 2], [], [], [[3, 3, 3], [0, 1, 2]]),
    "all N": made([4, 4, 4], [0, 2], [[4, 4], [4, 4]], [[4, 4, 4]]),
    "first and last base": made([0, 1, 2], [0, 2], [[3, 2], [0, 3], [3, 3], [3, 2]], [[3, 1, 2], [0, 1, 3]]),
    "one base": made([0], [0], [[1], [0], [1]], [[1], [2]]),
    "a position at which nobody differs": made([0, 1, 2, 3], [1, 2], [[1, 0], [1, 2]], []),
}


def all_edges(test):
    for given_case in EDGES.values():
        test = example(given_case)(test)
    return settings(max_examples=60, deadline=None)(test)


def check_pieces(found: Pieces, slices: np.ndarray) -> None:
    """One number per distinct slice, and for each number a sequence that has it."""
    texts = [row.tobytes() for row in slices]
    assert len(found) == len(set(texts)) == len(found.rows)
    assert found.number.shape == (len(texts),)
    assert found.rows.dtype.kind == found.number.dtype.kind == "i"
    numbers = found.number.tolist()
    for one in range(len(texts)):
        assert 0 <= numbers[one] < len(found)
        assert texts[found.rows[numbers[one]]] == texts[one]
        for other in range(one):
            assert (numbers[one] == numbers[other]) == (texts[one] == texts[other])
    assert [numbers[row] for row in found.rows.tolist()] == list(range(len(found)))


def kept(given_case: Case) -> Sequences:
    """As they are given, repeats included."""
    return Sequences(*given_case)


def equal(found: Sequences, wanted: np.ndarray) -> None:
    """Same sequences, wherever one looks."""
    count, length = wanted.shape
    rows = np.arange(count)
    assert (len(found), found.length) == (count, length)
    assert found.codes(rows).dtype == np.uint8
    assert np.array_equal(found.codes(rows), wanted)
    if length:
        check_pieces(found.pieces(), wanted)
    assert (np.diff(found.positions) > 0).all()


@all_edges
@given(case())
def test_codes_are_the_full_sequences(given_case: Case) -> None:
    sequences, full = kept(given_case), given_case.full()
    count, length = full.shape
    for rows in (np.arange(count), np.arange(count)[::-1], np.repeat(np.arange(count), 2), np.arange(0)):
        for start in range(length):
            for end in range(start, length + 1):
                assert np.array_equal(sequences.codes(rows, start, end), full[rows, start:end])
        assert np.array_equal(sequences.codes(rows), full[rows])
        assert np.array_equal(sequences.codes(rows, length // 2), full[rows, length // 2 :])


@all_edges
@given(case())
def test_pieces_are_alike_where_the_bytes_are(given_case: Case) -> None:
    sequences, full = kept(given_case), given_case.full()
    for start in range(full.shape[1]):
        for end in range(start + 1, full.shape[1] + 1):
            check_pieces(sequences.pieces(start, end), full[:, start:end])
    check_pieces(sequences.pieces(), full)


@all_edges
@given(case())
def test_the_number_of_pieces_never_depends_on_how_sequences_are_kept(given_case: Case) -> None:
    sequences, whole = kept(given_case), Sequences.whole(given_case.full())
    for start in range(given_case.full().shape[1]):
        assert np.array_equal(sequences.pieces(start).number, whole.pieces(start).number)


@settings(max_examples=60, deadline=None)
@given(case(), st.integers(1, 13), st.integers(1, 5))
def test_sliding_visits_every_window_within(given_case: Case, length: int, step: int) -> None:
    sequences, full = kept(given_case), given_case.full()
    starts = []
    for start, found in sequences.sliding(length, step):
        starts.append(start)
        check_pieces(found, full[:, start : start + length])
    assert starts == [start for start in range(0, full.shape[1], step) if start + length <= full.shape[1]]


@settings(max_examples=60, deadline=None)
@given(case(), st.randoms(use_true_random=False))
def test_take_keeps_whole_ones_last(given_case: Case, random) -> None:
    sequences, full = kept(given_case), given_case.full()
    rows = [row for row in range(len(full)) if random.random() < 0.6]
    random.shuffle(rows)
    by_letters = len(given_case.letters)
    order = [row for row in rows if row < by_letters] + [row for row in rows if row >= by_letters]
    equal(sequences.take(np.array(rows, np.int64)), full[order])


@all_edges
@given(case())
def test_cropped(given_case: Case) -> None:
    sequences, full = kept(given_case), given_case.full()
    for start in range(full.shape[1]):
        for end in range(start + 1, full.shape[1] + 1):
            equal(sequences.cropped(start, end), full[:, start:end])


@all_edges
@given(case())
def test_reverse_complement(given_case: Case) -> None:
    sequences, full = kept(given_case), given_case.full()
    opposite = {0: 3, 1: 2, 2: 1, 3: 0, 4: 4, 5: 5}
    wanted = [[opposite[code] for code in row[::-1]] for row in full.tolist()]
    turned = sequences.reverse_complement()
    equal(turned, np.array(wanted, np.uint8).reshape(full.shape))
    equal(turned.reverse_complement(), full)
    assert np.array_equal(turned.reverse_complement().reference, sequences.reference)


@all_edges
@given(case())
def test_shifted(given_case: Case) -> None:
    sequences, full = kept(given_case), given_case.full()
    length = full.shape[1]
    for by in range(1 - length, length):
        wanted = np.full_like(full, EMPTY)
        for place in range(length):
            if 0 <= place - by < length:
                wanted[:, place] = full[:, place - by]
        moved = sequences.shifted(by, EMPTY)
        equal(moved, wanted)
        # The empty positions stay what they are on the other strand.
        assert np.array_equal(
            (moved.reverse_complement().codes(np.arange(len(full))) == EMPTY), wanted[:, ::-1] == EMPTY
        )


@all_edges
@given(case())
def test_from_letters_removes_repeats(given_case: Case) -> None:
    full = given_case.full()
    sequences, rows = from_letters(*given_case)
    every = sequences.codes(np.arange(len(sequences)))
    assert np.array_equal(every[0], given_case.reference)
    assert rows.shape == (len(full),)
    assert np.array_equal(every[rows], full)
    texts = {row.tobytes() for row in every}
    assert len(texts) == len(every)
    assert texts == {given_case.reference.tobytes(), *(row.tobytes() for row in full)}
    # No position is kept at which nobody differs, and nobody's whole sequence is kept in vain.
    by_letters = every[: len(sequences.letters)]
    assert all((by_letters[:, position] != given_case.reference[position]).any() for position in sequences.positions)
    aligned = {given_case.reference.tobytes(), *(row.tobytes() for row in full[: len(given_case.letters)])}
    assert not {row.tobytes() for row in sequences.others} & aligned


@settings(max_examples=40, deadline=None)
@given(case(), st.integers(-11, 11))
def test_operations_follow_each_other(given_case: Case, by: int) -> None:
    """As a model uses them: without repeats, shifted, turned, cropped."""
    sequences, _ = from_letters(*given_case)
    full = sequences.codes(np.arange(len(sequences)))
    length = full.shape[1]
    by = max(min(by, length - 1), 1 - length)
    moved = np.full_like(full, EMPTY)
    moved[:, max(by, 0) : length + min(by, 0)] = full[:, max(-by, 0) : length - max(by, 0)]
    wanted = np.array([3, 2, 1, 0, 4, 5], np.uint8)[moved[:, ::-1]]
    found = sequences.shifted(by, EMPTY).reverse_complement()
    equal(found, wanted)
    middle = length // 3
    equal(found.cropped(middle, length), wanted[:, middle:])
