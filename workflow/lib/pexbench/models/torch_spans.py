"""Networks taken apart: any span of a part's output from the span of the input that it takes.

Values lie as [N, channels, positions]. A step is asked for a span of its output, half-open, in positions of the whole
output; it says which span of its input that takes, and puts zeros only where the whole input ends. So a part comes out
as it would in the whole (in exact arithmetic; float32 sums may be taken in another order).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pexbench.incremental import Pieces, Rows, Sequences
from pexbench.models.torch_batches import Batches

Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """Positions ``start`` and after of an array that has ``whole`` of them."""

    values: Tensor
    start: int
    whole: int

    def part(self, span: Span) -> Tensor:
        """Some of the positions."""
        first, last = span[0] - self.start, span[1] - self.start
        if not 0 <= first <= last <= self.values.shape[-1]:
            raise ValueError(f"{span} asked of {self.start} to {self.start + self.values.shape[-1]}")
        return self.values[..., first:last]


class Step(Protocol):
    """A part of a network that maps positions to positions."""

    def length(self, whole: int) -> int:
        """Positions of the whole output for an input of ``whole`` positions."""

    def needs(self, span: Span, whole: int) -> Span:
        """The span of the input that a span of the output takes; ``whole`` counts the input's positions."""

    def __call__(self, piece: Piece, span: Span) -> Piece:
        """The span of the output, from a piece of the input that holds what it takes."""


class Stack:
    """Steps one after the other, a step themselves."""

    def __init__(self, steps: Sequence[Step]) -> None:
        """Keep the steps."""
        self.steps = tuple(steps)

    def length(self, whole: int) -> int:
        """See :class:`Step`."""
        return self._wholes(whole)[-1]

    def needs(self, span: Span, whole: int) -> Span:
        """See :class:`Step`."""
        return self._spans(span, whole)[0]

    def __call__(self, piece: Piece, span: Span) -> Piece:
        """See :class:`Step`."""
        for step, part in zip(self.steps, self._spans(span, piece.whole)[1:], strict=True):
            piece = step(piece, part)
        return piece

    def _wholes(self, whole: int) -> list[int]:
        """Positions before the first step and after each."""
        wholes = [whole]
        for step in self.steps:
            wholes.append(step.length(wholes[-1]))
        return wholes

    def _spans(self, span: Span, whole: int) -> list[Span]:
        """Spans before the first step and after each."""
        spans = [span]
        for step, before in zip(self.steps[::-1], self._wholes(whole)[-2::-1], strict=True):
            spans.append(step.needs(spans[-1], before))
        return spans[::-1]


@dataclass(frozen=True)
class Stage:
    """A stretch of a network whose output is computed once per distinct chunk.

    Attributes:
        name: for the ledger of work.
        step: what it computes.
        chunk: positions of its output that are one chunk; 0 makes all that is wanted one chunk, as a stage with a crop
            needs: behind a crop the stage's input does not tell where zeros belong.
    """

    name: str
    step: Step
    chunk: int


@dataclass(frozen=True)
class _Chunk:
    """A stretch of a stage's output, the input it takes, and its distinct pieces."""

    span: Span
    needs: Span
    pieces: Pieces


class Shared:
    """Output of a stage for all sequences, each distinct piece held once.

    Attributes:
        span: the positions that are there.
    """

    def __init__(self, span: Span, chunk: int, tables: list[Tensor], where: list[tuple[int, Tensor]]) -> None:
        """Keep the pieces.

        Args:
            span: positions that are there.
            chunk: positions per chunk; chunks begin at multiples of it.
            tables: pieces [D, channels, positions]; chunks of one shape lie in one table.
            where: for each chunk its table and, int64 [N], the row of each sequence's piece.
        """
        self.span, self._chunk, self._tables, self._where = span, chunk, tables, where

    def part(self, rows: Rows, span: Span) -> Tensor:
        """A span of some sequences' output: rows int64 [n] to [n, channels, span]."""
        first = self.span[0] // self._chunk * self._chunk
        chosen = torch.from_numpy(rows)
        parts = []
        for number in range((span[0] - first) // self._chunk, -(-(span[1] - first) // self._chunk)):
            table, places = self._where[number]
            values = self._tables[table][places[chosen].to(self._tables[table].device)]
            start = max(first + number * self._chunk, self.span[0])
            parts.append(values[..., max(span[0] - start, 0) : span[1] - start])
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]

    def single(self) -> tuple[Tensor, Rows]:
        """The pieces [D, channels, positions] of an output that is one chunk, and each sequence's piece, int64 [N]."""
        ((table, places),) = self._where
        return self._tables[table], places.numpy()


def share(
    sequences: Sequences,
    letters: Callable[[Tensor, Span, int], Piece],
    stages: Sequence[Stage],
    span: Span,
    batches: Batches,
    done: Shared | None = None,
) -> Shared:
    """Run a network over sequences, stage by stage, each distinct piece once.

    A stage's output is cut at multiples of its chunk. What a chunk depends on is followed down to the bases; sequences
    that are alike there share it. Exact: a piece is computed from its own input with the same operations as in a pass
    over the whole sequence.

    Args:
        sequences: N sequences.
        letters: gives the network's input for codes uint8 [n, bases], their span, and the sequences' length.
        stages: the network, from the bases on.
        span: positions of the last stage's output that are wanted.
        batches: computes pieces of one shape, some at a time.
        done: output of the first stage, if it is there already.

    Returns:
        The last stage's output.
    """
    wholes = [sequences.length]
    for stage in stages:
        wholes.append(stage.step.length(wholes[-1]))
    spans = [span]
    for stage, whole in zip(stages[:0:-1], wholes[-2:0:-1], strict=True):
        spans.append(stage.step.needs(spans[-1], whole))
    made = done
    for number, (stage, wanted) in enumerate(zip(stages, spans[::-1], strict=True)):
        if number == 0 and done is not None:
            continue
        chunk = stage.chunk or wanted[1]
        chunks = []
        for begin in range(wanted[0] // chunk * chunk, wanted[1], chunk):
            part = max(begin, wanted[0]), min(begin + chunk, wanted[1])
            needs = bases = stage.step.needs(part, wholes[number])
            for below in range(number - 1, -1, -1):
                bases = stages[below].step.needs(bases, wholes[below])
            chunks.append(_Chunk(part, needs, sequences.pieces(*bases)))
            batches.work.share(stage.name, len(chunks[-1].pieces), len(sequences))
        made = _computed(sequences, letters, stage, chunks, made, wanted, chunk, wholes[number], batches)
    assert made is not None  # noqa: S101 there is at least one stage
    return made


def _computed(
    sequences: Sequences,
    letters: Callable[[Tensor, Span, int], Piece],
    stage: Stage,
    chunks: list[_Chunk],
    before: Shared | None,
    wanted: Span,
    chunk: int,
    whole: int,
    batches: Batches,
) -> Shared:
    """One stage: chunks that differ in nothing but their place are computed together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, one in enumerate(chunks):
        (start, stop), (first, last) = one.span, one.needs
        at_end = first == 0 or last == whole
        groups.setdefault((stop - start, last - first, start if at_end else -1), []).append(number)
    tables: list[Tensor] = []
    where: dict[int, tuple[int, Tensor]] = {}
    for members in groups.values():
        model = chunks[members[0]]
        items = [(number, int(row)) for number in members for row in chunks[number].pieces.rows]

        def load(part: slice, items: list[tuple[int, int]] = items) -> Tensor:
            by_chunk: dict[int, list[int]] = {}
            for number, row in items[part]:
                by_chunk.setdefault(number, []).append(row)
            if before is None:
                codes = [sequences.codes(np.array(rows), *chunks[number].needs) for number, rows in by_chunk.items()]
                return torch.from_numpy(np.concatenate(codes))
            values = [before.part(np.array(rows), chunks[number].needs) for number, rows in by_chunk.items()]
            return torch.cat(values) if len(values) > 1 else values[0]

        def compute(given: Tensor, model: _Chunk = model) -> Tensor:
            piece = letters(given, model.needs, whole) if before is None else Piece(given, model.needs[0], whole)
            return stage.step(piece, model.span).values

        tables.append(batches.map(stage.name, len(items), load, compute))
        offset = 0
        for number in members:
            where[number] = len(tables) - 1, torch.from_numpy(chunks[number].pieces.number + offset)
            offset += len(chunks[number].pieces)
    return Shared(wanted, chunk, tables, [where[number] for number in range(len(chunks))])
