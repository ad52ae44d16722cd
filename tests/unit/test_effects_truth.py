"""A simulated cohort and a model that knows its truth: effects, additivity, drivers and signs come out as they are."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from outside_card import network_of, outside_card
from pexbench.direction import gather
from pexbench.genes import Gene, read_genes
from pexbench.models import find_model, load_adapter
from pexbench.predict import Genotyping, How, predict_shard
from pexbench.reference import Reference
from pexbench.simulate import simulate
from pexbench.simulate_names import SimulationSettings, sample_names
from pexbench.variant_effects import CHOSEN_COLUMNS, parse_variant, shard_effects
from pexbench.variant_sums import shard_sums
from pexbench.variants import VariantRules, subset_variants

pytestmark = pytest.mark.slow
REACH, FLANK = 91_000, 95_000
CARD = outside_card(
    "truth",
    length=2 * REACH + 1,
    plus=REACH,
    minus=REACH,
    strand="plus",
    options={"sign": {"default": 1, "description": "of all effects"}},
    **network_of("table.npz"),
)
ADAPTER = '''
import numpy as np

from pexbench.models.base import Adapter


class Model(Adapter):
    """Two copies' effect for each ALT letter that is there, per gene."""

    def __init__(self, card, weights, **settings):
        super().__init__(card, weights, **settings)
        self.known = dict(np.load(self.weights_file("table")))

    def forward(self, codes):
        return np.zeros(len(codes), np.float32)

    def forward_gene(self, gene_id, codes):
        place, letter, effect = self.known[gene_id]
        there = codes[:, place.astype(int)] == letter
        return (5 + 2 * self.options["sign"] * (there * effect).sum(axis=1)).astype(np.float32)
'''


class Run(NamedTuple):
    """What the verbs make of one contig of the cohort."""

    genes: list[Gene]
    told: pd.DataFrame
    effects: pd.DataFrame
    sums: pd.DataFrame
    drivers: pd.DataFrame
    associations: pd.DataFrame
    wrong: pd.DataFrame
    genetic: pd.Series
    dosages: dict[str, dict[str, np.ndarray]]


def share(dosages: np.ndarray, effects: np.ndarray, columns: tuple[int, ...]) -> float:
    total, some = dosages @ effects, dosages[:, columns] @ effects[list(columns)]
    return 1 - float(np.var(total - some) / np.var(total))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("truth")
    people = 60
    simulate(SimulationSettings(seed=4, people=people, genes=16), folder)
    genes = list(read_genes(folder / "genes.tsv").values())
    genes = [gene for gene in genes if gene.contig == genes[0].contig]
    told = pd.read_csv(folder / "truth.tsv", sep="\t", keep_default_na=False).set_index("gene_id")
    names = {gene.gene_id: [name for name in told.loc[gene.gene_id, "variants"].split(";") if name] for gene in genes}
    sizes = {
        gene.gene_id: np.array([float(text) for text in str(told.loc[gene.gene_id, "effects"]).split(";") if text])
        for gene in genes
    }
    arrays = {}
    for gene in genes:
        own = [parse_variant(name) for name in names[gene.gene_id]]
        places = [variant.position - gene.tss0 + REACH for variant in own]
        arrays[gene.gene_id] = np.array([places, ["ACGT".index(variant.alt) for variant in own], sizes[gene.gene_id]])
    model = folder / "truth"
    model.mkdir()
    (model / "card.yaml").write_text(CARD)
    (model / "adapter.py").write_text(ADAPTER)
    np.savez(model / "table.npz", **arrays)

    def loaded(sign: int) -> Any:
        return load_adapter(find_model(str(model)), None, {"table": model / "table.npz"}, options={"sign": sign})

    samples, reference, store = sample_names(people), Reference(folder / "reference.fa"), folder / "store.bcf"
    subset_variants(folder / "genotypes.vcf.gz", reference, genes, samples, VariantRules(flank=FLANK), store)
    genotyping = Genotyping(store, samples)
    # The lead is the causal variant with the largest effect; genes without a genetic effect have none.
    leads = {gene: names[gene][int(np.abs(own).argmax())] if len(own) else "" for gene, own in sizes.items()}
    chosen = pd.DataFrame([(gene, "all", lead, "") for gene, lead in leads.items()], columns=list(CHOSEN_COLUMNS))
    adapter = loaded(1)
    personal = {gene.gene_id for gene in genes}
    predicted = predict_shard(adapter, adapter.card, genes, personal, reference, genotyping, How())
    settings = (chosen, reference, genotyping, How(), "mean")
    effects = shard_effects(adapter, genes, *settings)
    rule = adapter.card.window_rule()
    tables = (predicted.people, predicted.reference, genotyping, rule, FLANK, "mean", "truth")
    sums, drivers, _ = shard_sums(genes, chosen, effects, *tables)
    wrong, *_ = shard_sums(genes, chosen, shard_effects(loaded(-1), genes, *settings), *tables)
    slopes = [own[np.abs(own).argmax()] if len(own) else np.nan for own in sizes.values()]
    associations = chosen[["gene_id", "lead_variant"]].assign(slope=slopes, p=0.0, p_bonferroni=0.0)
    genetic = pd.read_parquet(folder / "truth_genetic.parquet").set_index(["gene_id", "sample"])["genetic"]
    dosages = {}
    for gene in genes:
        own = [parse_variant(name) for name in names[gene.gene_id]]
        made = _copies(store, gene, samples, {variant.name for variant in own})
        dosages[gene.gene_id] = {"copies": np.stack([made[name] for name in names[gene.gene_id]], 1)} if own else {}
        dosages[gene.gene_id]["effects"] = sizes[gene.gene_id]
    return Run(genes, told, effects, sums, drivers, associations, wrong, genetic, dosages)


def _copies(store: Path, gene: Gene, samples: list[str], names: set[str]) -> dict[str, np.ndarray]:
    """Copies of ALT as bcftools writes genotypes."""
    from pexbench import bcftools

    lines = bcftools.run(["query", "-f", "%CHROM:%POS:%REF:%ALT[ %GT]\n", str(store)]).decode().splitlines()
    header = bcftools.run(["query", "-l", str(store)]).decode().split()
    found = {}
    for line in lines:
        name, *calls = line.split()
        if name in names:
            counts = dict(zip(header, (call.count("1") for call in calls), strict=True))
            found[name] = np.array([counts[sample] for sample in samples], float)
    return found


def causal(run: Run) -> list[str]:
    return [gene.gene_id for gene in run.genes if len(run.dosages[gene.gene_id]["effects"])]


def test_effects_are_the_true_ones_and_all_others_nothing(run: Run) -> None:
    assert len(causal(run)) >= 4
    for gene in run.genes:
        own = run.effects[run.effects["gene_id"] == gene.gene_id].set_index("variant")["effect"]
        true = dict(
            zip(
                [name for name in run.told.loc[gene.gene_id, "variants"].split(";") if name],
                run.dosages[gene.gene_id]["effects"],
                strict=True,
            )
        )
        assert set(true) <= set(own.index)
        for name, effect in own.items():
            assert effect == pytest.approx(2 * true.get(str(name), 0.0), abs=3e-6 if name in true else 0), name
        assert len(own) > 100


def test_the_sum_is_each_persons_true_genetic_value(run: Run) -> None:
    for gene_id in causal(run):
        row = run.sums.set_index("gene_id").loc[gene_id]
        assert row["additivity_r2"] == pytest.approx(1, abs=1e-5)
        assert row["additivity_slope"] == pytest.approx(1, abs=1e-3)
        total = run.dosages[gene_id]["copies"] @ run.dosages[gene_id]["effects"]
        np.testing.assert_allclose(total, run.genetic.loc[gene_id].loc[sample_names(60)], atol=1e-9)


def test_drivers_are_the_smallest_set_of_causal_variants(run: Run) -> None:
    """Tried on all sets of the true effects and genotypes."""
    for gene_id in causal(run):
        copies, sizes = run.dosages[gene_id]["copies"], run.dosages[gene_id]["effects"]
        names = run.told.loc[gene_id, "variants"].split(";")
        order = range(1, len(sizes) + 1)
        least = next(
            n for n in order if any(share(copies, sizes, c) >= 0.95 for c in combinations(range(len(sizes)), n))
        )
        found = run.drivers[run.drivers["gene_id"] == gene_id]
        assert set(found["variant"]) <= set(names)
        assert len(found) == least
        columns = tuple(names.index(name) for name in found["variant"])
        assert found["cumulative"].iloc[-1] == pytest.approx(share(copies, sizes, columns), abs=1e-5)
        assert run.sums.set_index("gene_id").loc[gene_id, "n_drivers"] == least


def test_a_gene_without_effects_says_so(run: Run) -> None:
    still = [gene.gene_id for gene in run.genes if gene.gene_id not in causal(run)]
    assert still
    rows = run.sums.set_index("gene_id").loc[still]
    assert (rows["n_drivers"] == 0).all()
    assert rows["additivity_r2"].isna().all()
    assert (rows["note"] == "the sum of effects is the same for everyone").all()


def test_every_sign_is_right_and_a_turned_model_has_every_sign_wrong(run: Run) -> None:
    _, summary = gather(
        {"truth": run.sums, "turned": run.wrong}, run.associations, dict.fromkeys(("truth", "turned"), 2e-6), {}
    )
    summary = summary[summary["scope"] == "all"].set_index("model")
    assert summary["n"].tolist() == [len(causal(run))] * 2
    assert summary["share"].tolist() == [1, 0]
