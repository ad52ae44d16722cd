"""The card of a model from outside the package, as tests need it: numpy, no GPU, nothing published."""

from __future__ import annotations

import yaml


def outside_card(name: str, *, length: int, plus: int, minus: int, **changes: object) -> str:
    """Text of card.yaml.

    Args:
        name: name of the model.
        length: bp of its window.
        plus: 0-based index of the TSS in the window of a gene on ``+``.
        minus: the same on ``-``.
        **changes: further keys of the card, or other values.
    """
    card: dict[str, object] = {
        "name": name,
        "title": name,
        "description": "A test model from outside the package.",
        "citation": "none",
        "doi": "",
        "licence": "MIT",
        "input": {
            "length": length,
            "tss_index_plus": plus,
            "tss_index_minus": minus,
            "strand": "oriented",
            "alphabet": "ACGT",
            "unknown": "zero",
        },
        "output": {"description": "a number", "unit": "none", "scale": "linear"},
        "implementations": {"numpy": {"environment": "base", "module": "adapter"}},
        "default_implementation": "numpy",
        "batch_size": 16,
        "memory_mb": 500,
        "gpu": "none",
        "trained": False,
        "tolerance": 1e-6,
    }
    strand = changes.pop("strand", None)
    if strand is not None:
        card["input"] = {**card["input"], "strand": strand}  # type: ignore[dict-item]
    return yaml.safe_dump(card | changes, sort_keys=False)


def network_of(file: str) -> dict[str, object]:
    """Keys of a card whose one network is one file."""
    return {
        "networks": {"known": {"description": "known", "weights": {"table": file}}},
        "default_network": "known",
    }
