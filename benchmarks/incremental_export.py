"""Haplotypes, cards and small published weights in one .npz, for machines that have numpy and PyTorch only."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import numpy as np
from incremental_common import Real, in_mirror, log

from pexbench.models import find_model
from pexbench.models.xpresso.published import read_published


def export(real: Real, arguments: argparse.Namespace) -> None:
    """Write, for one gene of each model, reference codes, positions, letters and everyone's rows."""
    arrays: dict[str, Any] = {}
    for model in arguments.models:
        card = find_model(model)
        gene = real.some(card, 1)[0]
        cohort = real.cohort(card, gene, arguments.people)
        sequences = cohort.sequences
        assert not len(sequences.others)
        arrays[f"{model}/reference"], arrays[f"{model}/positions"] = sequences.reference, sequences.positions
        arrays[f"{model}/letters"], arrays[f"{model}/index"] = sequences.letters, cohort.index
        arrays[f"{model}/gene"] = np.array(gene.gene_id)
        arrays[f"{model}/card"] = np.array(_card(card))
        log(f"{model}, {gene.gene_id}: {len(sequences)} distinct sequences, {len(sequences.positions)} sites")
    arrays["basenji2/params"] = np.array(in_mirror("basenji2_params_human.json").read_text())
    booster = find_model("expecto").weights()["booster"]
    arrays["expecto/booster"] = np.frombuffer(in_mirror(booster).read_bytes(), np.uint8)
    card = find_model("xpresso")
    network = read_published(in_mirror(card.weights()["network"]), card.input.length)
    layers = []
    for layer in network.layers:
        fields = dataclasses.asdict(layer)
        for name, values in fields.pop("parameters").items():
            arrays[f"xpresso/{layer.name}/{name}"] = values
        layers.append(fields)
    rest = {name: getattr(network, name) for name in ("sequence", "features", "output")}
    arrays["xpresso/network"] = np.array(json.dumps({"layers": layers, **rest}))
    np.savez_compressed(arguments.out, **arrays)
    log(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def _card(card: Any) -> str:
    """The card's file as JSON, which needs no PyYAML to read."""
    import yaml

    return json.dumps(yaml.safe_load(card.path.read_text()))
