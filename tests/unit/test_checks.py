"""check_inputs: one sentence for each fault, a reason for each thing left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cohorts import PEOPLE, RULES, Cohort
from pexbench.checks import CheckRules, check_inputs
from pexbench.errors import InputError
from pexbench.files import read_json, read_table
from pexbench.variants import VariantRules


def run(cohort: Cohort, folder: Path, rules: CheckRules = RULES) -> Path:
    check_inputs(cohort.write(folder), rules, folder / "out")
    return folder / "out"


def fault(cohort: Cohort, folder: Path, rules: CheckRules = RULES) -> str:
    with pytest.raises(InputError) as raised:
        run(cohort, folder, rules)
    assert not (folder / "out" / "inputs.json").exists()
    return str(raised.value)


def dropped(folder: Path) -> dict[tuple[str, str], str]:
    table = read_table(folder / "dropped.tsv")
    return {(row.kind, row.id): row.reason for row in table.itertuples()}


def test_a_sound_cohort_passes_and_contig_names_are_matched(tmp_path: Path) -> None:
    out = run(Cohort(), tmp_path)
    counts = read_json(out / "inputs.json")
    assert (counts["genes"], counts["genes_personal"], counts["people"]) == (2, 2, 12)
    assert counts["contigs_genes_to_reference"] == {"22": "chr22"}
    # Records at 3000..9000 and 9000..15000, every 250 bp, carried by somebody.
    assert counts["variants_used"] == len(range(3000, 15001, 250))
    assert list(read_table(out / "samples.tsv")["sample"]) == sorted(PEOPLE)
    assert dropped(out) == {}


def call(position: int, genotype: str) -> Cohort:
    cohort = Cohort()
    calls = ["0|1"] * len(PEOPLE)
    calls[4] = genotype
    cohort.records.append((position, None, None, calls))
    cohort.records.sort(key=lambda record: record[0])
    return cohort


@pytest.mark.parametrize(
    ("genotype", "said"), [("0/1", "phased"), ("1", "haploid"), (".|.", "missing"), ("0|1|1", "allele")]
)
def test_genotypes_that_would_falsify_haplotypes_name_person_and_position(
    tmp_path: Path, genotype: str, said: str
) -> None:
    text = fault(call(5001, genotype), tmp_path)
    assert said in text
    assert "P05" in text
    assert "5001" in text


def test_missing_genotypes_pass_by_option_and_are_counted(tmp_path: Path) -> None:
    out = run(call(5001, ".|."), tmp_path, replace(RULES, missing="reference"))
    assert read_json(out / "inputs.json")["missing_genotypes"] == 1


def test_an_unphased_homozygote_is_no_fault(tmp_path: Path) -> None:
    run(call(5001, "1/1"), tmp_path)


def test_ref_that_differs_from_the_reference_stops(tmp_path: Path) -> None:
    cohort = Cohort()
    wrong = {"A": "C", "C": "A", "G": "A", "T": "A"}[cohort.reference()[5000]]
    cohort.records.append((5001, wrong, "G", None))
    cohort.records.sort(key=lambda record: record[0])
    text = fault(cohort, tmp_path)
    assert "REF differs" in text
    assert "22:5001" in text
    assert "1 records" in text


def test_a_repeated_record_stops(tmp_path: Path) -> None:
    cohort = Cohort()
    cohort.records = sorted([*cohort.records, (5000, None, None, None)], key=lambda record: record[0])
    assert "22:5000 occurs twice" in fault(cohort, tmp_path)


def test_people_without_genotypes_or_expression_are_listed(tmp_path: Path) -> None:
    cohort = Cohort(expressed=[*PEOPLE[1:], "STRANGER"])
    out = run(cohort, tmp_path)
    assert dropped(out) == {("sample", "P01"): "no expression", ("sample", "STRANGER"): "no genotypes"}


def test_people_asked_for_and_absent_are_listed_and_order_is_kept(tmp_path: Path) -> None:
    out = run(Cohort(samples=[*PEOPLE[::-1], "NOBODY"]), tmp_path)
    assert dropped(out) == {("sample", "NOBODY"): "no genotypes and no expression"}
    assert list(read_table(out / "samples.tsv")["sample"]) == PEOPLE[::-1]


def test_names_of_different_kinds_are_shown(tmp_path: Path) -> None:
    text = fault(Cohort(expressed=[f"X{number}" for number in range(12)]), tmp_path)
    assert "0 have genotypes and expression" in text
    assert "P01" in text
    assert "X1" in text


@pytest.mark.parametrize(
    ("gene", "reason"),
    [
        (("G3", "", "22", 1500, "+"), "less than 2000 bp of reference around the TSS"),
        (("G3", "", "22", 19000, "+"), "less than 2000 bp of reference around the TSS"),
        (("G3", "", "7", 5000, "+"), "contig 7 is not in the reference"),
    ],
)
def test_genes_off_the_reference_are_listed(tmp_path: Path, gene: tuple[str, str, str, int, str], reason: str) -> None:
    cohort = Cohort()
    cohort.genes.append(gene)
    assert dropped(run(cohort, tmp_path))[("gene", "G3")] == reason


def test_levels_of_other_people_stop(tmp_path: Path) -> None:
    (tmp_path / "levels.tsv").write_text("gene_id\tQ1\tQ2\nG1\t1\t2\n")
    files = replace(Cohort().write(tmp_path), expression_genes=tmp_path / "levels.tsv")
    with pytest.raises(
        InputError, match=r"across genes: none of the run's 12 people .* has a column; the table has Q1, Q2"
    ):
        check_inputs(files, RULES, tmp_path / "out")


def test_constant_and_non_finite_expression_is_listed(tmp_path: Path) -> None:
    cohort = Cohort(
        expression={
            "G1": lambda number: 1 + 1e-14 * number,
            "G3": lambda number: float("nan") if number == 3 else number,
        }
    )
    cohort.genes.append(("G3", "", "22", 8000, "+"))
    out = run(cohort, tmp_path)
    reasons = dropped(out)
    assert reasons[("expression row (across individuals)", "G1")] == "expression the same for everyone"
    assert reasons[("expression row (across individuals)", "G3")] == "expression not finite"
    assert list(read_table(out / "genes.tsv")["gene_id"]) == ["G2"]


def test_no_gene_left_is_a_fault_with_reasons(tmp_path: Path) -> None:
    text = fault(Cohort(expression={"G1": lambda _: 1.0, "G2": lambda _: 2.0}), tmp_path)
    assert "no gene is left" in text
    assert "no usable expression" in text


def test_genes_outside_the_genotyped_region_get_the_reference_only(tmp_path: Path) -> None:
    out = run(Cohort(), tmp_path, replace(RULES, region="chr22:3000-9000"))
    table = read_table(out / "genes.tsv", personal=bool)
    assert dict(zip(table["gene_id"], table["personal"], strict=True)) == {"G1": True, "G2": False}
    assert "reference prediction only" in dropped(out)[("personal prediction", "G2")]


def test_genes_without_variants_are_noted(tmp_path: Path) -> None:
    cohort = Cohort(records=[(position, None, None, None) for position in range(3000, 8000, 250)])
    cohort.genes[1] = ("G2", "", "22", 15000, "-")
    assert "no variant" in dropped(run(cohort, tmp_path))[("note", "G2")]


def test_no_variant_at_all_is_a_fault(tmp_path: Path) -> None:
    assert "no usable variant" in fault(Cohort(records=[(500, None, None, None)]), tmp_path)


def test_kinds_not_used_are_counted(tmp_path: Path) -> None:
    cohort = Cohort()
    sequence = cohort.reference()
    pair, single = sequence[5000:5002], sequence[5100]
    others = [base for base in "ACGT" if base != single]
    cohort.records += [(5001, pair, pair[0], None), (5101, single, f"{others[0]},{others[1]}", None)]
    cohort.records.sort(key=lambda record: record[0])
    table = read_table(run(cohort, tmp_path) / "dropped.tsv", count=int)
    found = dict(zip(table["id"], table["count"], strict=True))
    assert found == {"indel on 22": 1, "multi-allelic on 22": 1}
    rules = replace(RULES, variants=VariantRules(indels=True, multiallelics=True, flank=3000))
    (tmp_path / "all").mkdir()
    out = run(cohort, tmp_path / "all", rules)
    assert dropped(out) == {}
    # With indels further records are kept around the flank, for sequence that deletions draw into a window: all of them.
    assert read_json(out / "inputs.json")["variants_used"] == len(range(2000, 18000, 250)) + 2


def test_without_genotypes_people_are_those_with_expression(tmp_path: Path) -> None:
    files = Cohort().write(tmp_path)
    check_inputs(replace(files, reference=None, genotypes=None), RULES, tmp_path / "out")
    counts = read_json(tmp_path / "out" / "inputs.json")
    assert (counts["genotypes"], counts["genes"], counts["genes_personal"]) == (False, 2, 0)
    assert counts["people"] == counts["people_with_expression"]
    assert counts["people_genotyped"] is None
    assert not {"variants_used", "bcftools"} & set(counts)
    assert "reference.fa" not in str(counts["sha256"])
