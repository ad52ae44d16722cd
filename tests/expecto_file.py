"""An untrained ExPecto, drawn from a seed: Beluga's state_dict and a linear model, in the layouts of the published files."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pexbench.models import Card, find_model, load_adapter

#: Names of the published files.
BELUGA, BOOSTER = "deepsea.beluga.pth", "Cells_EBV-transformed_lymphocytes.save"
WINDOW = 2000
#: Convolutions of a small network: place in the file, outputs, width. A step of 4 between places holds a pooling.
SMALL = ((0, 4, 8), (4, 6, 8), (8, 8, 5))
#: The published network's.
PUBLISHED = ((0, 320, 8), (2, 320, 8), (6, 480, 8), (8, 480, 8), (12, 640, 8), (14, 640, 8))


def shapes(
    convolutions: Sequence[tuple[int, int, int]] = SMALL, hidden: int = 12, features: int = 10, length: int = WINDOW
) -> dict[str, tuple[int, ...]]:
    """Parameters of a network by their published names."""
    result: dict[str, tuple[int, ...]] = {}
    channels, steps = 4, length
    for i, (place, outputs, width) in enumerate(convolutions):
        result[f"model.0.{place}.weight"], result[f"model.0.{place}.bias"] = (outputs, channels, 1, width), (outputs,)
        channels, steps = outputs, steps - width + 1
        if i + 1 < len(convolutions) and convolutions[i + 1][0] - place == 4:
            steps //= 4
    for name, outputs, inputs in (("2.1", hidden, channels * steps), ("4.1", features, hidden)):
        result[f"model.1.{name}.weight"], result[f"model.1.{name}.bias"] = (outputs, inputs), (outputs,)
    return result


def parameters(sizes: dict[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """Seeded arrays; kernels are scaled so that the network's features differ between sequences."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, shape in sizes.items():
        scale = 2 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
        drawn[name] = (rng.standard_normal(shape) * scale).astype(np.float32)
    return drawn


def write_beluga(path: Path, arrays: dict[str, np.ndarray], *, old_format: bool = False) -> Path:
    """Write a state_dict as PyTorch does; the published file is in the older of its two formats."""
    import torch

    content = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    return path


def booster_bytes(
    weights: np.ndarray, bias: float, base_score: float = 2.0, *, objective: bytes = b"reg:linear"
) -> bytes:
    """A linear model as XGBoost 0.7 writes it."""
    count = len(weights)
    return b"".join(
        [
            b"binf",
            struct.pack("<fI", base_score, count) + bytes(128),
            struct.pack("<Q", len(objective)) + objective,
            struct.pack("<Q", 8) + b"gblinear",
            struct.pack("<Ii", count, 1) + bytes(128),
            struct.pack("<Q", count + 1),
            np.append(weights, bias).astype("<f4").tobytes(),
        ]
    )


def booster_weights(features: int, seed: int) -> np.ndarray:
    """Seeded coefficients, small enough that predictions are of the order of 1."""
    return (np.random.default_rng(seed).standard_normal(10 * (1 + features)) * 0.02).astype(np.float32)


def files(folder: Path, seed: int = 1) -> dict[str, Path]:
    """Write a small model under the published names.

    Returns:
        The two files by the adapter's name for each.
    """
    sizes = shapes()
    features = sizes["model.1.4.1.bias"][0]
    booster = folder / BOOSTER
    booster.write_bytes(booster_bytes(booster_weights(features, seed + 1), bias=-0.4))
    beluga = write_beluga(folder / BELUGA, parameters(sizes, seed), old_format=True)
    return {"beluga": beluga, "booster": booster}


#: Length of a short input: seven windows, at the shifts -600, -400 .. 600.
LENGTH = 3200


def short_card(length: int = LENGTH, plus: int = 1599, minus: int = 1599) -> Card:
    """ExPecto's card with another input."""
    card = find_model("expecto")
    given = dataclasses.replace(card.input, length=length, tss_index_plus=plus, tss_index_minus=minus)
    return dataclasses.replace(card, input=given)


def load(weights: dict[str, Path], card: Card | None = None, **options: Any) -> Any:
    """The adapter of a short input."""
    return load_adapter(card or short_card(), "torch", weights, options=options)


def random_codes(count: int, seed: int = 1, length: int = LENGTH) -> np.ndarray:
    """Sequences with a block of N in the middle."""
    codes = np.random.default_rng(seed).integers(0, 4, (count, length)).astype(np.uint8)
    codes[:, length // 2 : length // 2 + 40] = 4
    return codes
