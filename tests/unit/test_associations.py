"""Associations, against scipy and statsmodels, variant by variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import linregress

from pexbench.associations import (
    CIS,
    GENES,
    associate_gene,
    join_eqtl,
    read_associations,
    read_eqtl,
)
from pexbench.baselines.top_snp import predict_top_snp
from pexbench.errors import InputError
from pexbench.files import write_table
from pexbench.genes import Gene
from pexbench.regression import regress

GENE = Gene("G1", "ONE", "1", 1_000, "-")


def cohort(seed, people=120, snps=30, effect=0.0):
    rng = np.random.default_rng(seed)
    x = rng.binomial(2, rng.uniform(0.1, 0.5, snps), (people, snps)).astype(np.float32)
    y = effect * x[:, snps // 2] + rng.normal(size=people)
    return x, [f"1:{900 + 10 * j}:A:C" for j in range(snps)], y, [f"p{i:03d}" for i in range(people)]


def test_every_variant_has_the_values_of_linregress():
    for seed, people in ((1, 120), (2, 3), (3, 40)):
        x, _, y, _ = cohort(seed, people=people)
        x = x[:, np.ptp(x, axis=0) > 0].astype(np.float64)
        x = np.column_stack([x, 2 * y / np.abs(y).max() + rng_noise(seed, people)])  # nearly perfect
        found = regress(x, y)
        for j in range(x.shape[1]):
            expected = linregress(x[:, j], y)
            assert found.slope[j] == pytest.approx(expected.slope, rel=1e-9)
            assert found.r[j] == pytest.approx(expected.rvalue, rel=1e-9)
            assert found.se[j] == pytest.approx(expected.stderr, rel=1e-6, abs=1e-12)
            assert found.p[j] == pytest.approx(expected.pvalue, rel=1e-6)


def rng_noise(seed, people):
    return 1e-3 * np.random.default_rng(seed + 100).normal(size=people)


def test_with_covariates_it_is_the_joint_regression_with_its_degrees_of_freedom():
    x, _, y, _ = cohort(4)
    rng = np.random.default_rng(5)
    c = np.column_stack([rng.normal(size=120), x[:, 3] + rng.normal(size=120), rng.integers(0, 2, 120)])
    y = y + c @ [1.0, -2.0, 3.0]
    found = regress(x.astype(np.float64), y, c)
    for j in range(x.shape[1]):
        fit = sm.OLS(y, sm.add_constant(np.column_stack([x[:, j].astype(float), c]))).fit()
        assert found.slope[j] == pytest.approx(fit.params[1], rel=1e-8)
        assert found.se[j] == pytest.approx(fit.bse[1], rel=1e-8)
        assert found.p[j] == pytest.approx(fit.pvalues[1], rel=1e-7)


def test_what_does_not_vary_has_no_correlation_and_costs_no_degree_of_freedom():
    """0.3 and 0.7 have no exact mean in binary: what rounding leaves is neither a dosage nor a covariate."""
    x, _, y, _ = cohort(14, people=77)
    x = np.column_stack([x[:, :3].astype(np.float64), np.full(77, 0.3)])
    found, plain = regress(x, y, np.full((77, 1), 0.7)), regress(x[:, :3], y)
    np.testing.assert_allclose(found.p[:3], plain.p, rtol=1e-9)
    assert np.isnan([found.slope[3], found.se[3], found.r[3], found.p[3]]).all()
    assert np.isnan(regress(x, np.full(77, 0.3)).r).all()


def test_a_variant_that_covariates_explain_is_not_tested():
    x, variants, y, samples = cohort(6)
    found = associate_gene(GENE, x, variants, y, samples, 0.05, x[:, [4]].astype(np.float64))
    assert "1 variants are constant or explained by covariates" in str(found.row["note"])
    assert variants[4] not in set(found.cis["variant"])
    assert found.row["n_variants"] == 29


def test_the_lead_is_the_one_of_the_top_snp_and_ties_go_to_the_first_name():
    x, variants, y, samples = cohort(7, effect=0.8)
    x = np.column_stack([x, x[:, 15], 2 - x[:, 15]])
    variants = [*variants, "1:0999:G:T", "1:2000:G:T"]
    found = associate_gene(GENE, x, variants, y, samples, 0.05)
    assert found.row["lead_variant"] == "1:0999:G:T" == predict_top_snp(x, variants, y, samples).variant
    assert found.row["p"] == pytest.approx(linregress(x[:, 15], y).pvalue, rel=1e-9)
    assert found.row["p_bonferroni"] == pytest.approx(min(1, found.row["p"] * 32))
    np.testing.assert_array_equal(found.dosage, x[:, 15])
    assert tuple(found.cis.columns) == CIS
    assert list(found.cis["pos"]) == sorted(found.cis["pos"])


@pytest.mark.parametrize(("strand", "sign"), [("+", 1), ("-", -1)])
def test_distance_goes_with_the_gene_and_alleles_with_the_name(strand, sign):
    x, variants, y, samples = cohort(8)
    found = associate_gene(Gene("G1", "", "1", 1_000, strand), x, variants, y, samples, 0.0)
    row = found.cis.set_index("variant").loc["1:1050:A:C"]
    assert row["distance"] == sign * 50
    assert (row["contig"], row["pos"], row["ref"], row["alt"]) == ("1", 1050, "A", "C")
    assert row["af"] == pytest.approx(x[:, variants.index("1:1050:A:C")].mean() / 2)


def test_people_without_expression_are_left_out_of_the_gene_and_keep_their_dosage():
    x, variants, y, samples = cohort(9, effect=0.9)
    y[[3, 50]] = np.nan
    found = associate_gene(GENE, x, variants, y, samples, 0.05)
    known = np.isfinite(y)
    lead = variants.index(found.row["lead_variant"])
    assert found.row["n"] == 118
    assert "2 of 120 people have no expression" in str(found.row["note"])
    assert found.row["slope"] == pytest.approx(linregress(x[known, lead], y[known]).slope, rel=1e-9)
    assert len(found.dosage) == 120


def test_the_order_of_people_and_variants_plays_no_part():
    x, variants, y, samples = cohort(10, effect=0.5)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(len(y)), rng.permutation(len(variants))
    found = associate_gene(GENE, x, variants, y, samples, 0.05)
    other = associate_gene(
        GENE, x[rows][:, columns], [variants[j] for j in columns], y[rows], [samples[i] for i in rows], 0.05
    )
    pd.testing.assert_frame_equal(other.cis, found.cis)
    assert other.row == found.row
    np.testing.assert_array_equal(other.dosage, found.dosage[rows])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (x, np.where(np.arange(120) < 9, y, np.nan)), "9 people with expression, 10 needed"),
        (lambda x, y: (x, np.ones(120)), "expression the same for everyone"),
        (lambda x, y: (np.zeros_like(x), y), "no variant of frequency 0.05 or more"),
        (lambda x, y: (x[:, :0], y), "no variant of frequency 0.05 or more"),
    ],
)
def test_a_gene_without_associations_says_why(change, said):
    x, variants, y, samples = cohort(11)
    x, y = change(x, y)
    found = associate_gene(GENE, x, variants[: x.shape[1]], y, samples, 0.05)
    assert said in str(found.row["note"])
    assert found.cis is None
    assert "lead_variant" not in found.row


def test_with_few_people_there_is_no_heritability_and_a_reason():
    x, variants, y, samples = cohort(12, people=99)
    found = associate_gene(GENE, x, variants, y, samples, 0.05)
    assert "heritability needs 100 people, 99 are here" in str(found.row["note"])
    assert "h2" not in found.row
    x, variants, y, samples = cohort(12, people=100)
    assert 0 <= associate_gene(GENE, x, variants, y, samples, 0.05).row["h2"] <= 1


EQTL = (
    ",GENE_ID,name,distance,minor_allele_freq,rvalue,log10pvalue\n"
    "0,ENSG00000000457.8,scyl3,12249.0,0.3822,-0.25,6.03\n1,,cyp51a1,,,,\n2,ENSG00000100075.5,slc25a1,1744,0.1566,-0.357,\n"
)


def test_published_eqtls_stand_beside_by_id_without_version(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "eqtl.csv"
    path.write_text(EQTL)
    genes = pd.DataFrame({"gene_id": ["ENSG00000100075", "ENSG00000000001"], "note": ["", ""]})
    with caplog.at_level("INFO", "pexbench"):
        joined = join_eqtl(genes, path)
    assert joined["eqtl_r"].tolist()[0] == -0.357
    assert np.isnan(joined.loc[0, "eqtl_log10p"])
    assert joined.loc[1, ["eqtl_distance", "eqtl_maf", "eqtl_r", "eqtl_log10p"]].isna().all()
    assert list(joined["gene_id"]) == list(genes["gene_id"])
    assert "1 of the run's 2 genes, of 2 in the table" in caplog.text


def test_published_eqtls_of_other_genes_stop(tmp_path: Path) -> None:
    path = tmp_path / "eqtl.csv"
    path.write_text(EQTL)
    with pytest.raises(InputError, match="none of the run's 1 genes"):
        join_eqtl(pd.DataFrame({"gene_id": ["slc25a1"]}), path)
    path.write_text(EQTL.replace("rvalue", "rho"))
    with pytest.raises(InputError, match="column rvalue not found"):
        read_eqtl(path)
    path.write_text(EQTL.replace("12249.0", "far"))
    with pytest.raises(InputError, match="far"):
        read_eqtl(path)
    path.write_text(EQTL + "3,ENSG00000000457.9,x,1,0.1,0.1,1\n")
    with pytest.raises(InputError, match="ENSG00000000457 occurs more than once"):
        read_eqtl(path)


def test_tables_read_back_as_they_were(tmp_path: Path) -> None:
    x, variants, y, samples = cohort(13)
    row = associate_gene(GENE, x, variants, y, samples, 0.05).row
    table = pd.DataFrame([row, {"gene_id": "NA", "n": 0, "n_variants": 0, "note": "why"}], columns=list(GENES))
    write_table(table, tmp_path / "genes.tsv")
    back = read_associations(tmp_path / "genes.tsv")
    assert back.loc[0, "p"] == row["p"]
    assert np.isnan(back.loc[1, "p"])
    assert (back.loc[1, "lead_variant"], back.loc[1, "gene_id"]) == ("", "NA")
