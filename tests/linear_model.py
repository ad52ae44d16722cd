"""A model from outside the package that adds up a number for each letter at each place: its effects are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from outside_card import network_of, outside_card
from pexbench.models import find_model, load_adapter

ADAPTER = '''
import numpy as np

from pexbench.models.base import Adapter


class Model(Adapter):
    """A table [length, 5], for A, C, G, T, N."""

    def __init__(self, card, weights, **settings):
        super().__init__(card, weights, **settings)
        self.table = np.load(self.weights_file("table"))

    def forward(self, codes):
        return self.table[np.arange(codes.shape[1]), codes].sum(axis=1).astype(np.float32)

    def input_gradient(self, gene_id, codes):
        return np.repeat(self.table[None, :, :4], len(codes), axis=0).astype(np.float32)
'''


def adapter(folder: Path, table: np.ndarray, plus: int, minus: int) -> Any:
    """The model of a table float64 [length, 5], with the index of the TSS for either strand."""
    model = folder / "linear"
    model.mkdir(parents=True)
    (model / "card.yaml").write_text(
        outside_card("linear", length=len(table), plus=plus, minus=minus, **network_of("table.npy"))
    )
    (model / "adapter.py").write_text(ADAPTER)
    np.save(model / "table.npy", table)
    return load_adapter(find_model(str(model)), None, {"table": model / "table.npy"})
