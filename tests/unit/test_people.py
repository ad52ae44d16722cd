"""Facts about people in every layout, joined by name; faults in words."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from pexbench.cohort import read_people, read_samples
from pexbench.covariates import covariate_matrix
from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.people import join_facts, read_facts

PEOPLE = ["P3", "P1", "P2"]
SAMPLES = pd.DataFrame({"sample": PEOPLE})


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


PANEL = "sample\tpop\tsuper_pop\tgender\t\t\nP1\tGBR\tEUR\tmale\nP2\tFIN\tEUR\tfemale\nP3\tTSI\tEUR\tmale\nP9\tYRI\tAFR\tmale\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("panel.txt", PANEL),
        ("panel.txt.gz", PANEL),
        ("panel.csv", "Sample name,pop,gender,super_pop\nP2,FIN,female,EUR\nP1,GBR,male,EUR\nP3,TSI,male,EUR\n"),
        ("plink.txt", "FID IID pop super_pop gender\n0 P1 GBR EUR male\n0 P2 FIN EUR female\n0 P3 TSI EUR male\n"),
        ("fastqtl.txt", "id\tP9\tP2\tP1\tP3\npop\tYRI\tFIN\tGBR\tTSI\ngender\tx\tfemale\tmale\tmale\nsuper_pop\tAFR\tEUR\tEUR\tEUR\n"),
        ("qtltools.txt.gz", "SampleID P3 P1 P2\npop TSI GBR FIN\nsuper_pop EUR EUR EUR\ngender male male female\n"),
    ],
)  # fmt: skip
def test_every_layout_gives_each_person_their_own_facts(tmp_path: Path, name: str, text: str) -> None:
    facts = read_facts(written(tmp_path, name, text), PEOPLE)
    assert list(facts.index) == PEOPLE
    assert facts["pop"].to_dict() == {"P1": "GBR", "P2": "FIN", "P3": "TSI"}
    assert facts["gender"].to_dict() == {"P1": "male", "P2": "female", "P3": "male"}
    assert set(facts["super_pop"]) == {"EUR"}


def test_several_tables_join_by_name_and_absent_values_are_empty(tmp_path: Path) -> None:
    first = written(tmp_path, "a.tsv", "sample\tsex\nP2\tf\nP1\tNA\n")
    second = written(tmp_path, "b.tsv", "id\tP1\tP2\tP3\nPC1\t0.1\t-0.2\t0.3\n")
    table = join_facts(SAMPLES.assign(batch=["x", "y", "z"]), [first, second])
    write_table(table, tmp_path / "people.tsv")
    back = read_people(tmp_path / "people.tsv")
    assert back.to_dict("index") == {
        "P3": {"batch": "x", "sex": "", "PC1": "0.3"},
        "P1": {"batch": "y", "sex": "", "PC1": "0.1"},
        "P2": {"batch": "z", "sex": "f", "PC1": "-0.2"},
    }


def test_an_empty_fact_in_the_sample_table_stays_in_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "samples.tsv", "sample\tsex\tpop\nP1\t\tGBR\nP2\tf\tFIN\n")
    assert read_samples(path).to_dict("list") == {"sample": ["P1", "P2"], "sex": ["", "f"], "pop": ["GBR", "FIN"]}


def test_columns_in_use_must_be_there(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", PANEL)
    with pytest.raises(InputError, match=r"'race' \(scores.population\) not found.*pop"):
        join_facts(SAMPLES, [path], population="race")
    table = join_facts(SAMPLES, [path], "pop")
    assert list(table["sample"]) == PEOPLE
    with pytest.raises(InputError, match=r"PC1 \(scores.covariates\) not found.*pop"):
        covariate_matrix(table.set_index("sample"), ["PC1", "pop"])


def test_a_covariate_in_use_has_no_gaps_and_a_population_may(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, "a.tsv", "sample\tPC1\tpop\nP1\t0.1\tGBR\nP2\tNA\t\n")
    with caplog.at_level("WARNING", "pexbench"):
        table = join_facts(SAMPLES, [path], population="pop")
    with pytest.raises(InputError, match=r"PC1 has no value for 2 of 3 people \(P3, P2\).*inputs.samples"):
        covariate_matrix(table.set_index("sample"), ["PC1"])
    assert "2 of 3 people have no value (P3, P2)" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sample\tpop\nQ1\tGBR\n", "none of the run's 3 people"),
        ("sample\tpop\nP1\tGBR\nP1\tFIN\n", "person P1 occurs more than once"),
        ("sample\tpop\tpop\nP1\tGBR\tx\n", "fact pop occurs more than once"),
        ("sample\tpop\nP1\tGBR\tmore\n", "line 2 has 3 values"),
        ("sample\tpop\n", "1 line"),
        ("id\tP1\tP1\nPC1\t1\t2\n", "person P1 occurs more than once"),
    ],
)
def test_tables_that_could_mislead_stop(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_facts(written(tmp_path, "a.tsv", text), PEOPLE)


def test_a_fact_comes_from_one_table(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", PANEL)
    with pytest.raises(InputError, match=r"column pop is also in inputs\.samples"):
        join_facts(SAMPLES.assign(pop="x"), [path])
