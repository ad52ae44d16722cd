"""What every adapter is put through. Also a script, so that an adapter can be tried in its own environment.

Needs numpy and the library only: ``python adapter_contract.py MODEL IMPLEMENTATION WEIGHTS.json CODES.npy OUT.npz
[OPTIONS.json]``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pexbench.incremental import Sequences
    from pexbench.models.base import Adapter

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


def haplotypes(length: int, seed: int = 3) -> Sequences:
    """Fourteen sequences of one gene: the reference, eleven with letters of their own at few sites, two moved by an indel.

    Sites lie in the middle, next to each other, and at both ends; some are shared, and some letters are N.
    """
    from pexbench.incremental import from_letters

    rng = np.random.default_rng(seed)
    reference = sequences(length, seed, 4)[1]
    middle = length // 2
    near = np.array([-1200, -130, -129, -64, -1, 0, 1, 65, 128, 700])
    near = near[np.abs(near) < middle]  # windows may be short
    positions = np.unique([0, length // 5, *(middle + near), length - length // 5, length - 1])
    others = rng.integers(1, 4, (11, len(positions))) + reference[positions]
    letters = np.where(rng.random((11, len(positions))) < 0.5, others % 4, reference[positions])
    letters[0, len(positions) // 2], letters[10] = 4, others[10] % 4
    moved = np.stack([reference, reference])
    moved[0, middle + 3 :] = reference[middle : length - 3]  # an insertion of three bases behind the middle
    moved[1, : middle - 50] = reference[2 : middle - 48]  # and one of two before it
    found, rows = from_letters(reference, positions, letters.astype(np.uint8), moved)
    assert len(set(rows.tolist())) == len(rows) == len(found) - 1 == 13
    return found


def exercise_haplotypes(adapter: Adapter, given: Sequences) -> dict[str, np.ndarray]:
    """Predict the haplotypes of a gene as the workflow does, in several ways; each row in its place, NaN where left out."""
    from pexbench.incremental import Sequences
    from pexbench.models.base import Adapter

    every, size = np.arange(len(given)), adapter.card.batch_size
    codes = given.codes(every)
    plain = [adapter.predict_gene(GENE, codes[i : i + size]) for i in range(0, len(codes), size)]
    made = {"haplotypes_plain": np.concatenate(plain), "haplotypes": adapter.predict_haplotypes(GENE, given)}
    for name, rows in {"few": np.array([7, 3, 12, 0]), "one": np.array([5])}.items():
        by_letters = rows < len(given.letters)
        filled = np.full(len(given), np.nan, np.float32)
        filled[np.concatenate([rows[by_letters], rows[~by_letters]])] = adapter.predict_haplotypes(
            GENE, given.take(rows)
        )
        made[f"haplotypes_{name}"] = filled
    adapter.use("float32", 3)
    # Known as whole sequences only, and in another order.
    mixed = np.random.default_rng(2).permutation(every)
    made["haplotypes_whole"] = adapter.predict_haplotypes(GENE, Sequences.whole(codes[mixed]))[np.argsort(mixed)]
    adapter.use()
    made["haplotypes_empty"] = adapter.predict_haplotypes(GENE, given.take(every[:0]))
    made["haplotypes_codes_after"] = given.codes(every)
    made["shares"] = np.array(type(adapter).forward_haplotypes is not Adapter.forward_haplotypes)
    return made


def exercise_effects(adapter: Adapter, given: Sequences) -> dict[str, np.ndarray]:
    """Each site's letter alone on the reference, both ways, and the gradient (empty where the model gives none)."""
    from pexbench.incremental import from_letters

    sites = np.arange(len(given.positions))
    before = given.reference[given.positions]
    letters = np.tile(before, (len(sites), 1))
    letters[sites, sites] = (before + 1) % 4
    alone, rows = from_letters(given.reference, given.positions, letters, given.others[:0])
    plain = np.concatenate([adapter.predict_gene(GENE, alone.codes(np.array([row]))) for row in range(len(alone))])
    made = {"effects": adapter.predict_haplotypes(GENE, alone), "effects_plain": plain}
    slopes = adapter.input_gradient(GENE, given.reference[None])
    made["first_order"] = np.empty(0)
    if slopes is not None:
        assert slopes.shape == (1, given.length, 4)
        assert slopes.dtype == np.float32
        places = given.positions
        made["first_order"] = slopes[0, places, (before + 1) % 4] - slopes[0, places, before]
    made["effects"], made["effects_plain"] = (
        values.astype(np.float64)[[0, *rows]] for values in (made["effects"], plain)
    )
    return made


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
    gene = haplotypes(codes.shape[1])
    results |= exercise_haplotypes(adapter, gene)
    results |= exercise_effects(adapter, gene)
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
        "haplotypes, short": lambda: adapter.predict_haplotypes(GENE, gene.cropped(0, gene.length - 1)),
        "haplotypes, value 5 in a letter": lambda: adapter.predict_haplotypes(
            GENE, replace(gene, letters=np.where(gene.letters == 4, 5, gene.letters).astype(np.uint8))
        ),
        "haplotypes, value 5 in the reference": lambda: adapter.predict_haplotypes(
            GENE, replace(gene, reference=np.full_like(gene.reference, 5))
        ),
        "haplotypes, value 5 in a whole one": lambda: adapter.predict_haplotypes(
            GENE, replace(gene, others=np.full_like(gene.others, 5))
        ),
        "precision": lambda: adapter.use("float17"),
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
