"""Ridge regression on k-mer counts: predicting with the coefficients that ``train.py`` has learnt."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing
from pexbench.models.base import UNKNOWN, Adapter, checked_codes
from pexbench.models.card import Card

FORMAT = "pexbench kmer_ridge 1"
#: Number of axes and kind of number of each array in the trained file.
ARRAYS = {
    "format": (0, "U"),
    "k": (0, "i"),
    "gene_id": (1, "U"),
    "fold": (1, "i"),
    "coefficient": (2, "f"),
    "intercept": (1, "f"),
}
ROWS_AT_ONCE = 256


def kmer_columns(k: int) -> NDArray[np.int64]:
    """The feature each k-mer counts for.

    Args:
        k: k-mer length in bp.

    Returns:
        int64 [4**k]: for k-mer number ``sum(code[i] * 4**(k-1-i))`` its column; a k-mer and its reverse complement
        share one.
    """
    numbers = np.arange(4**k)
    reverse = np.zeros_like(numbers)
    for place in range(k):
        reverse = reverse * 4 + 3 - numbers // 4**place % 4
    columns: NDArray[np.int64] = np.unique(np.minimum(numbers, reverse), return_inverse=True)[1].astype(np.int64)
    return columns


def features(codes: NDArray[np.uint8], k: int) -> NDArray[np.float64]:
    """log(1 + count) of every k-mer.

    Args:
        codes: uint8 [N, L], 0..3 = A, C, G, T, 4 = anything else; k-mers with a 4 are skipped.
        k: k-mer length in bp.

    Returns:
        float64 [N, F], columns as in :func:`kmer_columns`.
    """
    columns = kmer_columns(k)
    count, starts = int(columns.max()) + 1, codes.shape[1] - k + 1
    numbers = np.zeros((len(codes), starts), np.int64)
    known = np.ones((len(codes), starts), bool)
    for place in range(k):
        letters = codes[:, place : place + starts]
        numbers = numbers * 4 + np.minimum(letters, 3)
        known &= letters != UNKNOWN
    row = np.arange(len(codes))[:, None]
    cells = (row * count + columns[numbers])[known]
    return np.log1p(np.bincount(cells, minlength=len(codes) * count).reshape(len(codes), count).astype(np.float64))


def count_gradient(codes: NDArray[np.uint8], k: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of ``sum(weights * features)`` by every letter.

    A k-mer's count is the sum over its places of products of letters. By the letter b at position p its derivative is
    the number of places that cover p and spell the k-mer once b stands there.

    Args:
        codes: uint8 [L].
        k: k-mer length in bp.
        weights: float64 [F].

    Returns:
        float64 [L, 4].
    """
    slope = weights / np.exp(features(codes[None], k)[0])  # of log(1 + count)
    made, starts = np.zeros((len(codes), 4)), len(codes) - k + 1
    columns = kmer_columns(k)
    for place in range(k):
        others = [other for other in range(k) if other != place]
        numbers, known = np.zeros(starts, np.int64), np.ones(starts, bool)
        for other in others:
            letters = codes[other : other + starts]
            numbers += np.minimum(letters, 3).astype(np.int64) * 4 ** (k - 1 - other)
            known &= letters != UNKNOWN
        every = columns[numbers[:, None] + np.arange(4) * 4 ** (k - 1 - place)]
        made[place : place + starts] += np.where(known[:, None], slope[every], 0.0)
    return made


class Model(Adapter):
    """k-mer ridge, cross-fitted.

    A gene of the training table is predicted by the coefficients of the fold it was held out of. Any other gene, and
    :meth:`predict`, which knows no gene, get the mean of all folds' predictions.
    """

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Read the coefficients; ``weights`` holds the file made by training as ``trained``."""
        super().__init__(card, weights, device=device, options=options)
        if device != "cpu":
            raise InputError(
                f"model {card.name}: device {device!r}; it runs on the cpu only; correct the configuration."
            )
        arrays = _read(self.weights_file("trained"))
        self._k = int(arrays["k"])
        self._fold = dict(zip(arrays["gene_id"].tolist(), arrays["fold"].tolist(), strict=True))
        self._coefficient, self._intercept = arrays["coefficient"], arrays["intercept"]

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean of all folds' predictions."""
        return self._predict(codes, self._coefficient.mean(axis=0), float(self._intercept.mean()))

    def forward_gene(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The prediction of the fold the gene was held out of; the mean of all folds for an unknown gene."""
        return self._predict(codes, *self._equation(gene_id))

    def input_gradient(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :meth:`pexbench.models.base.Adapter.input_gradient`."""
        coefficient, _ = self._equation(gene_id)
        checked = checked_codes(codes, self.card)
        made = [count_gradient(row, self._k, coefficient) for row in checked]
        return np.array(made, np.float32).reshape(*checked.shape, 4)

    def _equation(self, gene_id: str) -> tuple[NDArray[np.float64], float]:
        """Coefficients and intercept for a gene."""
        fold = self._fold.get(gene_id)
        if fold is None:
            return self._coefficient.mean(axis=0), float(self._intercept.mean())
        return self._coefficient[fold], float(self._intercept[fold])

    def _predict(
        self, codes: NDArray[np.uint8], coefficient: NDArray[np.float64], intercept: float
    ) -> NDArray[np.float32]:
        """Float64 inside; summed row by row, so that a result does not depend on its batch (a matrix product may)."""
        result = np.empty(len(codes), np.float32)
        for start in range(0, len(codes), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            result[rows] = (features(codes[rows], self._k) * coefficient).sum(axis=1) + intercept
        return result


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read and check a trained file."""
    remedy = "train the model again"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no readable .npz file ({error}); {remedy}.") from error
    absent = [name for name in ARRAYS if name not in arrays]
    if absent:
        raise InputError(
            f"{path}: array(s) {listing(absent)} not found; a file of format {FORMAT!r} has them; {remedy}."
        )
    if str(arrays["format"]) != FORMAT:
        raise InputError(f"{path}: format {str(arrays['format'])!r}; {FORMAT!r} is allowed; {remedy}.")
    for name, (axes, kind) in ARRAYS.items():
        if arrays[name].ndim != axes or arrays[name].dtype.kind != kind:
            found = f"{arrays[name].dtype} with {arrays[name].ndim} axes"
            raise InputError(f"{path}: array {name} is {found}; kind {kind!r} with {axes} axes is allowed; {remedy}.")
    folds, wanted = len(arrays["intercept"]), int(kmer_columns(int(arrays["k"])).max()) + 1
    shapes = {
        "coefficient": (arrays["coefficient"].shape, (folds, wanted)),
        "fold": (arrays["fold"].shape, arrays["gene_id"].shape),
    }
    for name, (found, allowed) in shapes.items():
        if found != allowed:
            raise InputError(f"{path}: array {name} is {list(found)}; {list(allowed)} is allowed; {remedy}.")
    if arrays["fold"].size and not 0 <= arrays["fold"].min() <= arrays["fold"].max() < folds:
        raise InputError(f"{path}: array fold has values outside 0 to {folds - 1}; {remedy}.")
    return arrays
