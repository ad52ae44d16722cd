"""Xpresso's port against a slow float64 network written out by hand, and what it says about damaged files."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xpresso_file
from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter

pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
h5py = pytest.importorskip("h5py", reason="h5py is not in the environment that runs this test")

SMALL = [{"filters": 8, "width": 6, "pool": 5}, {"filters": 4, "width": 9, "pool": 3}]


def slow(model: dict[str, Any], arrays: dict[str, np.ndarray], codes: np.ndarray) -> float:
    """One sequence through the network, position by position in float64, as Keras' documentation describes it."""
    values: dict[str, np.ndarray] = {}
    for layer in model["config"]["layers"]:
        kind, name, settings = layer["class_name"], layer["name"], layer["config"]
        inputs = [values[link[0]] for node in layer["inbound_nodes"] for link in node]
        kernel, bias = (arrays.get(f"{name}/{part}", np.zeros(1)).astype(np.float64) for part in ("kernel", "bias"))
        if name == "promoter":
            x = np.array([[float(code == letter) for letter in range(4)] for code in codes])
        elif name == "halflife":
            x = np.zeros(settings["batch_input_shape"][1])
        elif kind == "Conv1D":
            width, x = settings["kernel_size"][0], inputs[0]
            if settings["padding"] == "same":
                before = (width - 1) // 2
                x = np.concatenate([np.zeros((before, x.shape[1])), x, np.zeros((width - 1 - before, x.shape[1]))])
            x = np.array([np.tensordot(x[i : i + width], kernel, 2) + bias for i in range(len(x) - width + 1)])
        elif kind == "MaxPooling1D":
            (size,), (stride,) = settings["pool_size"], settings["strides"]
            x = np.array([inputs[0][i : i + size].max(axis=0) for i in range(0, len(inputs[0]) - size + 1, stride)])
        elif kind == "Flatten":
            x = np.array([value for step in inputs[0] for value in step])
        elif kind == "Concatenate":
            x = np.concatenate(inputs)
        elif kind == "Dense":
            x = inputs[0] @ kernel + bias
        else:
            x = inputs[0]
        values[name] = np.maximum(x, 0) if settings.get("activation") == "relu" else x
    return float(values[model["config"]["output_layers"][0][0]][0])


def adapter(path: Path, length: int) -> Any:
    card = find_model("xpresso")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=length))
    return load_adapter(card, "torch", {"network": path})


@pytest.mark.parametrize(
    ("length", "convolutions", "dense"),
    [
        (300, SMALL, [5, 2, 1]),
        (301, [{"filters": 3, "width": 5, "pool": 4, "stride": 2}, {"filters": 6, "width": 4, "pool": 7}], [3, 1]),
        (128, [{"filters": 7, "width": 8, "pool": 3, "padding": "valid"}], [4, 3, 2, 1]),
    ],
    ids=["even and odd kernels", "overlapping pools", "no padding"],
)
def test_equals_the_network_written_out(tmp_path: Path, length: int, convolutions: Any, dense: list[int]) -> None:
    model = xpresso_file.config(length, convolutions, dense)
    arrays = xpresso_file.parameters(model, seed=3)
    path = xpresso_file.write(tmp_path / "network.h5", model, arrays)
    codes = np.random.default_rng(1).integers(0, 5, (4, length)).astype(np.uint8)
    expected = [slow(model, arrays, row) for row in codes]
    assert np.std(expected) > 5e-4
    np.testing.assert_allclose(adapter(path, length).predict(codes), expected, rtol=0, atol=2e-6)


def test_results_are_the_same_to_the_last_bit_in_any_batch(tmp_path: Path) -> None:
    model = xpresso_file.PUBLISHED
    path = xpresso_file.write(tmp_path / "network.h5", model, xpresso_file.parameters(model, seed=1))
    made = adapter(path, 10500)
    codes = np.random.default_rng(2).integers(0, 5, (7, 10500)).astype(np.uint8)
    alone = np.concatenate([made.predict(row[None]) for row in codes])
    assert len(set(alone.tolist())) == 7
    assert np.array_equal(made.predict(codes), alone)
    assert np.array_equal(made.predict(codes[::-1]), alone[::-1])


@pytest.fixture
def parts() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    model = xpresso_file.config(300, SMALL, [5, 1])
    return copy.deepcopy(model), xpresso_file.parameters(model, seed=1)


def refusal(path: Path, length: int = 300) -> str:
    with pytest.raises(InputError) as error:
        adapter(path, length)
    assert str(path) in str(error.value)
    return str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "not found" in refusal(tmp_path / "absent.h5")


def test_no_hdf5_file(tmp_path: Path) -> None:
    path = tmp_path / "page.h5"
    path.write_text("<html>404</html>")
    assert "no whole HDF5 file" in refusal(path)


def test_a_truncated_file(tmp_path: Path, parts: Any) -> None:
    whole = xpresso_file.write(tmp_path / "whole.h5", *parts).read_bytes()
    path = tmp_path / "half.h5"
    path.write_bytes(whole[: len(whole) // 2])
    assert "no whole HDF5 file" in refusal(path)


def test_weights_without_architecture(tmp_path: Path, parts: Any) -> None:
    path = xpresso_file.write(tmp_path / "network.h5", *parts)
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
    assert "model_config" in refusal(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"class_name": "Model"}', '{"class_name": "Model", "config": []}'])
def test_an_unreadable_architecture(tmp_path: Path, parts: Any, text: str) -> None:
    path = xpresso_file.write(tmp_path / "network.h5", *parts)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = text
    assert "model_config" in refusal(path)


def test_a_layer_without_its_settings(tmp_path: Path, parts: Any) -> None:
    del next(layer for layer in parts[0]["config"]["layers"] if layer["name"] == "conv1d_1")["config"]["filters"]
    assert "filters" in refusal(xpresso_file.write(tmp_path / "network.h5", *parts))


def test_a_sequential_model_is_another_model(tmp_path: Path, parts: Any) -> None:
    parts[0]["class_name"] = "Sequential"
    assert "Sequential" in refusal(xpresso_file.write(tmp_path / "network.h5", *parts))


def test_a_layer_that_carries_code_is_refused(tmp_path: Path, parts: Any) -> None:
    layer = next(layer for layer in parts[0]["config"]["layers"] if layer["name"] == "activation_1")
    layer["class_name"] = "Lambda"
    sentence = refusal(xpresso_file.write(tmp_path / "network.h5", *parts))
    assert "layer activation_1 is Lambda" in sentence
    assert "Conv1D" in sentence


@pytest.mark.parametrize(
    ("layer", "key", "value"),
    [
        ("conv1d_1", "strides", [2]),
        ("conv1d_2", "dilation_rate", [2]),
        ("conv1d_1", "padding", "causal"),
        ("conv1d_1", "activation", "gelu"),
        ("conv1d_1", "use_bias", False),
        ("max_pooling1d_1", "padding", "same"),
        ("concatenate_1", "axis", 0),
        ("dense_1", "activation", "tanh"),
    ],
)
def test_a_setting_of_another_network_is_refused(tmp_path: Path, parts: Any, layer: str, key: str, value: Any) -> None:
    next(entry for entry in parts[0]["config"]["layers"] if entry["name"] == layer)["config"][key] = value
    sentence = refusal(xpresso_file.write(tmp_path / "network.h5", *parts))
    assert f"layer {layer}, {key} is {value}" in sentence


def test_another_input_length_is_refused(tmp_path: Path, parts: Any) -> None:
    sentence = refusal(xpresso_file.write(tmp_path / "network.h5", *parts), length=400)
    assert "[300, 4]" in sentence
    assert "[400, 4]" in sentence


def test_another_output_is_refused(tmp_path: Path) -> None:
    model = xpresso_file.config(300, SMALL, [5, 2])
    path = xpresso_file.write(tmp_path / "network.h5", model, xpresso_file.parameters(model, 1))
    assert "the output is [[2]]" in refusal(path)


def test_a_missing_parameter_is_named(tmp_path: Path, parts: Any) -> None:
    del parts[1]["conv1d_2/kernel"]
    sentence = refusal(xpresso_file.write(tmp_path / "network.h5", *parts))
    assert "parameter kernel of layer conv1d_2 is missing" in sentence
    assert "float32 [9, 8, 4]" in sentence


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((9, 8, 5), np.float32), "float32 [9, 8, 5]"),
        (np.zeros((4, 8, 9), np.float32), "float32 [4, 8, 9]"),
        (np.zeros((9, 8, 4), np.float16), "float16 [9, 8, 4]"),
        (np.full((9, 8, 4), np.nan, np.float32), "not finite"),
    ],
)
def test_a_wrong_parameter_is_named(tmp_path: Path, parts: Any, array: np.ndarray, found: str) -> None:
    parts[1]["conv1d_2/kernel"] = array
    sentence = refusal(xpresso_file.write(tmp_path / "network.h5", *parts))
    assert f"parameter kernel of layer conv1d_2 is {found}" in sentence


def test_an_unknown_device_is_refused(tmp_path: Path, parts: Any) -> None:
    path = xpresso_file.write(tmp_path / "network.h5", *parts)
    card = find_model("xpresso")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=300))
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        load_adapter(card, "torch", {"network": path}, "abacus")


def test_weights_under_another_name_are_refused(tmp_path: Path, parts: Any) -> None:
    path = xpresso_file.write(tmp_path / "network.h5", *parts)
    with pytest.raises(InputError, match="weights 'network' not given \\(given: beluga\\)"):
        load_adapter(find_model("xpresso"), "torch", {"beluga": path})
