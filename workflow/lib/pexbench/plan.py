"""What the Snakefile must know before any job: settings that fit together, shards, where inputs lie.

Standard library only: it runs each time the workflow is parsed.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pexbench.errors import InputError, listing
from pexbench.models.card import Card
from pexbench.names import valid_name
from pexbench.resources import Resource, at_hand


class GeneRow(NamedTuple):
    """What sharding needs of a gene: id, contig, TSS (1-based)."""

    gene_id: str
    contig: str
    tss: int


def check_settings(config: Mapping[str, Any], cards: Mapping[str, Card]) -> None:
    """Refuse settings that contradict each other (types and unknown keys are the schema's work).

    Args:
        config: the configuration with defaults filled in.
        cards: model card by name, for the models of the run that have one.

    Raises:
        InputError: one sentence naming the key.
    """
    if bool(config.get("simulation")) == bool(config.get("inputs")):
        found = "both" if config.get("simulation") else "neither"
        raise InputError(
            f"configuration: {found} of 'simulation' and 'inputs' given; a run has exactly one of them; remove or add one."
        )
    inputs = config.get("inputs")
    if inputs and bool(inputs.get("genes")) == bool(inputs.get("gene_sources")):
        raise InputError(
            "configuration: inputs.genes and inputs.gene_sources: exactly one of them is needed; name a gene table or "
            "the files to make it from."
        )
    if inputs:
        _check_genotypes(config, inputs)
    names = [*config["models"], *config["baselines"], *config["controls"]]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"configuration: {listing(repeated)} is the name of a model and of a baseline or control; each needs its "
            "own name; rename the model."
        )
    reserved = sorted(set(names) & RESERVED)
    if reserved:
        raise InputError(f"configuration: a model is called {listing(reserved)}, which is a target rule; rename it.")
    for name, model in config["models"].items():
        if sum(bool(model[key]) for key in ("card", "table", "kipoi")) != 1:
            raise InputError(
                f"configuration: model {name}: exactly one of 'card', 'table' and 'kipoi' is needed; name a network, a "
                "table, or a Kipoi model."
            )
        extras = [key for key in ("reference_table", "reference_column", "differences_only") if model.get(key)]
        if extras and not model["table"]:
            raise InputError(
                f"configuration: model {name}: {listing(extras)} belongs to a model with 'table'; name a table or remove it."
            )
        if model.get("reference_column") and not model.get("reference_table"):
            raise InputError(
                f"configuration: model {name}: reference_column without reference_table; name the table or remove it."
            )
    control_model = config.get("control_model")
    if control_model and control_model not in cards:
        raise InputError(
            f"configuration: control_model is {control_model!r}; networks of the run are {listing(cards)}; choose one."
        )
    if config["controls"] and not cards:
        raise InputError("configuration: controls need a model; add one under 'models' or set 'controls: []'.")
    flank = config["variants"]["flank"]
    for name, card in cards.items():
        rule = card.window_rule()
        reach = max(max(index, rule.length - 1 - index) for index in (rule.tss_index_plus, rule.tss_index_minus))
        if reach > flank:
            raise InputError(
                f"configuration: model {name} reads {reach} bp from the TSS, variants.flank is {flank}; variants beyond "
                f"it would be missed; set variants.flank to at least {reach}."
            )


def _check_genotypes(config: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """A run without genotypes has predictions made elsewhere, and nothing that needs genotypes."""
    given = [key for key in ("reference", "genotypes") if inputs.get(key)]
    if len(given) == 1:
        other = "genotypes" if given == ["reference"] else "reference"
        raise InputError(
            f"configuration: inputs.{given[0]} without inputs.{other}; haplotypes need both; add it, or remove both from a "
            "run of tables of predictions."
        )
    if given:
        return
    wanting = [f"model {name}" for name, model in config["models"].items() if not model["table"]]
    wanting += [f"{kind}: {listing(config[kind])}" for kind in ("baselines", "controls") if config[kind]]
    wanting += [f"inputs.{key}" for key in ("region", "eqtl") if inputs.get(key)]
    if wanting:
        raise InputError(
            f"configuration: inputs.genotypes and inputs.reference are absent, but needed by {'; '.join(wanting)}; name "
            "both, or leave only models with 'table', set 'baselines: []' and 'controls: []', and remove the rest."
        )


def spelled_out(models: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The models with ``kipoi: NAME`` written as the card and option it is short for; others as they are."""
    full = {}
    for name, model in models.items():
        full[name] = dict(model)
        if model["kipoi"] and not model["card"]:
            full[name] |= {"card": "kipoi", "kipoi": None, "options": {**model["options"], "model": model["kipoi"]}}
    return full


#: Target rules; no model may be called so.
RESERVED = {
    "all",
    "figures",
    "prepare",
    "haplotypes",
    "scores",
    "associations",
    "variant_effects",
    "direction",
    "people_facts",
    "check_inputs",
    "simulate",
    "help",
    "check_ports",
    "check_incremental",
    "report",
}


def read_gene_rows(path: str | Path) -> list[GeneRow]:
    """Ids and places of a gene table, for sharding; the full checks are those of ``check_inputs``."""
    with open(path, newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        need = {"gene_id", "contig", "tss"}
        if not need <= set(reader.fieldnames or ()):
            raise InputError(
                f"{path}: columns are {listing(reader.fieldnames or ['none'])}; a gene table has gene_id, symbol, "
                "contig, tss, strand (tab-separated); correct it."
            )
        rows = []
        for row in reader:
            if not valid_name(row["gene_id"]) or not row["tss"].isdigit():
                raise InputError(
                    f"{path}: line {reader.line_num}: gene_id {row['gene_id']!r}, tss {row['tss']!r}; an id of letters, "
                    "digits, '.', '_', '-' and a whole number are allowed; correct the line."
                )
            rows.append(GeneRow(row["gene_id"], row["contig"], int(row["tss"])))
    return rows


class Plan(NamedTuple):
    """How genes are cut into jobs: gene ids and contig, by shard name."""

    shards: dict[str, list[str]]
    contigs: dict[str, str]


def plan_of(rows: Sequence[GeneRow], size: int) -> Plan:
    """The plan of some genes; see :func:`shards`."""
    contig_of = {row.gene_id: row.contig for row in rows}
    blocks = shards(rows, size)
    return Plan(blocks, {name: contig_of[members[0]] for name, members in blocks.items()})


@cache
def gene_plan(path: str, changed: int, size: int) -> Plan:
    """The plan of a gene table, read once: Snakemake asks for it with every job.

    Args:
        path: gene table.
        changed: time of its last change; another time reads it again.
        size: genes per shard.
    """
    return plan_of(read_gene_rows(path), size)


def shards(rows: Sequence[GeneRow], size: int) -> dict[str, list[str]]:
    """Blocks of neighbouring genes on one contig.

    Args:
        rows: genes in any order.
        size: genes per shard; with 1 a shard carries its gene's name.

    Returns:
        Gene ids by shard name, ordered by contig and position.
    """
    contigs: dict[str, list[GeneRow]] = {}
    for row in rows:
        contigs.setdefault(row.contig, []).append(row)
    blocks: dict[str, list[str]] = {}
    for contig in sorted(contigs):
        ordered = sorted(contigs[contig], key=lambda row: (row.tss, row.gene_id))
        for number, start in enumerate(range(0, len(ordered), size), start=1):
            block = [row.gene_id for row in ordered[start : start + size]]
            blocks[block[0] if size == 1 else f"{contig}_{number:04d}"] = block
    return blocks


def write_run(path: str | Path, run: Mapping[str, Any]) -> None:
    """Write down what a run consists of, for the verb ``status``; aside, then renamed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    aside.write_text(json.dumps(run, indent=2) + "\n")
    aside.replace(path)


def settings_json(config: Mapping[str, Any]) -> str:
    """The scientific settings of a run as one line of JSON; how fast and from where is left out."""
    kept = {key: value for key, value in config.items() if key not in ("inference", "mirror")}
    kept["inference"] = {key: config["inference"][key] for key in ("method", "precision")}
    return json.dumps(kept, sort_keys=True)


def unavailable(needed: Mapping[str, Sequence[Resource]], folder: str, mirror: str | None) -> dict[str, list[Resource]]:
    """Models whose weights are not at hand.

    Args:
        needed: resources of each model's weights.
        folder: where fetched resources lie.
        mirror: folder looked into first.

    Returns:
        By model, the weights that are neither fetched nor in the mirror; models that have all are left out.
    """
    absent = {
        name: [entry for entry in entries if not at_hand(entry, folder, mirror)] for name, entries in needed.items()
    }
    return {name: entries for name, entries in absent.items() if entries}


def refuse_unavailable(absent: Mapping[str, Sequence[Resource]], mirror: str | None, download: bool) -> None:
    """Stop where weights are not at hand and cannot be downloaded.

    Raises:
        InputError: names every such model, what to fetch and where to put it.
    """
    stuck = {name: [entry for entry in entries if not (download and entry.url)] for name, entries in absent.items()}
    told = [
        f"{name}: {entry.file} ({entry.source}; {entry.digest})" for name, entries in stuck.items() for entry in entries
    ]
    if told:
        place = f"the mirror {mirror}" if mirror else "a folder named by PEXBENCH_MIRROR"
        raise InputError(
            f"models that cannot run, because weights are not at hand: {'; '.join(told)}. Put the files into {place} or "
            "into resources/, take the models out of the configuration, or set 'skip_unavailable: true'."
        )
