"""Kipoi models in folders, whose output is known: for each channel of the one-hot sequence a weighted count.

Track k is the sum over positions i (from 0) of (i + 1) / L where channel k is set, divided by L; with N as zeros.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

MODEL = """
import numpy as np
from kipoi.model import BaseModel
from arithmetic import weighted


class Tracks(BaseModel):
    def predict_on_batch(self, x):
        {unpack}
        assert x.dtype == np.float32 and x.shape[1:] == {shape}, (x.dtype, x.shape)
        x = x.reshape(len(x), *[size for size in x.shape[1:] if size != 1])
        tracks = weighted(x if {channels_first} else x.transpose(0, 2, 1), {bins})
        return {result}
"""
ARITHMETIC = """
import numpy as np


def weighted(x, bins):
    length = x.shape[2]
    weights = {factor} * np.arange(1, length + 1) / length**2
    parts = np.array_split(x.astype(np.float64) * weights, bins, axis=2)
    return np.stack([part.sum(axis=2) for part in parts], axis=1).astype(np.float32)  # [N, bins, 4]
"""
DESCRIPTION = """
type: custom
args:
  file: model.py
  object: Tracks
default_dataloader: {loader}
info:
  authors:
  - name: Nobody
  doc: Weighted counts of letters.
schema:
  inputs: {inputs}
  targets:
    name: tracks
    shape: (4, )
    doc: Weighted count by channel.
"""
#: What the model gives, from ``tracks`` float32 [N, bins, 4].
RESULTS = {
    "scalar": "tracks[:, 0, 1]",
    "column": "tracks[:, 0, 1:2]",
    "tracks": "tracks[:, 0]",
    "squeezed": "tracks[:, 0].squeeze()",
    "bins": "tracks",
    "channels": "tracks.transpose(0, 2, 1)",
    "mapping": "{'tracks': tracks[:, 0]}",
    "two": "[tracks[:, 0], tracks[:, 0]]",
    "text": "['a'] * len(tracks)",
    "fails": "tracks[:, 7]",
}


def write(
    folder: Path,
    shape: tuple[int | None, ...],
    result: str = "tracks",
    *,
    channels_first: bool = False,
    bins: int = 1,
    inputs: str = "array",
    loader: str = ".",
    factor: float = 1,
) -> Path:
    """Write a model's folder.

    Args:
        folder: to be made.
        shape: of the input, as its ``model.yaml`` declares it.
        result: a key of ``RESULTS``.
        channels_first: whether letters come before positions.
        bins: number of output bins.
        inputs: ``array``, ``mapping``, ``list`` or ``two``: how the input is declared.
        loader: the data loader, as YAML.
        factor: multiplies the output.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    one = f"{{name: seq, doc: DNA, special_type: DNASeq, shape: '{shape}'}}"
    declared = {"array": one, "mapping": f"{{seq: {one}}}", "list": f"[{one}]", "two": f"[{one}, {one}]"}[inputs]
    unpack = {"mapping": "x = x['seq']", "list": "(x,) = x"}.get(inputs, "pass")
    given = tuple(size for size in shape if size is not None)
    text = MODEL.format(
        unpack=unpack,
        shape=given if len(given) == len(shape) else "x.shape[1:]",
        channels_first=channels_first,
        bins=bins,
        result=RESULTS[result],
    )
    (folder / "model.py").write_text(text)
    (folder / "arithmetic.py").write_text(ARITHMETIC.format(factor=factor))
    (folder / "model.yaml").write_text(DESCRIPTION.format(inputs=declared, loader=loader))
    return folder


def expected(codes: np.ndarray, letter: str, first: int = 0, last: int | None = None) -> np.ndarray:
    """The track of a letter from codes uint8 [N, L], of positions first to last, in float64 [N]."""
    length = codes.shape[1]
    values = [
        sum((i + 1) / length**2 for i in range(*slice(first, last).indices(length)) if row[i] == "ACGT".index(letter))
        for row in codes.tolist()
    ]
    return np.array(values)
