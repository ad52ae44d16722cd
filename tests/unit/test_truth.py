"""Statistics against the truth of a simulated cohort: the baselines find what is there, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pexbench import heritability
from pexbench.baselines.elastic_net import Settings, predict_elastic_net
from pexbench.baselines.top_snp import predict_top_snp
from pexbench.cohort import read_expression
from pexbench.genes import read_genes
from pexbench.genotypes import read_genotypes
from pexbench.reference import Reference
from pexbench.simulate import simulate
from pexbench.simulate_names import SimulationSettings, sample_names
from pexbench.variants import VariantRules, subset_variants

pytestmark = pytest.mark.slow
PEOPLE, FLANK = 200, 50_000


@dataclass
class Truth:
    """One row per gene, and what each method made of it."""

    table: pd.DataFrame

    @property
    def null(self) -> pd.DataFrame:
        """Genes without any genetic effect."""
        return self.table[self.table["h2"] == 0]

    @property
    def heritable(self) -> pd.DataFrame:
        """The others."""
        return self.table[self.table["h2"] > 0]


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson; 0 for a constant."""
    return 0.0 if np.ptp(first) == 0 or np.ptp(second) == 0 else float(np.corrcoef(first, second)[0, 1])


def best_linear_prediction(dosages: np.ndarray, measured: np.ndarray, folds: np.ndarray, h2: float) -> np.ndarray:
    """Held-out best linear unbiased prediction when heritability is known and every SNP shares it (GBLUP).

    Henderson's equations in closed form, no penalty to choose: what this sample size allows a method that is told h2.
    """
    z = (dosages - dosages.mean(axis=0)) / dosages.std(axis=0)
    kinship = z @ z.T / z.shape[1]
    prediction = np.zeros(len(measured))
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        system = kinship[np.ix_(train, train)] + (1 - h2) / h2 * np.eye(train.sum())
        centred = measured[train] - measured[train].mean()
        prediction[test] = kinship[np.ix_(test, train)] @ np.linalg.solve(system, centred)
    return prediction


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("truth")
    simulate(SimulationSettings(seed=11, people=PEOPLE, genes=80), folder)
    genes = read_genes(folder / "genes.tsv")
    expression = read_expression(folder / "expression.bed.gz")
    genetic = pd.read_parquet(folder / "truth_genetic.parquet").set_index(["gene_id", "sample"])["genetic"]
    told = pd.read_csv(folder / "truth.tsv", sep="\t").set_index("gene_id")
    people = sample_names(PEOPLE)
    reference = Reference(folder / "reference.fa")
    for contig in sorted({gene.contig for gene in genes.values()}):
        members = [gene for gene in genes.values() if gene.contig == contig]
        rules = VariantRules(flank=FLANK)
        subset_variants(folder / "genotypes.vcf.gz", reference, members, people, rules, folder / f"{contig}.bcf")
    rows = []
    for gene_id, gene in genes.items():
        store = folder / f"{gene.contig}.bcf"
        found = read_genotypes(store, gene.contig, gene.tss0 - FLANK, gene.tss0 + FLANK + 1, people)
        dosages, _, variants = found.dosages()
        measured = expression.loc[gene_id, people].to_numpy()
        true = genetic.loc[gene_id].loc[people].to_numpy()
        net = predict_elastic_net(dosages, variants, measured, people, Settings(seed=1))
        top = predict_top_snp(dosages, variants, measured, people, seed=1)
        best = dosages[:, variants.index(top.variant)]
        h2 = float(told.loc[gene_id, "h2"])
        share = dosages.mean(axis=0) / 2
        common = dosages[:, (share > 0.05) & (share < 0.95)].astype(np.float64)
        blup = best_linear_prediction(common, measured, net.folds, h2 or 0.01)
        reml = heritability.estimate(common, measured)
        rows.append(
            {
                "gene_id": gene_id,
                "h2": h2,
                "net": correlation(net.prediction, measured),
                "net_within": net.r_within_folds,
                "top": correlation(top.prediction, measured),
                "top_within": top.r_within_folds,
                "net_true": correlation(net.prediction, true),
                "oracle": correlation(true, measured),
                "top_sign_agrees": np.sign(top.r) == np.sign(correlation(best, true)),
                "told_h2": correlation(blup, measured),
                "reml": reml.h2,
                "reml_p": reml.p,
            }
        )
    return Truth(pd.DataFrame(rows))


def standard_error(values: pd.Series) -> float:
    return float(values.std() / np.sqrt(len(values)))


def test_the_perfect_predictor_reaches_the_root_of_heritability(truth: Truth) -> None:
    """The cohort itself: r of the true genetic value is sqrt(h2), but for the normal transform."""
    ratio = truth.heritable["oracle"] / np.sqrt(truth.heritable["h2"])
    assert abs(ratio.mean() - 1) < 0.05


@pytest.mark.parametrize(("method", "share"), [("net", 0.9), ("top", 0.75)])
def test_mean_r_lies_where_heritability_and_sample_size_let_it_lie(truth: Truth, method: str, share: float) -> None:
    """Below the true genetic values, which know all; not far from a predictor that is told the heritability."""
    genes = truth.heritable
    assert genes[method].mean() < genes["oracle"].mean()
    assert genes[method].mean() > share * genes["told_h2"].mean()
    assert genes["told_h2"].mean() > 0.3, "the yardstick itself finds the signal"


@pytest.mark.parametrize("method", ["net", "top"])
def test_genes_without_any_effect_are_centred_on_zero(truth: Truth, method: str) -> None:
    """Within folds no mean can leak; pooled over folds r has a known small negative bias (about -0.02)."""
    within, pooled = truth.null[f"{method}_within"], truth.null[method]
    assert len(within) >= 20
    assert abs(within.mean()) < 3 * standard_error(within)
    assert -0.03 - 3 * standard_error(pooled) < pooled.mean() < 3 * standard_error(pooled)


def test_the_recovered_direction_agrees_with_the_truth(truth: Truth) -> None:
    clear = truth.table[truth.table["h2"] > 0.2]
    assert len(clear) >= 15
    assert (clear["net_true"] > 0).mean() >= 0.95
    assert clear["top_sign_agrees"].mean() >= 0.95


def test_more_heritable_genes_are_predicted_better(truth: Truth) -> None:
    assert truth.heritable["net"].corr(truth.heritable["h2"], method="spearman") > 0.5


def test_heritability_is_that_of_the_simulation(truth: Truth) -> None:
    """Unbiased on average, ordered by the truth, and not found where there is none."""
    genes = truth.heritable
    error = genes["reml"] - genes["h2"]
    assert abs(error.mean()) < 3 * standard_error(error)
    assert standard_error(error) < 0.03, "the comparison can tell a bias of a tenth"
    assert genes["reml"].corr(genes["h2"], method="spearman") > 0.6
    # At the boundary: half of null genes have p = 1, and 5 % of all lie below 0.05.
    null = truth.null["reml_p"]
    assert (null < 0.05).sum() <= stats.binom.ppf(0.999, len(null), 0.05)
    assert truth.null["reml"].mean() < 0.05
    assert (genes["reml_p"] < 0.05).mean() > 0.8
