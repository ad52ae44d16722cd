"""The simulated cohort against its own truth table, by code that shares nothing with the simulation."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import math
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pysam
import pytest

from pexbench.errors import InputError
from pexbench.genes import Gene, read_genes
from pexbench.simulate import SimulationSettings, simulate
from pexbench.simulate_names import DOWNSTREAM, UPSTREAM, gene_contigs, gene_ids, sample_names
from pexbench.simulate_sequence import CERTAINTY, MOTIFS, THRESHOLD, promoter_interval

SMALL = SimulationSettings(seed=7, people=60, genes=16, contig_length=400_000)
FILES = {
    "reference.fa",
    "reference.fa.fai",
    "genotypes.vcf.gz",
    "genotypes.vcf.gz.tbi",
    "genes.tsv",
    "samples.tsv",
    "expression.bed.gz",
    "expression_level.bed.gz",
    "truth.tsv",
    "truth_genetic.parquet",
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(SMALL, folder)
    return folder


@pytest.fixture(scope="module")
def truth(cohort: Path) -> pd.DataFrame:
    return pd.read_csv(cohort / "truth.tsv", sep="\t", keep_default_na=False, index_col="gene_id")


@pytest.fixture(scope="module")
def genetic(cohort: Path) -> pd.DataFrame:
    table = pd.read_parquet(cohort / "truth_genetic.parquet")
    assert table["genetic"].dtype == np.float64
    return table.pivot(index="gene_id", columns="sample", values="genetic")


@pytest.fixture(scope="module")
def records(cohort: Path) -> list[pysam.VariantRecord]:
    with pysam.VariantFile(str(cohort / "genotypes.vcf.gz")) as handle:
        return [record.copy() for record in handle]


@pytest.fixture(scope="module")
def dosages(records: list[pysam.VariantRecord]) -> pd.DataFrame:
    """Copies of ALT of biallelic SNPs, by ``contig:pos:REF:ALT`` and sample name."""
    rows = {}
    for record in records:
        if record.alts and [len(allele) for allele in (record.ref, *record.alts)] == [1, 1]:
            name = f"{record.contig}:{record.pos}:{record.ref}:{record.alts[0]}"
            rows[name] = {sample: sum(call["GT"]) for sample, call in record.samples.items()}
    return pd.DataFrame.from_dict(rows, orient="index").astype(float)


def matrix(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", index_col="gene_id").iloc[:, 4:]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_writes_exactly_the_promised_files(cohort: Path) -> None:
    assert set(digests(cohort)) == FILES


def test_same_seed_same_bytes_other_seed_other_bytes(cohort: Path, tmp_path: Path) -> None:
    simulate(SMALL, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(cohort)
    simulate(SimulationSettings(seed=8, people=60, genes=16, contig_length=400_000), tmp_path / "other")
    other, first = digests(tmp_path / "other"), digests(cohort)
    # Names, populations and line lengths do not depend on the seed.
    assert {name for name in FILES if other[name] == first[name]} == {"samples.tsv", "reference.fa.fai"}


def test_ref_alleles_are_the_reference(cohort: Path, records: list[pysam.VariantRecord]) -> None:
    with pysam.FastaFile(str(cohort / "reference.fa")) as fasta:
        for record in records:
            assert record.ref == fasta.fetch(record.contig, record.start, record.stop).upper()
            assert record.ref not in record.alts
            assert "N" not in record.ref


def test_records_are_sorted_phased_complete_and_do_not_overlap(records: list[pysam.VariantRecord]) -> None:
    end = dict.fromkeys(("sim1", "sim2"), 0)
    for record in records:
        assert record.start >= end[record.contig]
        end[record.contig] = record.stop
        calls = [call for call in record.samples.values() if call.phased and None not in call["GT"]]
        assert len(calls) == SMALL.people
        copies = [sum(call["GT"].count(allele) for call in calls) for allele in range(1, len(record.alts) + 1)]
        assert list(record.info["AC"]) == copies
        assert min(copies) > 0
    assert min(end.values()) > 0


def test_filters_have_something_to_do(records: list[pysam.VariantRecord], tmp_path: Path) -> None:
    insertions = sum(len(r.alts) == 1 and len(r.alts[0]) > len(r.ref) for r in records)
    deletions = sum(len(r.ref) > 1 for r in records)
    several = sum(len(r.alts) > 1 for r in records)
    assert min(insertions, deletions, several) >= 5
    assert (insertions + deletions) / len(records) == pytest.approx(SMALL.indel_share, abs=0.02)
    plain = SimulationSettings(people=20, genes=4, contig_length=100_000, indel_share=0, multiallelic_share=0)
    simulate(plain, tmp_path)
    with pysam.VariantFile(str(tmp_path / "genotypes.vcf.gz")) as handle:
        assert {(len(r.ref), len(r.alts), len(r.alts[0])) for r in handle} == {(1, 1, 1)}


def test_many_indels_still_do_not_overlap(tmp_path: Path) -> None:
    simulate(SimulationSettings(people=30, genes=4, contig_length=200_000, indel_share=0.9), tmp_path)
    with pysam.FastaFile(str(tmp_path / "reference.fa")) as fasta:
        for contig in fasta.references:
            with pysam.VariantFile(str(tmp_path / "genotypes.vcf.gz")) as handle:
                spans = [(record.start, record.stop, record.ref) for record in handle.fetch(contig)]
            assert sum(len(ref) > 1 for _, _, ref in spans) > 100
            assert all(stop <= start for (_, stop, _), (start, _, _) in itertools.pairwise(spans))
            assert all(fasta.fetch(contig, start, stop).upper() == ref for start, stop, ref in spans)


def test_reference_looks_like_a_genome(cohort: Path) -> None:
    with pysam.FastaFile(str(cohort / "reference.fa")) as fasta:
        assert list(fasta.references) == ["sim1", "sim2"]
        for contig in fasta.references:
            text = fasta.fetch(contig)
            assert len(text) == SMALL.contig_length
            assert set(text) == set("ACGTacgtN")
            runs = [run for run in "".join("N" if base == "N" else " " for base in text).split() if run]
            assert len(runs) == 1
            assert 0.25 < sum(map(str.islower, text)) / len(text) < 0.6
            bases = text.upper()
            gc = (bases.count("G") + bases.count("C")) / (len(bases) - len(runs[0]))
            assert 0.36 < gc < 0.48
            # CpG is depleted against what the GC content alone would give.
            assert bases.count("CG") / len(bases) < 0.6 * (gc / 2) ** 2


def test_gene_table_is_known_without_simulating(cohort: Path) -> None:
    genes = read_genes(cohort / "genes.tsv")
    assert list(genes) == gene_ids(SMALL.genes)
    assert [gene.contig for gene in genes.values()] == gene_contigs(SMALL.genes)
    places = [(gene.contig, gene.tss) for gene in genes.values()]
    assert places == sorted(places)
    assert {gene.strand for gene in genes.values()} == {"+", "-"}
    with gzip.open(cohort / "expression.bed.gz", "rt") as handle:
        next(handle)
        rows = [line.split("\t")[:5] for line in handle]
    assert rows == [[g.contig, str(g.tss - 1), str(g.tss), g.gene_id, g.strand] for g in genes.values()]


def test_names_need_only_the_standard_library() -> None:
    code = "import sys, pexbench.simulate_names; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    loaded = set(done.stdout.split())
    assert "pexbench" in loaded
    assert not loaded & {"numpy", "pandas", "scipy", "pysam", "msprime", "pydantic"}


def test_columns_are_shuffled_and_values_follow_names(cohort: Path) -> None:
    scores, levels = matrix(cohort / "expression.bed.gz"), matrix(cohort / "expression_level.bed.gz")
    names = sample_names(SMALL.people)
    with pysam.VariantFile(str(cohort / "genotypes.vcf.gz")) as handle:
        assert list(handle.header.samples) == names
    assert list(pd.read_csv(cohort / "samples.tsv", sep="\t")["sample"]) == names
    for first, second in ((scores.columns, names), (levels.columns, names), (scores.columns, levels.columns)):
        assert set(first) == set(second)
        assert sum(a == b for a, b in zip(first, second, strict=True)) < len(names) / 4
    assert (levels > 0).all(axis=None)
    # The normal scores are the levels' ranks, joined by name.
    for gene_id, row in levels.iterrows():
        order = sorted(names, key=lambda name: row[name])
        for rank, name in enumerate(order, start=1):
            expected = NormalDist().inv_cdf((rank - 0.5) / len(names))
            assert scores.loc[gene_id, name] == pytest.approx(expected, abs=1e-6)


def test_h2_is_the_share_of_variance_in_measured_expression(
    cohort: Path, truth: pd.DataFrame, genetic: pd.DataFrame
) -> None:
    levels = np.log(matrix(cohort / "expression_level.bed.gz"))[genetic.columns]
    for gene_id, row in truth.iterrows():
        share = genetic.loc[gene_id].var() / levels.loc[gene_id].var()
        assert share == pytest.approx(row["h2"], abs=1e-5)
    effective = truth["h2"][truth["h2"] > 0]
    low, high = SMALL.heritability
    assert effective.between(low, high).all()
    assert len(truth) - len(effective) == round(SMALL.null_share * SMALL.genes)


def test_genetic_values_follow_from_genotypes_and_effects(
    truth: pd.DataFrame, genetic: pd.DataFrame, dosages: pd.DataFrame
) -> None:
    for gene_id, row in truth.iterrows():
        names = row["variants"].split(";") if row["variants"] else []
        effects = [float(value) for value in row["effects"].split(";") if value]
        assert len(names) == len(effects) == row["n_causal"] == len([m for m in row["mechanisms"].split(";") if m])
        expected = sum((e * dosages.loc[n] for n, e in zip(names, effects, strict=True)), 0 * dosages.iloc[0])
        values = genetic.loc[gene_id]
        np.testing.assert_allclose(values, expected[values.index], rtol=0, atol=1e-12)


def test_direction_and_size_can_be_recovered(cohort: Path, truth: pd.DataFrame, genetic: pd.DataFrame) -> None:
    scores = matrix(cohort / "expression.bed.gz")[genetic.columns]
    effective = truth.index[truth["h2"] > 0]
    r = pd.Series({gene_id: np.corrcoef(genetic.loc[gene_id], scores.loc[gene_id])[0, 1] for gene_id in effective})
    expected = np.sqrt(truth.loc[effective, "h2"])
    assert (r[truth.loc[effective, "h2"] > 0.2] > 0).all()
    # Standard error of a mean of this many correlations, four times; the mean is what baselines are held to.
    assert abs((r - expected).mean()) < 4 / math.sqrt(len(effective) * SMALL.people)


def test_null_genes_have_no_genetic_variance_and_no_association(
    cohort: Path, truth: pd.DataFrame, genetic: pd.DataFrame, dosages: pd.DataFrame
) -> None:
    null = truth.index[truth["h2"] == 0]
    assert len(null) > 0
    assert (genetic.loc[null] == 0).all(axis=None)
    assert (truth.loc[null, ["h2_distal", "h2_promoter", "n_causal"]] == 0).all(axis=None)
    scores = matrix(cohort / "expression.bed.gz")[dosages.columns]
    common = dosages[(dosages.mean(axis=1) / 2).between(0.05, 0.95)]
    r = np.corrcoef(np.vstack([common, scores.loc[null]]))[: len(common), len(common) :]
    # Without association the mean r² is 1 / (people - 1); LD leaves few independent variants, hence the room.
    assert (r**2).mean() < 1.6 / (SMALL.people - 1)
    # A hidden causal variant would show as one strong association; chance alone stays below this (p about 1e-8).
    assert (r**2).max() < 0.45


#: Log-odds of each base at each position of each motif, and of the best site; read off the grammar's definition.
ODDS = [
    [
        {base: math.log2(4 * (c if base == p else (1 - c) / 3)) for base in "ACGT"}
        for p, c in zip(m.preferred, CERTAINTY, strict=False)
    ]
    for m in MOTIFS
]
BEST = sum(math.log2(4 * certainty) for certainty in CERTAINTY)


def grammar(bases: str, strand: str) -> float:
    """Summed motif effects of a + strand sequence on a gene of this strand, base by base."""
    if strand == "-":
        bases = bases.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    total = 0.0
    for motif, odds in zip(MOTIFS, ODDS, strict=True):
        for start in range(len(bases) - len(odds) + 1):
            site = sum(column[base] for column, base in zip(odds, bases[start : start + len(odds)], strict=True))
            total += motif.strength * max(0.0, (site / BEST - THRESHOLD) / (1 - THRESHOLD))
    return total


def promoter_of(gene: Gene) -> tuple[int, int]:
    """0-based half-open interval, written out anew."""
    before, after = (UPSTREAM, DOWNSTREAM) if gene.strand == "+" else (DOWNSTREAM - 1, UPSTREAM + 1)
    return gene.tss - 1 - before, gene.tss - 1 + after


def promoter_effects_of(row: pd.Series) -> dict[str, float]:
    named = zip(row["variants"].split(";"), row["effects"].split(";"), row["mechanisms"].split(";"), strict=True)
    return {name: float(effect) for name, effect, kind in named if kind == "promoter"}


@pytest.mark.parametrize(("strand", "interval"), [("+", (4000, 5500)), ("-", (4501, 6001))])
def test_promoter_reaches_upstream_in_gene_direction(strand: str, interval: tuple[int, int]) -> None:
    # The TSS has 0-based index 5000: 1,000 bp lie upstream of it, 500 bp begin with it.
    assert promoter_interval(Gene("G", "", "sim1", 5001, strand)) == interval


def test_every_promoter_variant_has_the_effect_of_its_sequence(
    cohort: Path, truth: pd.DataFrame, records: list[pysam.VariantRecord]
) -> None:
    seen = {"silent in a null gene": 0, "acting on +": 0, "acting on -": 0}
    with pysam.FastaFile(str(cohort / "reference.fa")) as fasta:
        for gene in read_genes(cohort / "genes.tsv").values():
            start, end = promoter_of(gene)
            row = truth.loc[gene.gene_id]
            reference = fasta.fetch(gene.contig, start, end).upper()
            assert grammar(reference, gene.strand) == pytest.approx(row["promoter_score"], abs=1e-9)
            found = {}
            for record in records:
                if record.contig != gene.contig or not start <= record.start < end:
                    continue
                assert (len(record.ref), len(record.alts)) == (1, 1)
                at = record.start - start
                left, right = max(0, at - 20), at + 21
                changed = reference[left:at] + record.alts[0] + reference[at + 1 : right]
                effect = (grammar(changed, gene.strand) - grammar(reference[left:right], gene.strand)) / 2
                if abs(effect) > 1e-12:
                    found[f"{record.contig}:{record.pos}:{record.ref}:{record.alts[0]}"] = effect
                    seen[f"acting on {gene.strand}"] += 1
                else:
                    seen["silent in a null gene"] += row["h2"] == 0
            assert found == pytest.approx(promoter_effects_of(row), abs=1e-9)
    assert min(seen.values()) > 0


def test_promoter_effects_of_whole_haplotypes_add_up(
    cohort: Path, truth: pd.DataFrame, records: list[pysam.VariantRecord], dosages: pd.DataFrame
) -> None:
    several = 0
    with pysam.FastaFile(str(cohort / "reference.fa")) as fasta:
        for gene in list(read_genes(cohort / "genes.tsv").values())[::2]:
            start, end = promoter_of(gene)
            reference = fasta.fetch(gene.contig, start, end).upper()
            inside = [r for r in records if r.contig == gene.contig and start <= r.start < end]
            effects = promoter_effects_of(truth.loc[gene.gene_id])
            scores = {reference: grammar(reference, gene.strand)}
            for sample in sample_names(SMALL.people):
                change = 0.0
                for haplotype in (0, 1):
                    bases = list(reference)
                    for record in inside:
                        if record.samples[sample]["GT"][haplotype]:
                            bases[record.start - start] = record.alts[0]
                    text = "".join(bases)
                    if text not in scores:
                        scores[text] = grammar(text, gene.strand)
                    several += sum(a != b for a, b in zip(text, reference, strict=True)) > 1
                    change += (scores[text] - scores[reference]) / 2
                expected = sum(effect * dosages.loc[name, sample] for name, effect in effects.items())
                assert change == pytest.approx(expected, abs=1e-9)
    assert several > 0


def test_promoter_variants_keep_a_motif_apart(cohort: Path, records: list[pysam.VariantRecord]) -> None:
    gaps = []
    for gene in read_genes(cohort / "genes.tsv").values():
        start, end = promoter_of(gene)
        inside = [r.start for r in records if r.contig == gene.contig and start <= r.start < end]
        gaps += np.diff(inside).tolist()
    # Closer variants could change one motif together, and effects would no longer add up.
    assert min(gaps) >= len(MOTIFS[0].preferred)


def test_distal_variants_lie_outside_every_promoter_and_are_common(
    cohort: Path, truth: pd.DataFrame, dosages: pd.DataFrame
) -> None:
    genes = read_genes(cohort / "genes.tsv")
    for gene_id, row in truth[truth["h2"] > 0].iterrows():
        pairs = zip(row["variants"].split(";"), row["mechanisms"].split(";"), strict=True)
        distal = [name for name, kind in pairs if kind == "distal"]
        assert 1 <= len(distal) <= 3
        for name in distal:
            contig, position = name.split(":")[0], int(name.split(":")[1])
            assert contig == genes[str(gene_id)].contig
            assert abs(position - genes[str(gene_id)].tss) <= 90_000
            nearest = min(abs(position - gene.tss) for gene in genes.values() if gene.contig == contig)
            assert nearest > DOWNSTREAM
            assert 0.05 <= dosages.loc[name].mean() / 2 <= 0.95


def test_ld_decays_with_distance(dosages: pd.DataFrame) -> None:
    rows = [name for name in dosages.index if name.startswith("sim1:") and 0.1 < dosages.loc[name].mean() / 2 < 0.9]
    positions = np.array([int(name.split(":")[1]) for name in rows])
    r2 = np.corrcoef(dosages.loc[rows]) ** 2
    distance = np.abs(positions[:, None] - positions[None, :])
    bands = [(1, 2_000), (5_000, 20_000), (40_000, 80_000), (150_000, 400_000)]
    means = [r2[(distance >= low) & (distance < high)].mean() for low, high in bands]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.3
    assert means[-1] < 0.1


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"people": 3}, "people"),
        ({"genes": 2}, "genes"),
        ({"seed": -1}, "seed"),
        ({"null_share": 1.2}, "null_share"),
        ({"heritability": (0.5, 0.2)}, "heritability"),
        ({"mutation_rate": 0.0}, "mutation_rate"),
        ({"contig_length": 200_000}, "contig_length"),
    ],
)
def test_impossible_settings_are_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=f"^simulation: .*{named}.* is "):
        SimulationSettings(**values)  # type: ignore[arg-type]
