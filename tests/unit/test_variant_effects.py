"""One variant at a time on the reference: the sequences are bcftools', the effects those of a model that is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pysam
import pytest

import linear_model
from cohorts import LENGTH, PEOPLE, Cohort
from pexbench import bcftools
from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.genotypes import read_genotypes
from pexbench.haplotypes import FLANK, encode
from pexbench.predict import Genotyping, How, predict_shard
from pexbench.reference import Reference
from pexbench.variant_effects import (
    CHOSEN_COLUMNS,
    carried_variants,
    choose,
    parse_variant,
    shard_effects,
    single_variant_sequences,
)
from pexbench.variant_sums import OUTSIDE, shard_sums
from pexbench.variants import VariantRules, subset_variants
from pexbench.windows import Window, window_of

GENES = [Gene("G1", "ONE", "22", 6000, "+"), Gene("G2", "", "22", 12000, "-")]
WINDOW, PLUS = 1200, 500


@dataclass
class Made:
    """A cohort's store and reference, and a model whose effects are known."""

    folder: Path
    genotyping: Genotyping
    reference: Reference
    adapter: Any
    table: np.ndarray

    def window(self, gene: Gene) -> Window:
        return window_of(gene, self.adapter.card.window_rule())

    def genotypes(self, gene: Gene) -> Any:
        window = self.window(gene)
        return read_genotypes(
            self.genotyping.store, "22", window.start - FLANK, window.end + FLANK, self.genotyping.samples
        )

    def chosen(self, scope: str = "all", lead: str = "") -> pd.DataFrame:
        return pd.DataFrame([(gene.gene_id, scope, lead, "") for gene in GENES], columns=list(CHOSEN_COLUMNS))

    def effects(self, chosen: pd.DataFrame, **options: Any) -> pd.DataFrame:
        settings = {"how": How(), "combine": "mean"} | options
        return shard_effects(self.adapter, GENES, chosen, self.reference, self.genotyping, **settings)


#: SNPs every 100 bp, and in both windows an insertion, a deletion, a substitution of two bases, and three alleles.
def records(sequence: str) -> list[tuple[int, str | None, str | None, list[str] | None]]:
    made: list[tuple[int, str | None, str | None, list[str] | None]] = [
        (position, None, None, None) for position in range(2000, 18000, 100)
    ]
    for tss in (6000, 12000):
        insertion, deletion, pair, three = tss - 150, tss + 130, tss + 40, tss + 260
        letters = sequence[three - 1]
        others = [base for base in "ACGT" if base != letters][:2]
        calls = ["1|2", "0|1", "2|2"] + ["0|0"] * (len(PEOPLE) - 3)
        flipped = sequence[pair - 1 : pair + 1].translate(str.maketrans("ACGT", "TGCA"))
        made += [
            (insertion, sequence[insertion - 1], sequence[insertion - 1] + "GATTACA", None),
            (deletion, sequence[deletion - 1 : deletion + 4], sequence[deletion - 1], None),
            (pair, sequence[pair - 1 : pair + 1], flipped, None),
            (three, letters, ",".join(others), calls),
        ]
    return sorted(made, key=lambda record: record[0])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("effects")
    cohort = Cohort()
    cohort.records = records(cohort.reference())
    files = cohort.write(folder)
    reference = Reference(files.reference)
    store = folder / "store.bcf"
    rules = VariantRules(indels=True, multiallelics=True, flank=3000)
    subset_variants(str(files.genotypes), reference, GENES, PEOPLE, rules, store)
    table = np.random.default_rng(3).normal(size=(WINDOW, 5))
    table[:, 4] = 0
    adapter = linear_model.adapter(folder, table, PLUS, WINDOW - 1 - PLUS)
    return Made(folder, Genotyping(store, PEOPLE), reference, adapter, table)


def consensus_of_one_record(made: Made, window: Window, ref: str, alt: str, position: int) -> bytes:
    """What bcftools makes of a VCF with that record alone, carried twice, over a wide stretch around the window."""
    text = (
        f"##fileformat=VCFv4.2\n##contig=<ID=chr22,length={LENGTH}>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tONE\nchr22\t{position}\t.\t{ref}\t{alt}\t.\t.\t.\tGT\t1|1\n"
    )
    path = made.folder / "one.vcf.gz"
    with pysam.BGZFile(str(path), "wb") as handle:
        handle.write(text.encode())
    bcftools.run(["index", "--csi", "-f", str(path)])
    start, end = window.start - 50, window.end + 50
    fasta = made.folder / "one.fa"
    fasta.write_text(f">chr22:{start + 1}-{end}\n{made.reference.fetch('22', start, end).decode()}\n")
    output = bcftools.run(["consensus", "-s", "ONE", "-H", "1pIu", "-f", str(fasta), str(path)])
    whole = b"".join(output.split(b"\n")[1:])
    # The TSS keeps its place: what a variant before it adds or takes shifts where the window begins.
    moved = len(alt) - len(ref) if position - 1 < window.tss else 0
    return whole[50 + moved : 50 + moved + window.length]


@pytest.mark.parametrize("gene", GENES, ids=lambda gene: gene.gene_id)
def test_each_sequence_is_what_bcftools_makes_of_that_record_alone(made: Made, gene: Gene) -> None:
    window, genotypes = made.window(gene), made.genotypes(gene)
    variants, _ = carried_variants(genotypes.select(window.start, window.end))
    kinds = {(len(variant.ref) > 1, len(variant.alt) > 1) for variant in variants}
    assert kinds == {(False, False), (True, False), (False, True), (True, True)}
    assert len(variants) >= 12 + 5
    cohort = single_variant_sequences(made.reference, window, genotypes, variants)
    assert len(cohort.sequences) == len(variants) + 1
    plain = np.frombuffer(made.reference.fetch("22", window.start, window.end), np.uint8)
    codes = cohort.sequences.codes(np.arange(len(cohort.sequences)))
    assert np.array_equal(codes[0], encode(plain[None], window.reverse)[0])
    single = 0
    for variant, (one, other) in zip(variants, cohort.index, strict=True):
        assert one == other
        single += len(variant.ref) == len(variant.alt) == 1
        if len(variant.ref) == len(variant.alt) == 1 and single % 4:
            continue  # bcftools takes its time
        text = consensus_of_one_record(made, window, variant.ref, variant.alt, variant.position + 1)
        wanted = encode(np.frombuffer(text, np.uint8)[None], window.reverse)[0]
        assert np.array_equal(codes[one], wanted), variant.name
    # Only insertions and deletions are kept whole.
    assert len(cohort.sequences.others) == sum(len(variant.ref) != len(variant.alt) for variant in variants)


def test_copies_are_counted_per_allele(made: Made) -> None:
    variants, copies = carried_variants(made.genotypes(GENES[0]))
    by_name = dict(zip((variant.name for variant in variants), copies.T, strict=True))
    three = [name for name in by_name if name.split(":")[1] == "6260"]
    assert len(three) == 2
    assert [by_name[name][:4].tolist() for name in three] == [[1, 1, 0, 0], [1, 0, 2, 0]]
    # Counted by bcftools for a SNP.
    name = next(name for name in by_name if name.split(":")[1] == "5800")
    text = bcftools.run(["query", "-r", "chr22:5800", "-f", "[%GT\n]", str(made.genotyping.store)]).decode()
    assert by_name[name].tolist() == [line.count("1") for line in text.split()]


@pytest.mark.parametrize("gene", GENES, ids=lambda gene: gene.gene_id)
def test_effects_of_a_linear_model_are_its_table(made: Made, gene: Gene) -> None:
    found = made.effects(made.chosen())
    found = found[found["gene_id"] == gene.gene_id]
    window = made.window(gene)
    for row in found.itertuples():
        if len(row.ref) > 1 or len(row.alt) > 1:
            continue
        place = row.pos - 1 - window.start
        bases = "ACGT"
        if window.reverse:
            place, bases = WINDOW - 1 - place, "TGCA"
        wanted = made.table[place, bases.index(row.alt)] - made.table[place, bases.index(row.ref)]
        assert row.effect == pytest.approx(wanted, abs=1e-5)  # float32 of a sum of 1,200
        assert row.gradient == pytest.approx(wanted, abs=1e-6)
        assert row.variant == f"22:{row.pos}:{row.ref}:{row.alt}"
    same = found["ref"].str.len() == found["alt"].str.len()
    np.testing.assert_allclose(found["gradient"][same], found["effect"][same], rtol=0, atol=1e-5)
    assert found["gradient"][~same].isna().all()
    assert (~same).sum() == 2
    assert found["effect"].abs().min() > 0


def test_plain_and_shared_agree_and_the_gradient_can_be_left_out(made: Made) -> None:
    shared = made.effects(made.chosen())
    pd.testing.assert_frame_equal(made.effects(made.chosen(), how=How(method="plain")), shared)
    without = made.effects(made.chosen(), gradient=False)
    pd.testing.assert_series_equal(without["effect"], shared["effect"])
    assert without["gradient"].isna().all()


def test_a_lead_alone_inside_and_outside_the_window(made: Made) -> None:
    every = made.effects(made.chosen()).set_index(["gene_id", "variant"])
    inside = next(name for gene, name in every.index if gene == "G1" and name.split(":")[1] == "5900")
    found = made.effects(made.chosen("lead", inside))
    assert found["gene_id"].tolist() == ["G1", "G2"]
    assert found["variant"].tolist() == [inside, inside]
    # The same number, although it was computed in other company; far from the other gene it does nothing.
    assert found["effect"].tolist() == [every.loc[("G1", inside), "effect"], 0.0]
    assert found["gradient"].tolist()[1] == 0.0
    added = made.effects(made.chosen("all", inside))
    assert len(added) == len(every) + 1
    with pytest.raises(InputError, match=r"lead variant 22:5901:A:C of gene G1 not found"):
        made.effects(made.chosen("lead", "22:5901:A:C"))
    assert made.effects(made.chosen("lead", "")).empty


def test_sums_are_the_whole_for_an_additive_model(made: Made) -> None:
    """Without insertions and deletions, which move what lies behind them."""
    rules = VariantRules(multiallelics=True, flank=3000)
    store = made.folder / "snps.bcf"
    subset_variants(str(made.folder / "genotypes.vcf.gz"), made.reference, GENES, PEOPLE, rules, store)
    genotyping = Genotyping(store, PEOPLE)
    lead = "22:5900:" + ":".join(_alleles(store, 5900))
    chosen = made.chosen("all", lead)
    chosen.loc[chosen["gene_id"] == "G2", "note"] = "few people"
    card = made.adapter.card
    people, reference, _ = predict_shard(made.adapter, card, GENES, {"G1", "G2"}, made.reference, genotyping, How())
    effects = shard_effects(made.adapter, GENES, chosen, made.reference, genotyping, How(), "mean")
    settings = (made.reference, genotyping, card.window_rule(), 3000, "mean", "linear")
    mixed = people.sample(frac=1, random_state=1)  # people are matched by name
    table, drivers, shares = shard_sums(GENES, chosen, effects, mixed, reference, *settings[1:])
    np.testing.assert_allclose(table["additivity_r2"], 1, atol=1e-8)
    np.testing.assert_allclose(table["additivity_slope"], 1, atol=1e-4)
    assert table["note"].tolist() == ["", f"few people; {OUTSIDE}"]
    assert table["lead_effect"].tolist()[1] == 0
    total = len(carried_variants(read_genotypes(store, "22", 6000 - 1 - 3000, 6000 + 3000, PEOPLE))[0])
    assert (table["n_variants"] + table["n_outside"]).tolist()[0] == total
    # Oracle of the whole: predictions of people, written out.
    both = people[people["gene_id"] == "G1"].set_index("sample")[["haplotype_1", "haplotype_2"]].astype(float)
    base = float(reference.set_index("gene_id").loc["G1", "prediction"])
    whole = both.mean(axis=1) - base
    own = drivers[drivers["gene_id"] == "G1"]
    assert own["rank"].tolist() == list(range(1, len(own) + 1))
    variants, copies = carried_variants(read_genotypes(store, "22", 0, LENGTH, PEOPLE))
    by_name = dict(zip((variant.name for variant in variants), copies.T, strict=True))
    partial = sum(by_name[row.variant] * row.effect / 2 for row in own.itertuples())
    mine = shares[shares["gene_id"] == "G1"].set_index("variant")
    effect = effects[effects["gene_id"] == "G1"].set_index("variant")["effect"][mine.index]
    assert len(mine) == table["n_variants"].tolist()[0]
    np.testing.assert_allclose(
        mine["share"],
        [
            np.cov(by_name[name] * effect[name] / 2, whole.loc[PEOPLE], ddof=0)[0, 1] / np.var(whole)
            for name in mine.index
        ],
        atol=1e-4,
    )
    assert mine["driver"].dropna().sort_values().index.tolist() == own["variant"].tolist()
    left = np.var(whole.loc[PEOPLE].to_numpy() - partial) / np.var(whole)
    assert 1 - left == pytest.approx(own["cumulative"].iloc[-1], abs=1e-4)
    assert 1 - left >= 0.95
    with pytest.raises(InputError, match="delete the model's variant_effects"):
        shard_sums(GENES, chosen, effects.iloc[1:], people, reference, *settings[1:])


def test_logs_where_the_person_is_a_mean_of_logs(made: Made) -> None:
    table = np.exp(made.table / 100) / WINDOW  # positive sums
    table[:, 4] = 0
    adapter = linear_model.adapter(made.folder / "positive", table, PLUS, WINDOW - 1 - PLUS)
    plain = shard_effects(adapter, GENES, made.chosen(), made.reference, made.genotyping, How(), "mean")
    logs = shard_effects(adapter, GENES, made.chosen(), made.reference, made.genotyping, How(), "mean_of_logs")
    for gene in GENES:
        window = made.window(gene)
        codes = encode(
            np.frombuffer(made.reference.fetch("22", window.start, window.end), np.uint8)[None], window.reverse
        )
        base = float(adapter.predict(codes)[0])
        own = (plain["gene_id"] == gene.gene_id).to_numpy()
        np.testing.assert_allclose(logs["effect"][own], np.log1p(plain["effect"][own] / base), rtol=0, atol=1e-7)
        np.testing.assert_allclose(logs["gradient"][own], plain["gradient"][own] / base, rtol=1e-6)
    with pytest.raises(InputError, match="logs need positive predictions"):
        made.effects(made.chosen(), combine="mean_of_logs")


def _alleles(store: Path, position: int) -> list[str]:
    text = bcftools.run(["query", "-r", f"chr22:{position}", "-f", "%REF %ALT", str(store)]).decode()
    return text.split()


def test_which_genes_get_every_variant() -> None:
    genes = pd.DataFrame(
        {"gene_id": ["A", "B", "C", "D"], "symbol": ["a", "", "c", "d"], "personal": [True, True, True, False]}
    )
    found = pd.DataFrame(
        {
            "gene_id": ["C", "A", "B"],
            "lead_variant": ["1:3:A:C", "1:1:A:C", ""],
            "p": [0.0, 0.0, np.nan],
            "r": [0.8, -0.9, np.nan],
            "note": ["", "", "no common variant"],
        }
    )
    strongest = choose(genes, found, "strongest")
    assert strongest["gene_id"].tolist() == ["A", "B", "C"]
    assert strongest["scope"].tolist() == ["all", "lead", "lead"]  # both p are 0: the larger correlation
    assert strongest["lead_variant"].tolist() == ["1:1:A:C", "", "1:3:A:C"]
    assert strongest["note"].tolist() == ["", "no common variant", ""]
    assert choose(genes, found, "all")["scope"].tolist() == ["all"] * 3
    assert choose(genes, found, ["c", "B"])["scope"].tolist() == ["lead", "all", "all"]
    with pytest.raises(InputError, match=r"'E' not found among the run's 4 genes"):
        choose(genes, found, ["A", "E"])
    with pytest.raises(InputError, match=r"'d' has no personal genotypes"):
        choose(genes, found, ["d"])
    with pytest.raises(InputError, match=r"gene\(s\) B not found"):
        choose(genes, found.iloc[:2], "strongest")


def test_names_of_variants() -> None:
    found = parse_variant("HLA:A:12:AT:G")
    assert (found.position, found.ref, found.alt) == (11, "AT", "G")
    assert found.overlaps(Window("HLA:A", 12, 20, 15, False))
    assert not found.overlaps(Window("HLA:A", 13, 20, 15, False))
    with pytest.raises(InputError, match="contig:position:REF:ALT"):
        parse_variant("12:A:C")
