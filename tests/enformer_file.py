"""An untrained Enformer, drawn from a seed and written in the layouts of the published PyTorch and TensorFlow files.

Drawing needs numpy, :func:`write` PyTorch, and :func:`write_saved_model` TensorFlow; the last is reached from another
environment as a script: ``python enformer_file.py ARRAYS.npz LENGTH CROP OUT.tar.gz``.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TENSORFLOW = Path(__file__).resolve().parents[1] / ".venvs" / "tensorflow" / "bin" / "python"


@dataclass(frozen=True)
class Sizes:
    """What a small Enformer has: channels of each stage (the stem first), widths, attention and head."""

    channels: tuple[int, ...] = (4, 4, 6, 6, 6, 8, 8)
    stem_width: int = 15
    width: int = 5
    layers: int = 1
    heads: int = 2
    keys: int = 4
    values: int = 4
    features: int = 12
    hidden: int = 16
    pointwise: int = 16
    tracks: int = 5313
    mouse: int = 0


#: Small and quick, with everything the published network has, down to the number of its bins and tracks.
SMALL = Sizes()
#: Bins of 8 bp, 20 of them in 160 bp; and options that fit.
TINY = Sizes((4, 6, 8), layers=2, heads=2, keys=3, values=5, features=12, hidden=9, pointwise=10, tracks=7)
TINY_OPTIONS = {"track": 3, "bins": 4, "crop": 2}
SECOND_NAMES = {
    "stem.": "_trunk.1.",
    "conv_tower.": "_trunk.2.",
    "transformer.": "_trunk.4.",
    "final_pointwise.": "_trunk.6.",
}


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parameters in the published PyTorch file, first names only."""
    found: dict[str, tuple[int, ...]] = {}

    def block(name: str, inputs: int, outputs: int, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{name}.0.{part}"] = (inputs,)
        found[f"{name}.0.num_batches_tracked"] = ()
        found[f"{name}.2.weight"], found[f"{name}.2.bias"] = (outputs, inputs, width), (outputs,)

    def linear(name: str, outputs: int, inputs: int, bias: bool = True) -> None:
        found[f"{name}.weight"] = (outputs, inputs)
        if bias:
            found[f"{name}.bias"] = (outputs,)

    stem, *tower = sizes.channels
    found["stem.0.weight"], found["stem.0.bias"] = (stem, 4, sizes.stem_width), (stem,)
    block("stem.1.fn", stem, stem, 1)
    found["stem.2.to_attn_logits.weight"] = (stem, stem, 1, 1)
    last = stem
    for i, channels in enumerate(tower):
        block(f"conv_tower.{i}.0", last, channels, sizes.width)
        block(f"conv_tower.{i}.1.fn", channels, channels, 1)
        found[f"conv_tower.{i}.2.to_attn_logits.weight"] = (channels, channels, 1, 1)
        last = channels
    for i in range(sizes.layers):
        attention = f"transformer.{i}.0.fn.1"
        for norm in (f"transformer.{i}.0.fn.0", f"transformer.{i}.1.fn.0"):
            found[f"{norm}.weight"] = found[f"{norm}.bias"] = (last,)
        for bias in ("rel_content_bias", "rel_pos_bias"):
            found[f"{attention}.{bias}"] = (1, sizes.heads, 1, sizes.keys)
        linear(f"{attention}.to_q", sizes.heads * sizes.keys, last, bias=False)
        linear(f"{attention}.to_k", sizes.heads * sizes.keys, last, bias=False)
        linear(f"{attention}.to_v", sizes.heads * sizes.values, last, bias=False)
        linear(f"{attention}.to_out", last, sizes.heads * sizes.values)
        linear(f"{attention}.to_rel_k", sizes.heads * sizes.keys, sizes.features, bias=False)
        linear(f"transformer.{i}.1.fn.1", sizes.hidden, last)
        linear(f"transformer.{i}.1.fn.4", last, sizes.hidden)
    block("final_pointwise.1", last, sizes.pointwise, 1)
    linear("_heads.human.0", sizes.tracks, sizes.pointwise)
    if sizes.mouse:
        linear("_heads.mouse.0", sizes.mouse, sizes.pointwise)
    return found


def parameters(sizes: Sizes, seed: int) -> dict[str, np.ndarray]:
    """Seeded parameters, scaled so that outputs differ between sequences and attention between positions."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in shapes(sizes).items():
        x = rng.standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            drawn[name] = np.zeros((), np.int64)
            continue
        if ".rel_" in name:
            x *= 0.2
        elif len(shape) > 1:
            x -= x.mean(axis=tuple(range(1, len(shape))), keepdims=True)
            gain = 4 if "to_rel_k" in name else 2 if "to_" in name or shape[1] == 4 else 1.5
            x *= gain / np.sqrt(np.prod(shape[1:]))
        elif name.endswith("running_var"):
            x = 1 + 0.2 * np.abs(x)
        elif name.endswith("weight"):
            x = 1 + 0.1 * x
        else:
            x *= 0.1
        drawn[name] = x.astype(np.float32)
    return drawn


def write(path: Path, arrays: dict[str, np.ndarray], names: str = "both") -> Path:
    """Write a PyTorch file; ``names``: ``first``, ``second`` or ``both``, as in the published one."""
    import torch

    held = {}
    for name, array in arrays.items():
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        second = next((new + name.removeprefix(old) for old, new in SECOND_NAMES.items() if name.startswith(old)), None)
        if names != "second" or second is None:
            held[name] = tensor
        if names != "first" and second is not None:
            held[second] = tensor
    torch.save(held, path)
    return path


def saved_model(arrays: dict[str, np.ndarray], length: int, crop: int, table: np.ndarray | None = None) -> Any:
    """The same network as a TensorFlow module with the interface of the published SavedModel.

    Args:
        arrays: parameters by their first names in the PyTorch file.
        length: input length; the bases in the middle half are used, as in the published graph.
        crop: bins cut at either end.
        table: position features float32 [2 * bins - 1, features]; the exact ones unless told.
    """
    import tensorflow as tf

    def kernel(array: np.ndarray) -> Any:
        return tf.Variable(array.T if array.ndim < 4 else array[:, :, 0, 0].T, trainable=False)

    # Variables as in the published file: a graph with 1 GB of constants takes 18 GB to run.
    kernels = {name: kernel(array) for name, array in arrays.items() if name.endswith("weight") and array.ndim > 1}

    def convolution(name: str, x: Any) -> Any:
        return tf.nn.conv1d(x, kernels[f"{name}.weight"], 1, "SAME") + arrays[f"{name}.bias"]

    def linear(name: str, x: Any) -> Any:
        return tf.matmul(x, kernels[f"{name}.weight"]) + arrays.get(f"{name}.bias", np.float32(0))

    def gelu(x: Any) -> Any:
        return tf.nn.sigmoid(1.702 * x) * x

    def block(name: str, x: Any) -> Any:
        weight, bias, mean, variance = (
            arrays[f"{name}.0.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return convolution(f"{name}.2", gelu(tf.nn.batch_normalization(x, mean, variance, bias, weight, 1e-5)))

    def pool(name: str, x: Any) -> Any:
        pairs = tf.reshape(x, (-1, x.shape[1] // 2, 2, x.shape[2]))
        logits = tf.matmul(pairs, kernels[f"{name}.to_attn_logits.weight"])
        return tf.reduce_sum(pairs * tf.nn.softmax(logits, axis=-2), axis=-2)

    def norm(name: str, x: Any) -> Any:
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]

    def attention(name: str, x: Any) -> Any:
        bins, count = x.shape[1], arrays[f"{name}.to_rel_k.weight"].shape[1]
        heads, keys = arrays[f"{name}.rel_content_bias"].shape[1::2]

        def split(part: str, y: Any) -> Any:
            y = linear(f"{name}.{part}", y)
            return tf.transpose(tf.reshape(y, (-1, y.shape[1], heads, y.shape[2] // heads)), (0, 2, 1, 3))

        query = split("to_q", x) * keys**-0.5
        features = position_table(bins, count) if table is None else table
        distance = split("to_rel_k", tf.constant(features)[None])
        by_distance = tf.matmul(query + arrays[f"{name}.rel_pos_bias"], distance, transpose_b=True)
        flat = tf.reshape(by_distance, (-1, heads, bins * (2 * bins - 1)))[..., bins - 1 :]
        by_key = tf.reshape(flat[..., : bins * (2 * bins - 2)], (-1, heads, bins, 2 * bins - 2))[..., :bins]
        content = tf.matmul(query + arrays[f"{name}.rel_content_bias"], split("to_k", x), transpose_b=True)
        mixed = tf.matmul(tf.nn.softmax(content + by_key), split("to_v", x))
        mixed = tf.transpose(mixed, (0, 2, 1, 3))
        return linear(f"{name}.to_out", tf.reshape(mixed, (-1, bins, mixed.shape[2] * mixed.shape[3])))

    def network(x: Any) -> Any:
        x = convolution("stem.0", x[:, length // 4 : 3 * length // 4])
        x = pool("stem.2", x + block("stem.1.fn", x))
        for i in range(
            sum(name.startswith("conv_tower.") and name.endswith(".2.to_attn_logits.weight") for name in arrays)
        ):
            x = block(f"conv_tower.{i}.0", x)
            x = pool(f"conv_tower.{i}.2", x + block(f"conv_tower.{i}.1.fn", x))
        for i in range(sum(name.endswith(".to_q.weight") for name in arrays)):
            x += attention(f"transformer.{i}.0.fn.1", norm(f"transformer.{i}.0.fn.0", x))
            hidden = tf.nn.relu(linear(f"transformer.{i}.1.fn.1", norm(f"transformer.{i}.1.fn.0", x)))
            x += linear(f"transformer.{i}.1.fn.4", hidden)
        x = gelu(block("final_pointwise.1", x[:, crop : x.shape[1] - crop]))
        return {"human": tf.math.softplus(linear("_heads.human.0", x))}

    inner = tf.Module()
    inner.kernels = list(kernels.values())
    inner.predict_on_batch = tf.function(network, input_signature=[tf.TensorSpec([None, length, 4], tf.float32)])
    outer = tf.Module()
    outer.model = inner
    return outer


def position_table(bins: int, count: int) -> np.ndarray:
    """Position features float32 [2 * bins - 1, count], from the densities that SciPy-free Python gives, in float64."""
    from math import exp, lgamma, log

    each, rows = count // 6, []
    deviation = bins / (2 * each)
    means = [bins / each + (bins - bins / each) * k / max(each - 1, 1) for k in range(each)]
    halves = [3 + (log(bins, 2) - 3) * k / max(each - 1, 1) for k in range(each)]
    for d in range(bins):
        densities = []
        for mean in means:
            a, b = (mean / deviation) ** 2, mean / deviation**2
            densities.append((exp((a - 1) * log(d) - b * d - lgamma(a) + a * log(b)) if d else 0.0) + 1e-8)
        rows.append([0.5 ** (d / 2**h) for h in halves] + [float(2**k - 1 > d) for k in range(1, each + 1)] + densities)
    right = np.array(rows)
    right[:, 2 * each :] /= right[:, 2 * each :].max(axis=0)
    table = [np.concatenate([right[abs(d)], right[abs(d)] * ((d > 0) - (d < 0))]) for d in range(1 - bins, bins)]
    return np.array(table, np.float32)


def write_saved_model(path: Path, model: Any) -> Path:
    """Pack a TensorFlow module as TensorFlow Hub does: the SavedModel's folder, its files at the top."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder)
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, ".")
    return path


def files(folder: Path, sizes: Sizes = SMALL, seed: int = 4) -> dict[str, Path]:
    """Both published files of a small network, by the adapters' names; the second where TensorFlow is installed."""
    drawn = parameters(sizes, seed)
    made = {"network": write(folder / "pytorch_model.bin", drawn)}
    if TENSORFLOW.exists():
        np.savez(folder / "arrays.npz", **drawn)
        made["saved_model"] = folder / "enformer_1.tar.gz"
        command = [TENSORFLOW, __file__, folder / "arrays.npz", "393216", "320", made["saved_model"]]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return made


def card_of(length: int) -> Any:
    """Enformer's card with another input length."""
    from pexbench.models import find_model

    card = find_model("enformer")
    given = dataclasses.replace(card.input, length=length, tss_index_plus=length // 2, tss_index_minus=length // 2)
    return dataclasses.replace(card, input=given)


def adapter(path: Path, length: int = 160, **options: Any) -> Any:
    """The PyTorch adapter of a tiny network."""
    from pexbench.models import load_adapter

    return load_adapter(card_of(length), "torch", {"network": path}, options={**TINY_OPTIONS, **options})


def draw(count: int, length: int = 160, seed: int = 1) -> np.ndarray:
    """Random codes, N included."""
    return np.random.default_rng(seed).integers(0, 5, (count, length)).astype(np.uint8)


if __name__ == "__main__":
    source, length, crop, out = sys.argv[1:]
    with np.load(source, allow_pickle=False) as given:
        write_saved_model(Path(out), saved_model({name: given[name] for name in given.files}, int(length), int(crop)))
