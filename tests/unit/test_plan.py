"""Shards and settings that must fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pexbench import code, plan
from pexbench.errors import InputError
from pexbench.figures import figures
from pexbench.models import find_model
from pexbench.plan import GeneRow
from pexbench.resources import Resource
from pexbench.schemas import rendered


def rows(*places: tuple[str, int]) -> list[GeneRow]:
    return [GeneRow(f"G{number}", contig, tss) for number, (contig, tss) in enumerate(places)]


def test_shards_hold_neighbours_of_one_contig() -> None:
    found = plan.shards(rows(("2", 500), ("1", 900), ("1", 100), ("1", 500)), 2)
    assert found == {"1_0001": ["G2", "G3"], "1_0002": ["G1"], "2_0001": ["G0"]}


def test_one_gene_per_shard_carries_the_genes_name() -> None:
    assert plan.shards(rows(("2", 500), ("1", 900)), 1) == {"G1": ["G1"], "G0": ["G0"]}


def test_order_of_the_table_is_free() -> None:
    table = rows(("2", 500), ("1", 900), ("1", 100), ("1", 500), ("1", 500))
    assert plan.shards(table, 3) == plan.shards(table[::-1], 3)


def settings(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "simulation": {"people": 20},
        "baselines": ["elastic_net"],
        "controls": ["shuffled"],
        "control_model": None,
        "variants": {"flank": 98304},
        "models": {"xpresso": {"card": "xpresso", "table": None, "kipoi": None}},
    }
    return base | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": {"genes": "g.tsv"}}, "both of 'simulation' and 'inputs'"),
        ({"simulation": None}, "neither of"),
        ({"simulation": None, "inputs": {"genes": None, "gene_sources": []}}, "inputs.genes and inputs.gene_sources"),
        ({"control_model": "enformer"}, "control_model is 'enformer'"),
        ({"variants": {"flank": 1000}}, "set variants.flank to at least"),
        ({"models": {"xpresso": {"card": None, "table": None, "kipoi": None}}}, "model xpresso: exactly one of"),
        (
            {"simulation": None, "inputs": {"genes": "g.tsv", "gene_sources": [], "region": "22:1-9", "eqtl": "e.csv"}},
            "needed by model xpresso; baselines: elastic_net; controls: shuffled; inputs.region; inputs.eqtl;",
        ),
        ({"baselines": ["xpresso"]}, "xpresso is the name of a model and of a baseline"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan.check_settings(settings(**changes), {"xpresso": find_model("xpresso")})


def test_a_model_may_not_be_called_like_a_target() -> None:
    with pytest.raises(InputError, match="figures"):
        plan.check_settings(settings(models={"figures": {"card": "x", "table": None, "kipoi": None}}), {})


def test_gene_rows_name_the_faulty_line(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text("gene_id\tsymbol\tcontig\ttss\tstrand\nA\t\t1\t5\t+\nB;rm\t\t1\t5\t+\n")
    with pytest.raises(InputError, match="line 3"):
        plan.read_gene_rows(path)


def test_schema_and_key_table_are_generated_from_the_typed_settings(root: Path) -> None:
    for path, text in rendered(root).items():
        assert path.read_text() == text, f"{path} is stale: run 'make schemas'"


def test_schema_refuses_unknown_keys_everywhere(root: Path) -> None:
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    open_sections = []

    def visit(node: Any, where: str) -> None:
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False:
                open_sections.append(where)
            for key, value in node.items():
                visit(value, f"{where}.{key}")
        elif isinstance(node, list):
            for entry in node:
                visit(entry, where)

    visit(schema, "")
    assert open_sections == []


def test_digests_see_imports_and_leave_out_what_changes_no_result() -> None:
    names = {path.name for path in code.files("predict")}
    assert {"predict.py", "haplotypes.py", "genotypes.py", "windows.py"} <= names
    assert not names & {"errors.py", "cli.py", "elastic_net.py", "fig1b_distributions.py"}
    assert "elastic_net.py" in {path.name for path in code.files("baselines.elastic_net")}


def test_figures_are_found_by_what_they_define() -> None:
    found = code.submodules("figures", having="FIGURE")
    assert "fig1b_distributions" in found
    assert "style" not in found


def weights(url: str) -> Resource:
    return Resource("beluga", "deepsea.beluga.pth", url, "", "62360f2d", 0, "academic", "Beluga")


def test_models_without_weights_are_told_with_what_to_fetch(tmp_path: Path) -> None:
    absent = plan.unavailable({"expecto": [weights("https://zenodo.org/x")]}, str(tmp_path), None)
    assert list(absent) == ["expecto"]
    plan.refuse_unavailable(absent, None, download=True)  # it can be fetched
    with pytest.raises(InputError, match="cannot run") as fault:
        plan.refuse_unavailable(absent, None, download=False)
    for told in ("expecto", "deepsea.beluga.pth", "https://zenodo.org/x", "62360f2d", "PEXBENCH_MIRROR"):
        assert told in str(fault.value)
    (tmp_path / "deepsea.beluga.pth").touch()
    assert plan.unavailable({"expecto": [weights("")]}, str(tmp_path), None) == {}


def test_kipoi_is_short_for_a_card_and_an_option() -> None:
    given = {"card": None, "table": None, "kipoi": "Basset", "options": {"track": 3}}
    full = plan.spelled_out({"b": given, "x": given | {"card": "xpresso", "kipoi": None}})
    assert full["b"]["card"] == "kipoi"
    assert full["b"]["options"] == {"track": 3, "model": "Basset"}
    assert full["x"] == given | {"card": "xpresso", "kipoi": None}
    plan.check_settings(settings(models=full, controls=[]), {})


def test_cards_of_figures_are_read_without_importing_them() -> None:
    for name, entry in figures().items():
        read = code.literals(f"figures.{name}", "FIGURE")
        for key, value in read.items():
            assert getattr(entry.card, key) == value
        assert {"name", "title", "caption"} <= set(read)
    with pytest.raises(ValueError, match="no FIGURE"):
        code.literals("figures.style", "FIGURE")
