"""The arrays that every baseline works on, checked and put into the order of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pexbench.cohort import constant
from pexbench.errors import InputError, listing

Floats = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)
#: Correlations nearer to each other than this count as equal: SNPs in perfect linkage differ by rounding only.
TIE = 1e-9


@dataclass(frozen=True)
class GeneData:
    """One gene's genotypes and expression, people and SNPs sorted by name.

    Sorting makes results the same to the last bit whatever the order in the files: a rounding difference
    between two nearly equal penalties or SNPs would otherwise be enough to choose the other one.

    Attributes:
        x: float64 [S, M], dosages of the SNPs that pass the frequency filter, 0 .. 2 alternative alleles.
        y: float64 [S], expression in the cohort's unit.
        samples: S names, sorted.
        variants: M variant ids, sorted.
        c: float64 [S, K], covariates; K is 0 without.
        place: int64 [S], for each sorted person the position among the samples as given.
    """

    x: Floats
    y: Floats
    samples: tuple[str, ...]
    variants: tuple[str, ...]
    c: Floats
    place: NDArray[np.int64]

    def as_given(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Values of the sorted people, [S, ...], in the order in which the samples were given."""
        result = np.empty_like(values)
        result[self.place] = values
        return result


def gene_data(
    dosages: NDArray[np.floating[Any]],
    variants: Sequence[str],
    expression: NDArray[np.floating[Any]],
    samples: Sequence[str],
    maf: float,
    covariates: Floats | None = None,
) -> GeneData:
    """Check one gene's arrays, keep the frequent SNPs, sort people and SNPs by name.

    Args:
        dosages: float32 [S, M], alternative alleles per person and SNP, 0 .. 2, nothing missing.
        variants: M variant ids, ``contig:position:REF:ALT``.
        expression: float64 [S], one value per person, any unit.
        samples: S names, the order of the rows of ``dosages`` and of ``expression``.
        maf: smallest minor allele frequency of a SNP in these people, 0 .. 0.5; expression plays no part.
        covariates: float64 [S, K], finite; None for none.

    Returns:
        The sorted data; M may be 0.

    Raises:
        InputError: shapes disagree, a value is not finite, a dosage lies outside 0 .. 2, expression is constant,
            or ``maf`` is out of range.
    """
    dosages, expression = np.asarray(dosages), np.asarray(expression, dtype=np.float64)
    shape = (len(samples), len(variants))
    if dosages.shape != shape or expression.shape != shape[:1]:
        raise InputError(
            f"baselines: dosages of shape {dosages.shape} and expression of shape {expression.shape} for "
            f"{shape[0]} samples and {shape[1]} variants; {shape} and {shape[:1]} are allowed; "
            "select the same people for genotypes and expression."
        )
    c = np.empty((shape[0], 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if c.ndim != 2 or len(c) != shape[0] or not np.isfinite(c).all():
        raise InputError(
            f"baselines: covariates of shape {c.shape} for {shape[0]} samples; one row of finite numbers for each person "
            "is allowed; complete the table of people."
        )
    if not 0 <= maf <= 0.5:
        raise InputError(f"baselines: maf is {maf}; a frequency from 0 to 0.5 is allowed; correct the configuration.")
    bad = [name for name, value in zip(samples, expression, strict=True) if not np.isfinite(value)]
    if bad:
        raise InputError(
            f"baselines: expression of {listing(bad)} is not finite; a number is needed for each person; "
            "leave these people or this gene out."
        )
    if len(expression) == 0 or constant(expression):
        raise InputError(
            f"baselines: expression is the same in all {len(expression)} people; differing values are needed; "
            "leave this gene out."
        )
    fine = ((dosages >= 0) & (dosages <= 2)).all(axis=0)
    if not fine.all():
        raise InputError(
            f"baselines: dosages of {listing(np.asarray(variants)[~fine])} are missing or outside 0 to 2; "
            "counts of alternative alleles are allowed; fill or remove the missing genotypes."
        )
    frequency = dosages.mean(axis=0, dtype=np.float64) / 2
    # Dosages are float32, so a SNP exactly at the threshold may land just below it.
    frequent = np.minimum(frequency, 1 - frequency) >= maf - 1e-7
    columns = sorted(np.flatnonzero(frequent), key=lambda column: variants[column])
    place = np.array(sorted(range(shape[0]), key=samples.__getitem__), dtype=np.int64)
    return GeneData(
        x=dosages[np.ix_(place, np.array(columns, dtype=np.int64))].astype(np.float64),
        y=expression[place],
        samples=tuple(samples[i] for i in place),
        variants=tuple(str(variants[i]) for i in columns),
        c=c[place],
        place=place,
    )


def first_of_best(r: Floats) -> int:
    """Position of the correlation that is largest by absolute value; the first of equals (:data:`TIE`).

    Args:
        r: float64 [M], NaN where there is none.

    Returns:
        0 .. M-1; -1 if every value is NaN.
    """
    size = np.where(np.isnan(r), -1.0, np.abs(r))
    best = size.max(initial=-1.0)
    return int(np.flatnonzero(size >= best - TIE)[0]) if best >= 0 else -1
