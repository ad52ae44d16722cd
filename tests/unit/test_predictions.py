"""Prediction tables: haplotypes to people, shards to one table, controls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.predictions import combine_haplotypes, gather, haplotype_table, reference_only, shuffled

PEOPLE = [f"P{number}" for number in range(9)]


def shard(gene: str, seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).uniform(0.1, 5, size=(len(PEOPLE), 2)).astype(np.float32)
    return haplotype_table(gene, PEOPLE, values)


def test_mean_and_mean_of_logs() -> None:
    table = pd.DataFrame({"haplotype_1": np.float32([1, 2]), "haplotype_2": np.float32([3, 8])})
    assert combine_haplotypes(table, "mean", "m").tolist() == [2, 5]
    np.testing.assert_allclose(combine_haplotypes(table, "mean_of_logs", "m"), np.log([3, 16]) / 2, rtol=1e-6)


def test_exchanging_haplotypes_changes_no_bit() -> None:
    table = shard("G", 3)
    other = table.rename(columns={"haplotype_1": "haplotype_2", "haplotype_2": "haplotype_1"})
    for how in ("mean", "mean_of_logs"):
        assert np.array_equal(combine_haplotypes(table, how, "m"), combine_haplotypes(other, how, "m"))


def test_logs_of_negative_predictions_are_refused() -> None:
    table = pd.DataFrame({"haplotype_1": np.float32([-1.0]), "haplotype_2": np.float32([3])})
    with pytest.raises(InputError, match="positive"):
        combine_haplotypes(table, "mean_of_logs", "m")


def test_gather_keeps_float32_and_names(tmp_path: Path) -> None:
    parts = [shard("A", 1), shard("B", 2)]
    for number, part in enumerate(parts):
        write_table(part, tmp_path / f"{number}.parquet")
    table = gather([tmp_path / "0.parquet", tmp_path / "1.parquet"], "mean", "m")
    assert table["prediction"].dtype == np.float32
    assert list(table.columns) == ["gene_id", "sample", "prediction", "haplotype_1", "haplotype_2"]
    pd.testing.assert_frame_equal(table.drop(columns="prediction"), pd.concat(parts, ignore_index=True))


def test_gather_refuses_a_gene_predicted_twice(tmp_path: Path) -> None:
    write_table(shard("A", 1), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="gene A is predicted twice"):
        gather([tmp_path / "a.parquet", tmp_path / "a.parquet"], "mean", "m")


def test_gather_refuses_what_is_not_finite(tmp_path: Path) -> None:
    part = shard("A", 1)
    part.loc[2, "haplotype_1"] = np.nan
    write_table(part, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="gene A are not finite"):
        gather([tmp_path / "a.parquet"], "mean", "m")


def table_of(genes: str) -> pd.DataFrame:
    parts = [shard(gene, seed).assign(prediction=lambda t: t["haplotype_1"]) for seed, gene in enumerate(genes)]
    return pd.concat(parts, ignore_index=True)


def test_shuffled_gives_everyone_one_other_persons_predictions() -> None:
    table = table_of("ABC")
    wide = table.pivot(index="sample", columns="gene_id", values="prediction")
    mixed = shuffled(table, seed=5).pivot(index="sample", columns="gene_id", values="prediction")
    donors = {}
    for person, row in mixed.iterrows():
        same = [name for name in wide.index if np.array_equal(wide.loc[name], row)]
        assert len(same) == 1, "the same other person for every gene"
        donors[person] = same[0]
    assert sorted(donors.values()) == sorted(PEOPLE)
    assert all(person != donor for person, donor in donors.items())


def test_shuffled_depends_on_names_not_on_order() -> None:
    table = table_of("AB")
    mixed = table.sample(frac=1, random_state=1)
    keys = ["gene_id", "sample"]
    first, second = shuffled(table, 5), shuffled(mixed, 5)
    pd.testing.assert_frame_equal(
        first.sort_values(keys, ignore_index=True), second.sort_values(keys, ignore_index=True)
    )
    assert not first["prediction"].equals(shuffled(table, 6)["prediction"])


def test_reference_only_is_the_same_for_everyone() -> None:
    reference = pd.DataFrame({"gene_id": ["B", "A"], "prediction": np.float32([2, 1])})
    result = reference_only(table_of("AB"), reference)
    assert result.groupby("gene_id")["prediction"].agg(["nunique", "first"]).to_numpy().tolist() == [[1, 1], [1, 2]]
