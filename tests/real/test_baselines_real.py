"""Baselines on a real gene: SLC25A1, whose expression a nearby SNP is known to change."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pysam
import pytest

from pexbench.baselines.elastic_net import fit_weights, predict_elastic_net
from pexbench.baselines.top_snp import predict_top_snp

MIRROR = os.environ.get("PEXBENCH_MIRROR", "")
VCF = Path(MIRROR, "chr22", "1000G.EUR503.chr22_17.75-19.25Mb.vcf.gz")
EXPRESSION = Path(MIRROR, "chr22", "geuvadis.EUR373.chr22.normalised.bed.gz")
TSS, FLANK = 19_166_343, 98_304

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not (MIRROR and VCF.exists() and EXPRESSION.exists()),
        reason="PEXBENCH_MIRROR names no folder with the chr22 genotypes and expression",
    ),
]


@pytest.fixture(scope="module")
def slc25a1():
    """Dosages, variant ids, expression and names of the 358 people with both, read without the library."""
    with gzip.open(EXPRESSION, "rt") as handle:
        header = handle.readline().split()
        row = next(fields for fields in map(str.split, handle) if fields[3].startswith("ENSG00000100075"))
    measured = dict(zip(header[4:], map(float, row[4:]), strict=True))
    with pysam.VariantFile(str(VCF)) as file:
        samples = [name for name in file.header.samples if name in measured]
        file.subset_samples(samples)
        columns, variants = [], []
        for record in file.fetch("22", TSS - 1 - FLANK, TSS + FLANK):
            alleles = record.alleles or ()
            if len(alleles) == 2 and all(len(allele) == 1 and allele in "ACGT" for allele in alleles):
                columns.append([sum(record.samples[name]["GT"]) for name in samples])
                variants.append(f"22:{record.pos}:{alleles[0]}:{alleles[1]}")
    assert len(samples) == 358
    return np.array(columns, dtype=np.float32).T, variants, np.array([measured[s] for s in samples]), samples


def test_elastic_net_predicts_held_out_people(slc25a1):
    dosages, variants, expression, samples = slc25a1
    found = predict_elastic_net(dosages, variants, expression, samples)
    r = np.corrcoef(found.prediction, expression)[0, 1]
    print(f"elastic net: r {r:.4f}, within folds {found.r_within_folds:.4f}, {found.n_snps} SNPs, {found.n_nonzero}")
    assert 0.2 < r < 0.5
    assert 0.2 < found.r_within_folds < 0.5
    assert np.all(found.n_nonzero > 0)


def test_top_snp_predicts_held_out_people_and_is_the_known_one(slc25a1):
    dosages, variants, expression, samples = slc25a1
    found = predict_top_snp(dosages, variants, expression, samples)
    r = np.corrcoef(found.prediction, expression)[0, 1]
    print(
        f"top SNP: r {r:.4f}, within folds {found.r_within_folds:.4f}; {found.variant} r {found.r:.4f} p {found.p:.2e}"
    )
    assert 0.2 < r < abs(found.r)
    every = [np.corrcoef(column, expression)[0, 1] for column in dosages.T if np.ptp(column) > 0]
    assert found.r == pytest.approx(max(every, key=abs), abs=1e-9)
    assert found.r == pytest.approx(-0.3475, abs=5e-4)


def test_shuffled_expression_is_not_predicted(slc25a1):
    dosages, variants, expression, samples = slc25a1
    shuffled = np.random.default_rng(0).permutation(expression)
    assert abs(predict_elastic_net(dosages, variants, shuffled, samples).r_within_folds) < 0.15
    assert abs(predict_top_snp(dosages, variants, shuffled, samples).r_within_folds) < 0.15


def test_weights_fitted_on_everybody_promise_more_than_held_out_people_keep(slc25a1):
    dosages, variants, expression, samples = slc25a1
    weights = fit_weights(dosages, variants, expression, samples)
    predicted = dosages[:, [variants.index(variant) for variant in weights.variants]] @ weights.effects
    held_out = predict_elastic_net(dosages, variants, expression, samples).prediction
    in_sample = np.corrcoef(predicted, expression)[0, 1]
    assert np.corrcoef(held_out, expression)[0, 1] < in_sample < 0.8
    top = predict_top_snp(dosages, variants, expression, samples)
    assert np.corrcoef(predicted, dosages[:, variants.index(top.variant)])[0, 1] < -0.5
