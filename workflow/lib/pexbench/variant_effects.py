"""What each variant does to a model's prediction when it is alone on the reference sequence.

A sequence with one variant is what ``bcftools consensus`` makes of one record that a person carries twice; it is built,
shared and batched as people's haplotypes are. Its prediction minus the reference's is the variant's effect: that of a
person with two copies of ALT against one with none. Both haplotypes are then alike, so ``combine_haplotypes`` decides
nothing but the scale (logs for ``mean_of_logs``), and a person with d copies adds effect * d / 2 to the mean.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pexbench.errors import InputError, listing
from pexbench.genes import Gene
from pexbench.genotypes import Genotypes
from pexbench.haplotypes import FLANK, Cohort, cohort_sequences, encode
from pexbench.predict import Genotyping, How
from pexbench.reference import Reference
from pexbench.windows import Window, window_of

if TYPE_CHECKING:
    from pexbench.models.base import Adapter

LOG = logging.getLogger(__name__)
#: ``variant``: contig:position:REF:ALT, 1-based; ``pos`` 1-based; ``effect`` float64 on the scale of a person's
#: prediction; ``gradient`` its first-order estimate, NaN where there is none.
COLUMNS = ("gene_id", "variant", "pos", "ref", "alt", "effect", "gradient")
#: Which genes get every variant of the window; all others get their lead variant.
CHOSEN_COLUMNS = ("gene_id", "scope", "lead_variant", "note")


class Variant(NamedTuple):
    """One ALT allele.

    Attributes:
        name: ``contig:position:REF:ALT``, position 1-based, upper case.
        position: 0-based position of the first REF base.
        ref: REF, upper case.
        alt: ALT, upper case.
    """

    name: str
    position: int
    ref: str
    alt: str

    def overlaps(self, window: Window) -> bool:
        """Whether a REF base lies in the window."""
        return self.position < window.end and self.position + len(self.ref) > window.start


def parse_variant(name: str) -> Variant:
    """A variant from its name (the contig's name may hold colons).

    Raises:
        InputError: no ``contig:position:REF:ALT``.
    """
    parts = name.rsplit(":", 3)
    if len(parts) != 4 or not parts[1].isdigit():
        raise InputError(f"variant {name!r}: contig:position:REF:ALT is allowed; correct the table it is from.")
    return Variant(name, int(parts[1]) - 1, parts[2], parts[3])


def choose(genes: pd.DataFrame, associations: pd.DataFrame, wanted: str | Sequence[str]) -> pd.DataFrame:
    """Which genes get every variant, and every other gene's lead variant.

    Args:
        genes: ``gene_id``, ``symbol``, ``personal`` (bool) of the run.
        associations: ``gene_id``, ``lead_variant``, ``p`` (float, may be NaN), ``note``; one row per personal gene.
        wanted: ``strongest`` (the gene with the smallest p), ``all``, or ids or symbols of genes.

    Returns:
        :data:`CHOSEN_COLUMNS` for every personal gene: ``scope`` is ``all`` or ``lead``; ``lead_variant`` is empty where
        no variant could be tested, ``note`` then says why.

    Raises:
        InputError: a gene that is asked for is not in the run or has no personal genotypes.
    """
    known = associations.set_index("gene_id")
    personal = genes.loc[genes["personal"], "gene_id"].tolist()
    absent = [gene_id for gene_id in personal if gene_id not in known.index]
    if absent:
        raise InputError(
            f"associations: gene(s) {listing(absent)} not found; every gene with personal genotypes has a row; delete "
            "the table and run again."
        )
    known = known.loc[personal]
    tested = known["p"].dropna()
    if wanted == "strongest":
        # Several p may be 0 in floating point: then the largest correlation decides.
        order = pd.DataFrame({"p": tested, "r": -known.loc[tested.index, "r"].abs()}).sort_values(["p", "r"])
        chosen = set(order.index[:1])
    elif wanted == "all":
        chosen = set(personal)
    else:
        chosen = _named(genes, [wanted] if isinstance(wanted, str) else wanted)
    return pd.DataFrame(
        {
            "gene_id": personal,
            "scope": ["all" if gene_id in chosen else "lead" for gene_id in personal],
            "lead_variant": known["lead_variant"].tolist(),
            "note": known["note"].where(known["lead_variant"] == "", "").tolist(),
        },
        columns=list(CHOSEN_COLUMNS),
    )


def _named(genes: pd.DataFrame, names: Sequence[str]) -> set[str]:
    """Gene ids by id or symbol."""
    found: set[str] = set()
    for name in names:
        rows = genes[(genes["gene_id"] == name) | (genes["symbol"] == name)]
        if rows.empty:
            raise InputError(
                f"variant_effects.genes: {name!r} not found among the run's {len(genes)} genes; ids and symbols of "
                "genes.tsv are allowed (dropped.tsv says why others were left out); correct the configuration."
            )
        if not rows["personal"].any():
            raise InputError(
                f"variant_effects.genes: {name!r} has no personal genotypes around it; genes with 'personal' True in "
                "genes.tsv are allowed; take it out, or use genotypes that cover it."
            )
        found |= set(rows.loc[rows["personal"], "gene_id"])
    return found


class Choice(NamedTuple):
    """A row of :func:`choose`: every variant (``all``) or the ``lead`` alone."""

    scope: str
    lead: str
    note: str


def choices(chosen: pd.DataFrame) -> dict[str, Choice]:
    """Rows of :func:`choose` by gene id."""
    columns = (chosen[name].astype(str) for name in ("scope", "lead_variant", "note"))
    return dict(zip(chosen["gene_id"].astype(str), map(Choice, *columns), strict=True))


def carried_variants(genotypes: Genotypes) -> tuple[list[Variant], NDArray[np.float32]]:
    """The variants that someone carries, each ALT allele one of its own, and who carries how many copies.

    Args:
        genotypes: of S people; a missing allele counts as REF.

    Returns:
        M variants in the order of the records (a record that is there twice is one variant), and float32 [S, M] copies
        of ALT, 0 to 2.
    """
    carriers: dict[Variant, NDArray[np.bool_]] = {}
    for row, (ref, alts) in enumerate(zip(genotypes.refs, genotypes.alts, strict=True)):
        for allele, alt in enumerate(alts, start=1):
            carries = genotypes.alleles[row] == allele
            if carries.any():
                position, one, other = int(genotypes.positions[row]), ref.upper(), alt.upper()
                variant = Variant(f"{genotypes.contig}:{position + 1}:{one}:{other}", position, one, other)
                carriers[variant] = carriers[variant] | carries if variant in carriers else carries
    variants = list(carriers)
    copies = [carriers[variant].sum(axis=1, dtype=np.float32) for variant in variants]
    return variants, np.stack(copies, axis=1) if copies else np.empty((len(genotypes.samples), 0), np.float32)


def alone(genotypes: Genotypes, variants: Sequence[Variant]) -> Genotypes:
    """Made-up people, one for each variant, who carry it twice and nothing else.

    Args:
        genotypes: as they were read; their interval says how far they reach.
        variants: M variants.

    Returns:
        Genotypes of M people called as the variants.
    """
    order = sorted(range(len(variants)), key=lambda number: variants[number].position)
    alleles = np.zeros((len(variants), len(variants), 2), np.int8)
    alleles[np.arange(len(variants)), order] = 1
    return replace(
        genotypes,
        samples=tuple(variant.name for variant in variants),
        positions=np.array([variants[number].position for number in order], np.int64),
        refs=tuple(variants[number].ref for number in order),
        alts=tuple((variants[number].alt,) for number in order),
        alleles=alleles,
        unphased=np.zeros(alleles.shape[:2], np.bool_),
    )


def single_variant_sequences(
    reference: Reference, window: Window, genotypes: Genotypes, variants: Sequence[Variant]
) -> Cohort:
    """The reference with each variant alone, as a model reads it.

    Args:
        reference: reference sequence.
        window: the model's window.
        genotypes: read for the window and :data:`pexbench.haplotypes.FLANK` bp more on both sides.
        variants: M variants that overlap the window.

    Returns:
        The distinct sequences, row 0 the reference; ``index`` int64 [M, 2] holds each variant's row twice.
    """
    return cohort_sequences(reference, window, alone(genotypes, variants))


def shard_effects(
    adapter: Adapter,
    genes: Sequence[Gene],
    chosen: pd.DataFrame,
    reference: Reference,
    genotyping: Genotyping,
    how: How,
    combine: str,
    gradient: bool = True,
) -> pd.DataFrame:
    """Effects for the genes of a shard.

    Args:
        adapter: the model, loaded.
        genes: genes of the shard; those that ``chosen`` lacks are passed over.
        chosen: from :func:`choose`.
        reference: reference sequence.
        genotyping: genotypes.
        how: method, precision and batch size.
        combine: how the run makes a person's prediction from two: ``mean`` or ``mean_of_logs``.
        gradient: also compute the first-order estimate, in float32, one pass back through the model per gene.

    Returns:
        :data:`COLUMNS`; the lead variant has a row even where the window does not reach it (effect 0).
    """
    adapter.use(how.precision, how.batch_size)
    rule, facts = adapter.card.window_rule(), choices(chosen)
    tables = [_table("", [], np.empty(0), np.empty(0))]
    genes = [gene for gene in genes if gene.gene_id in facts]
    for number, gene in enumerate(genes, start=1):
        scope, lead, _ = facts[gene.gene_id]
        window = window_of(gene, rule)
        wanted = None if scope == "all" else {lead} - {""}
        variants, outside, genotypes = _wanted(gene, window, genotyping, wanted, lead)
        effects, slopes = np.empty(0), np.empty(0)
        if variants:
            cohort = single_variant_sequences(reference, window, genotypes, variants)
            values = on_scale(_predicted(adapter, gene.gene_id, cohort, how), combine, adapter.card.name)
            effects = values[cohort.index[:, 0]] - values[0]
            slopes = np.full(len(variants), np.nan)
            if gradient:
                slopes = first_order(adapter, gene.gene_id, cohort, window, variants, combine)
        # No model reads what lies outside its window.
        nothing = np.zeros(len(outside))
        tables.append(
            _table(
                gene.gene_id,
                [*variants, *outside],
                np.concatenate([effects, nothing]),
                np.concatenate([slopes, nothing]),
            )
        )
        LOG.info(
            "%s (%d of %d genes): %d variants, largest effect %.3g",
            *(gene.label, number, len(genes), len(variants), np.abs(effects).max(initial=0)),
        )
    return pd.concat(tables, ignore_index=True)


def on_scale(values: NDArray[np.floating[Any]], combine: str, model: str) -> NDArray[np.float64]:
    """Predictions of sequences on the scale of a person's prediction: logs for ``mean_of_logs``, else as they are.

    Raises:
        InputError: logs are asked for and a prediction is not positive.
    """
    found = np.asarray(values, np.float64)
    if combine != "mean_of_logs":
        return found
    if found.min(initial=np.inf) <= 0:
        raise InputError(
            f"model {model}: combine_haplotypes is 'mean_of_logs' and a prediction is {found.min():g}; logs need "
            "positive predictions; use 'mean' (models that already predict logs need it)."
        )
    return np.asarray(np.log(found))


def first_order(
    adapter: Adapter, gene_id: str, cohort: Cohort, window: Window, variants: Sequence[Variant], combine: str
) -> NDArray[np.float64]:
    """Gradient x input: what a variant's effect would be, were the model linear around the reference.

    The derivative of the prediction by the input, at ALT minus at REF, added up over the bases of a substitution.

    Returns:
        float64 [M]; NaN for insertions and deletions, and for models that give no gradient.
    """
    found = np.full(len(variants), np.nan)
    slopes = adapter.input_gradient(gene_id, cohort.sequences.reference[None])
    if slopes is None:
        return found
    slope = slopes[0].astype(np.float64)
    if combine == "mean_of_logs":
        slope = slope / float(adapter.predict_gene(gene_id, cohort.sequences.reference[None])[0])
    slope = np.pad(slope, ((0, 0), (0, 1)))  # N is zero in every encoding
    for number, variant in enumerate(variants):
        if len(variant.ref) != len(variant.alt):
            continue
        inside = range(max(variant.position, window.start), min(variant.position + len(variant.ref), window.end))
        first = inside.start - variant.position
        places = np.array(inside) - window.start
        texts = [text[first : first + len(inside)] for text in (variant.ref, variant.alt)]
        before, after = (encode(np.frombuffer(text.encode(), np.uint8)[None], window.reverse)[0] for text in texts)
        if window.reverse:
            places = window.length - 1 - places[::-1]
        found[number] = (slope[places, after] - slope[places, before]).sum()
    return found


def _wanted(
    gene: Gene, window: Window, genotyping: Genotyping, wanted: AbstractSet[str] | None, lead: str
) -> tuple[list[Variant], list[Variant], Genotypes]:
    """Variants of the window (all, or those wanted), the lead if it lies elsewhere, and the genotypes read."""
    genotypes = genotyping.read(gene.contig, window.start - FLANK, window.end + FLANK)
    variants, _ = carried_variants(genotypes.select(window.start, window.end))
    outside = [parse_variant(lead)] if lead and not parse_variant(lead).overlaps(window) else []
    names = {variant.name for variant in variants} | {variant.name for variant in outside}
    if lead and lead not in names:
        raise InputError(
            f"{genotyping.store}: lead variant {lead} of gene {gene.gene_id} not found, or nobody carries it; the "
            "associations belong to other genotypes; delete the run's associations and run again."
        )
    return [variant for variant in variants if wanted is None or variant.name in wanted], outside, genotypes


def _predicted(adapter: Adapter, gene_id: str, cohort: Cohort, how: How) -> NDArray[np.float32]:
    """Predictions of the distinct sequences, float32 [D]; in the plain way each by itself."""
    if how.method == "plain":
        rows = np.arange(len(cohort.sequences))
        return np.concatenate([adapter.predict_gene(gene_id, cohort.sequences.codes(rows[[row]])) for row in rows])
    return adapter.predict_haplotypes(gene_id, cohort.sequences)


def _table(
    gene_id: str, variants: Sequence[Variant], effects: NDArray[np.float64], slopes: NDArray[np.float64]
) -> pd.DataFrame:
    """:data:`COLUMNS` of one gene."""
    columns: Mapping[str, object] = {
        "gene_id": np.full(len(variants), gene_id, object),
        "variant": np.array([variant.name for variant in variants], object),
        "pos": np.array([variant.position + 1 for variant in variants], np.int64),
        "ref": np.array([variant.ref for variant in variants], object),
        "alt": np.array([variant.alt for variant in variants], object),
        "effect": effects,
        "gradient": slopes,
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))
