"""What every adapter is put through. Also a script, so that an adapter can be tried in its own environment.

Needs numpy and the library only: ``python adapter_contract.py MODEL IMPLEMENTATION WEIGHTS.json CODES.npy OUT.npz
[OPTIONS.json]``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

GENE = "GENE-NOBODY-KNOWS"


def sequences(length: int, seed: int = 1, count: int | None = None) -> np.ndarray:
    """Codes uint8 [count, length]: 0 all N, 1 without N, 2 the same with an N block in the middle, others random.

    By default 66, more than any batch here; fewer of more than 100 kb, so that long models do not take minutes.
    """
    count = count or (66 if length < 100_000 else 14)
    rng = np.random.default_rng(seed)
    # Base composition differs between sequences, so that any sensible model tells them apart.
    codes = np.stack([rng.choice(4, length, p=rng.dirichlet([4, 4, 4, 4])) for _ in range(count)]).astype(np.uint8)
    codes[0] = 4
    codes[2] = codes[1]
    codes[2, length // 4 : 3 * length // 4] = 4
    codes[3, : length // 3] = 4
    return codes


def exercise(
    model: str,
    implementation: str,
    weights: Mapping[str, str],
    codes: np.ndarray,
    options: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, np.ndarray]:
    """Load an adapter, use and misuse it.

    Returns:
        Predictions by what was done, always in the order of ``codes``, and ``refused``: one sentence per misuse,
        empty where nothing was refused.
    """
    from pexbench.errors import InputError
    from pexbench.models import find_model, load_adapter

    card = find_model(model)
    files = {name: Path(path) for name, path in weights.items()}
    adapter = load_adapter(card, implementation, files, options=options)
    given = codes.copy()

    def batches(size: int, order: np.ndarray) -> np.ndarray:
        parts = [adapter.predict(given[order[i : i + size]]) for i in range(0, len(order), size)]
        return np.concatenate(parts)[np.argsort(order)]

    straight, mixed = np.arange(len(codes)), np.random.default_rng(5).permutation(len(codes))
    results = {
        "by_1": batches(1, straight),
        "by_3": batches(3, straight),
        "by_64": batches(64, straight),
        "by_3_mixed": batches(3, mixed),
        "by_64_mixed": batches(64, mixed),
        "again": batches(64, straight),
        "gene": adapter.predict_gene(GENE, given[:4]),
        "loaded_again": load_adapter(card, implementation, files, options=options).predict(given[:4]),
        "not_contiguous": adapter.predict(np.asfortranarray(given[:4])),
        "backwards_view": adapter.predict(codes[:1][::-1]),
        "empty": adapter.predict(given[:0]),
        "empty_gene": adapter.predict_gene(GENE, given[:0]),
        "codes_after": given,
    }
    five = given[:2].copy()
    five[1, 7] = 5
    misuses = {
        "short": lambda: adapter.predict(given[:2, :-1]),
        "long": lambda: adapter.predict(np.concatenate([given[:2], given[:2, :1]], axis=1)),
        "one axis": lambda: adapter.predict(given[0]),
        "int64": lambda: adapter.predict(given[:2].astype(np.int64)),
        "list": lambda: adapter.predict(given[:2].tolist()),
        "value 5": lambda: adapter.predict(five),
        "gene, short": lambda: adapter.predict_gene(GENE, given[:2, :-1]),
        "option": lambda: load_adapter(card, implementation, files, options={**options, "no_such_option": 1}),
        "no weights": lambda: load_adapter(card, implementation, {}) if files else adapter.predict(five),
    }
    refused = {}
    for name, misuse in misuses.items():
        try:
            misuse()
            refused[name] = ""
        except InputError as error:
            refused[name] = str(error)
    return {**results, "refused": np.array(json.dumps(refused))}


if __name__ == "__main__":
    name, implementation, weights, codes, out, *more = sys.argv[1:]
    options = json.loads(Path(more[0]).read_text()) if more else {}
    loaded = np.load(codes, allow_pickle=False)
    made = exercise(name, implementation, json.loads(Path(weights).read_text()), loaded, options)
    np.savez(out, **made)
