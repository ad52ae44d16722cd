"""An untrained Xpresso network, drawn from a seed and written in the layout of the published Keras 2 file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def config(length: int, convolutions: list[dict[str, Any]], dense: list[int], features: int = 6) -> dict[str, Any]:
    """The ``model_config`` of a network: each convolution has filters, width, padding, pool, stride."""
    layers: list[dict[str, Any]] = []

    def add(kind: str, name: str, inputs: list[str], **settings: Any) -> str:
        nodes = [[[source, 0, 0, {}] for source in inputs]] if inputs else []
        layers.append({"class_name": kind, "name": name, "config": {"name": name, **settings}, "inbound_nodes": nodes})
        return name

    last = add("InputLayer", "promoter", [], batch_input_shape=[None, length, 4], dtype="float32", sparse=False)
    for i, part in enumerate(convolutions, start=1):
        last = add(
            "Conv1D", f"conv1d_{i}", [last], filters=part["filters"], kernel_size=[part["width"]], strides=[1],
            padding=part.get("padding", "same"), dilation_rate=[1], activation="relu", use_bias=True, trainable=True,
        )  # fmt: skip
        last = add(
            "MaxPooling1D", f"max_pooling1d_{i}", [last], pool_size=[part["pool"]],
            strides=[part.get("stride", part["pool"])], padding="valid", trainable=True,
        )  # fmt: skip
    last = add("Flatten", "flatten_1", [last])
    add("InputLayer", "halflife", [], batch_input_shape=[None, features], dtype="float32", sparse=False)
    last = add("Concatenate", "concatenate_1", [last, "halflife"], axis=-1)
    for i, units in enumerate(dense, start=1):
        last = add("Dense", f"dense_{i}", [last], units=units, activation="linear", use_bias=True)
        if i < len(dense):
            last = add("Activation", f"activation_{i}", [last], activation="relu")
            last = add("Dropout", f"dropout_{i}", [last], rate=0.01)
    return {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            "layers": layers,
            "input_layers": [["promoter", 0, 0], ["halflife", 0, 0]],
            "output_layers": [[last, 0, 0]],
        },
    }


#: The architecture of the published network.
PUBLISHED = config(
    10500, [{"filters": 128, "width": 6, "pool": 30}, {"filters": 32, "width": 9, "pool": 10}], [64, 2, 1]
)


def parameters(model: dict[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Seeded weights by ``layer/kernel`` and ``layer/bias``, scaled so that outputs differ between sequences."""
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {}
    drawn: dict[str, np.ndarray] = {}
    for layer in model["config"]["layers"]:
        name, kind, settings = layer["name"], layer["class_name"], layer["config"]
        inputs = [shapes[link[0]] for node in layer["inbound_nodes"] for link in node]
        kernel: tuple[int, ...] | None = None
        if kind == "InputLayer":
            shapes[name] = tuple(settings["batch_input_shape"][1:])
        elif kind == "Conv1D":
            (width,), (steps, channels) = settings["kernel_size"], inputs[0]
            kernel = (width, channels, settings["filters"])
            shapes[name] = (steps if settings["padding"] == "same" else steps - width + 1, settings["filters"])
        elif kind == "MaxPooling1D":
            (size,), (stride,), (steps, channels) = settings["pool_size"], settings["strides"], inputs[0]
            shapes[name] = (len(range(0, steps - size + 1, stride)), channels)
        elif kind == "Dense":
            kernel = (inputs[0][0], settings["units"])
            shapes[name] = (settings["units"],)
        elif kind == "Flatten":
            shapes[name] = (inputs[0][0] * inputs[0][1],)
        elif kind == "Concatenate":
            shapes[name] = (sum(shape[0] for shape in inputs),)
        else:
            shapes[name] = inputs[0]
        if kernel is not None:
            fan_in = int(np.prod(kernel[:-1]))
            drawn[f"{name}/kernel"] = (rng.standard_normal(kernel) * np.sqrt(2 / fan_in)).astype(np.float32)
            drawn[f"{name}/bias"] = (0.5 + 0.05 * rng.standard_normal(kernel[-1])).astype(np.float32)
            last = f"{name}/kernel"
    # Outputs of about the size of the published networks', so that absolute tolerances mean the same.
    drawn[last] = (drawn[last] * 0.1).astype(np.float32)
    return drawn


def write(path: Path, model: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """Write architecture and weights as Keras 2.0 does."""
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.5"
        file.attrs["model_config"] = json.dumps(model).encode()
        group = file.create_group("model_weights")
        names = [layer["name"] for layer in model["config"]["layers"]]
        group.attrs["layer_names"] = [name.encode() for name in names]
        group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", b"2.0.5"
        for name in names:
            own = group.create_group(name)
            mine = [key for key in (f"{name}/kernel", f"{name}/bias") if key in arrays]
            own.attrs["weight_names"] = [f"{key}:0".encode() for key in mine]
            for key in mine:
                own.create_dataset(f"{key}:0", data=arrays[key])
    return path
