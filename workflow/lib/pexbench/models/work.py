"""What a model has computed: how many pieces of how many, how many multiply-adds. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Work:
    """A ledger that adapters write to while they predict.

    Attributes:
        pieces: by stage of the model, distinct pieces computed and pieces that all sequences have together.
        multiply_adds: multiplications with addition in convolutions and matrix products; 0 where nobody counts.
        batches: by stage, the largest number of pieces computed at once.
    """

    pieces: dict[str, tuple[int, int]] = field(default_factory=dict)
    multiply_adds: int = 0
    batches: dict[str, int] = field(default_factory=dict)

    def share(self, stage: str, distinct: int, total: int) -> None:
        """Note that ``distinct`` pieces stood for ``total``."""
        before = self.pieces.get(stage, (0, 0))
        self.pieces[stage] = (before[0] + distinct, before[1] + total)

    def batch(self, stage: str, size: int) -> None:
        """Note how many pieces were computed at once."""
        self.batches[stage] = max(self.batches.get(stage, 0), size)
