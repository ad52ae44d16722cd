"""Reading Xpresso's published file: Keras 2 HDF5, without Keras.

The architecture is what the file's own ``model_config`` says; nothing of it is typed in here. Only layers from a
short list are accepted, so that no file can bring code of its own (Keras "Lambda" layers do).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing

LAYERS = ("InputLayer", "Conv1D", "MaxPooling1D", "Flatten", "Concatenate", "Dense", "Activation", "Dropout")
ACTIVATIONS = ("linear", "relu")
PADDINGS = {"Conv1D": ("same", "valid"), "MaxPooling1D": ("valid",)}
#: Settings that a layer may leave out, and the only value understood.
FIXED: dict[str, dict[str, Any]] = {
    "Conv1D": {"strides": [1], "dilation_rate": [1], "use_bias": True, "data_format": "channels_last", "groups": 1},
    "MaxPooling1D": {"data_format": "channels_last"},
    "Flatten": {"data_format": "channels_last"},
    "Concatenate": {"axis": -1},
    "Dense": {"use_bias": True},
}


@dataclass(frozen=True)
class Layer:
    """One layer of the network, in an order in which its inputs come first.

    Attributes:
        kind: Keras' class name, one of ``LAYERS``.
        name: unique in the file.
        inputs: names of the layers it reads.
        shape: shape of its output for one sequence, channels last: [steps, channels] or [features].
        activation: ``relu`` or ``linear``.
        pad: positions of zeros before and after (Conv1D).
        size: width of the kernel or the pool (Conv1D, MaxPooling1D).
        stride: step of the pool (MaxPooling1D).
        parameters: float32 ``kernel`` ([width, in, out] or [in, out], as in the file) and ``bias`` ([out]).
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    activation: str = "linear"
    pad: tuple[int, int] = (0, 0)
    size: int = 1
    stride: int = 1
    parameters: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedNetwork:
    """A network as published: its layers, and the names of its inputs and its output."""

    layers: tuple[Layer, ...]
    sequence: str
    features: str
    output: str

    @property
    def feature_count(self) -> int:
        """Number of half-life features."""
        return next(layer.shape[0] for layer in self.layers if layer.name == self.features)


def read_published(path: str | Path, length: int) -> PublishedNetwork:
    """Read architecture and parameters of a published Xpresso network.

    Args:
        path: Keras 2 HDF5 file of the whole model (what ``model.save`` wrote).
        length: input length the network must have, in bp.

    Returns:
        The network.

    Raises:
        InputError: no HDF5 file (or a truncated one), no model inside, a layer or setting other than Xpresso's,
            another input or output, or a parameter that is missing, has another shape or is no finite float32.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            reader = _Reader(path, file)
            try:
                return reader.network(length)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise reader.fault("model_config", f"not understood ({error!r})", "Xpresso's") from error
    except OSError as error:
        raise InputError(
            f"{path}: no whole HDF5 file ({' '.join(str(error).split())}); Xpresso's published .h5 file is needed; "
            "fetch it again."
        ) from error


class _Reader:
    """One open file; every fault names it."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path, self.file = path, file

    def fault(self, what: str, found: object, allowed: object) -> InputError:
        """The error sentence: file, part, found, allowed."""
        return InputError(
            f"{self.path}: {what} is {found}; {allowed} is expected, so this is no Xpresso network or a damaged one; "
            "fetch the published file again."
        )

    def network(self, length: int) -> PublishedNetwork:
        """The whole network."""
        config = self.config()
        layers: dict[str, Layer] = {}
        for entry in config["layers"]:
            layer = self.layer(entry, layers)
            layers[layer.name] = layer
        inputs = [layers[entry[0]] for entry in config["input_layers"]]
        outputs = [layers[entry[0]] for entry in config["output_layers"]]
        shapes = sorted((list(layer.shape) for layer in inputs), key=len)
        if [len(shape) for shape in shapes] != [1, 2] or shapes[1] != [length, 4]:
            raise self.fault("the input", shapes, f"half-life features and a sequence [{length}, 4]")
        if [layer.shape for layer in outputs] != [(1,)]:
            raise self.fault("the output", [list(layer.shape) for layer in outputs], "one number")
        features, sequence = sorted(inputs, key=lambda layer: len(layer.shape))
        return PublishedNetwork(tuple(layers.values()), sequence.name, features.name, outputs[0].name)

    def config(self) -> dict[str, Any]:
        """The configuration of the functional model."""
        text = self.file.attrs.get("model_config")
        if text is None or "model_weights" not in self.file:
            found = listing([*self.file, *self.file.attrs]) or "nothing"
            raise self.fault("the content", found, "a whole Keras model (attribute model_config, group model_weights)")
        try:
            model = json.loads(text)
            config, kind = dict(model["config"]), model["class_name"]
        except (ValueError, KeyError, TypeError) as error:
            raise self.fault("model_config", f"not readable ({error!r})", "the JSON of a functional model") from error
        if kind not in ("Model", "Functional"):
            raise self.fault("model_config", kind, "a functional model")
        return config

    def layer(self, entry: dict[str, Any], before: dict[str, Layer]) -> Layer:
        """One layer, with the shape of its output worked out from the layers before it."""
        kind, name, config = entry.get("class_name"), str(entry.get("name")), entry.get("config")
        if kind not in LAYERS or not isinstance(config, dict):
            raise self.fault(f"layer {name}", kind, f"one of {', '.join(LAYERS)}")
        for key, value in FIXED.get(kind, {}).items():
            if config.get(key, value) != value:
                raise self.fault(f"layer {name}, {key}", config[key], value)
        inputs = tuple(str(link[0]) for node in entry.get("inbound_nodes", []) for link in node)
        missing = [source for source in inputs if source not in before]
        if missing:
            raise self.fault(f"layer {name}, inputs", listing(missing), "the name of an earlier layer")
        shapes = [before[source].shape for source in inputs]
        if kind == "InputLayer":
            return Layer(kind, name, inputs, tuple(config["batch_input_shape"][1:]))
        wanted = {"Conv1D": 2, "MaxPooling1D": 2, "Flatten": 2, "Concatenate": 1, "Dense": 1}.get(kind)
        if (
            not shapes
            or (kind != "Concatenate" and len(shapes) > 1)
            or any(len(s) != (wanted or len(s)) for s in shapes)
        ):
            raise self.fault(f"layer {name}, inputs", [list(s) for s in shapes], f"what a {kind} layer reads")
        activation = config.get("activation", "linear")
        if activation not in ACTIVATIONS:
            raise self.fault(f"layer {name}, activation", activation, f"one of {', '.join(ACTIVATIONS)}")
        if config.get("padding", "valid") not in PADDINGS.get(kind, ("valid",)):
            raise self.fault(f"layer {name}, padding", config["padding"], f"one of {', '.join(PADDINGS[kind])}")

        if kind == "Conv1D":
            (width,), (steps, channels), filters = config["kernel_size"], shapes[0], config["filters"]
            # Keras puts the odd one of an odd number of padding zeros behind the sequence.
            pad = ((width - 1) // 2, width // 2) if config["padding"] == "same" else (0, 0)
            shape = (steps + sum(pad) - width + 1, filters)
            parameters = self.parameters(name, kernel=(width, channels, filters), bias=(filters,))
            return Layer(kind, name, inputs, shape, activation, pad, width, parameters=parameters)
        if kind == "MaxPooling1D":
            (size,), (stride,), (steps, channels) = config["pool_size"], config["strides"], shapes[0]
            return Layer(kind, name, inputs, ((steps - size) // stride + 1, channels), size=size, stride=stride)
        if kind == "Dense":
            units = config["units"]
            parameters = self.parameters(name, kernel=(shapes[0][0], units), bias=(units,))
            return Layer(kind, name, inputs, (units,), activation, parameters=parameters)
        if kind == "Flatten":
            return Layer(kind, name, inputs, (math.prod(shapes[0]),))
        if kind == "Concatenate":
            return Layer(kind, name, inputs, (sum(shape[0] for shape in shapes),))
        return Layer(kind, name, inputs, shapes[0], activation)  # Activation, Dropout (which does nothing here)

    def parameters(self, layer: str, **shapes: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
        """The layer's arrays by their short names, found by the names the file lists for the layer."""
        group = self.file["model_weights"].get(layer)
        listed = [] if group is None else [_text(name) for name in group.attrs.get("weight_names", [])]
        found = {name.split("/")[-1].split(":")[0]: name for name in listed}
        arrays = {}
        for short, shape in shapes.items():
            what = f"parameter {short} of layer {layer}"
            data = group.get(found[short]) if group is not None and short in found else None
            if not isinstance(data, h5py.Dataset):
                raise self.fault(what, "missing", f"an array float32 {list(shape)}")
            if data.shape != shape or data.dtype != np.float32:
                raise self.fault(what, f"{data.dtype} {list(data.shape)}", f"an array float32 {list(shape)}")
            arrays[short] = data[()]
            if not np.isfinite(arrays[short]).all():
                raise self.fault(what, "not finite everywhere", "an array of finite numbers")
        return arrays


def _text(name: bytes | str) -> str:
    """Text of an HDF5 string, whichever type h5py gave."""
    return name.decode() if isinstance(name, bytes) else str(name)
