"""An untrained Basenji2 network, drawn from a seed and written in the layout of the published files."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

#: The published architecture with fewer channels and dilated layers; it reads 131,072 bp and gives 896 bins.
SMALL: dict[str, Any] = {
    "train": {"batch_size": 4, "optimizer": "sgd"},
    "model": {
        "seq_length": 131072,
        "target_length": 1024,
        "activation": "gelu",
        "batch_norm": True,
        "bn_momentum": 0.9,
        "trunk": [
            {"name": "conv_block", "filters": 6, "kernel_size": 15, "pool_size": 2},
            {
                "name": "conv_tower",
                "filters_init": 5,
                "filters_mult": 1.1776,
                "kernel_size": 5,
                "pool_size": 2,
                "repeat": 6,
            },
            {"name": "dilated_residual", "filters": 4, "rate_mult": 1.5, "repeat": 3, "dropout": 0.3, "round": True},
            {"name": "Cropping1D", "cropping": 64},
            {"name": "conv_block", "filters": 8, "dropout": 0.05},
        ],
        "head_human": {"name": "dense", "units": 5313, "activation": "softplus"},
    },
}


def tiny(length: int = 512, tracks: int = 7, **model: Any) -> dict[str, Any]:
    """A network of 8 bp bins, two of which are cropped at each end, for a length that need not be 131,072."""
    made = copy.deepcopy(SMALL)
    made["model"] |= {"seq_length": length, "target_length": length // 8}
    made["model"]["trunk"][1] |= {"repeat": 2}
    made["model"]["trunk"][2] |= {"repeat": 4}
    made["model"]["trunk"][3] |= {"cropping": 2}
    made["model"]["head_human"] |= {"units": tracks}
    made["model"] |= model
    return made


def layers(params: dict[str, Any]) -> list[tuple[str, int, int, int, int, str]]:
    """Convolutions and the head: kind, width, channels in, channels out, dilation, what follows (a hand-made list)."""
    found, channels = [], 4
    for part in params["model"]["trunk"]:
        pool = f"pool {part.get('pool_size', 1)}"
        if part["name"] == "conv_block":
            found.append(("conv", part.get("kernel_size", 1), channels, part["filters"], 1, pool))
            channels = part["filters"]
        elif part["name"] == "conv_tower":
            for i in range(part["repeat"]):
                filters = int(np.round(part["filters_init"] * part["filters_mult"] ** i))
                found.append(("conv", part["kernel_size"], channels, filters, 1, pool))
                channels = filters
        elif part["name"] == "dilated_residual":
            for rate in [1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72][: part["repeat"]]:
                found.append(("conv", 3, channels, part["filters"], rate, "keep"))
                found.append(("conv", 1, part["filters"], channels, 1, "add"))
        else:
            found.append(("crop", part["cropping"], channels, channels, 1, ""))
    return [*found, ("dense", 1, channels, params["model"]["head_human"]["units"], 1, "")]


def weights(params: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Seeded parameters by ``layer/layer/kind:0``, in the order in which Keras stores them."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, np.ndarray] = {}

    def add(layer: str, kind: str, values: np.ndarray) -> None:
        drawn[f"{layer}/{layer}/{kind}:0"] = values.astype(np.float32)

    number = 0
    for kind, width, inputs, outputs, _, _ in layers(params):
        kernel = rng.standard_normal((width, inputs, outputs))
        # Centred and scaled, so that outputs are about 1 and differ between sequences.
        gain = 2.0 if inputs == 4 else 1.7 if width > 3 else 1.0
        kernel = (kernel - kernel.mean(axis=(0, 1))) * gain / np.sqrt(width * inputs)
        end = f"_{number}" if number else ""
        if kind == "dense":
            add("dense", "kernel", kernel[0])
            add("dense", "bias", 0.05 * rng.standard_normal(outputs))
        elif kind == "conv":
            number += 1
            add(f"conv1d{end}", "kernel", kernel)
            norm = f"batch_normalization{end}"
            add(norm, "gamma", 1 + 0.1 * rng.standard_normal(outputs))
            add(norm, "beta", 0.1 * rng.standard_normal(outputs))
            add(norm, "moving_mean", 0.1 * rng.standard_normal(outputs))
            add(norm, "moving_variance", 1 + 0.1 * np.abs(rng.standard_normal(outputs)))
    return drawn


def write(path: Path, arrays: Mapping[str, np.ndarray], *, whole: bool = True) -> Path:
    """Write parameters as Keras does: the whole model (``model.save``), or its weights only (``save_weights``).

    Args:
        path: of the new file.
        arrays: by ``layer/layer/kind:0``, in the order of the layers.
        whole: whether the layers lie in the group ``model_weights``.
    """
    import h5py

    names: dict[str, list[str]] = {"input_1": [], "activation": []}
    for name in arrays:
        layer, weight = name.split("/", 1)
        names.setdefault(layer, []).append(weight)
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole else file
        group.attrs["layer_names"] = [layer.encode() for layer in names]
        group.attrs["backend"], group.attrs["keras_version"] = "tensorflow", "2.4.0"
        for layer, own in names.items():
            group.create_group(layer).attrs["weight_names"] = [weight.encode() for weight in own]
            for weight in own:
                group[layer].create_dataset(weight, data=arrays[f"{layer}/{weight}"])
    return path


def write_params(path: Path, params: dict[str, Any]) -> Path:
    """Write the parameter file."""
    path.write_text(json.dumps(params, indent=4))
    return path


def files(folder: Path, params: dict[str, Any] | None = None, seed: int = 4) -> dict[str, Path]:
    """Both files of a small network under their published names, by the adapter's name for each."""
    params = SMALL if params is None else params
    return {
        "weights": write(folder / "model_human.h5", weights(params, seed)),
        "params": write_params(folder / "basenji2_params_human.json", params),
    }
