"""ExPecto's published linear models: XGBoost's old binary format, read without XGBoost.

XGBoost 3.1 and later no longer read this format. The file of a linear model is short, little-endian throughout:

====== =====================================================================================================
bytes  what
====== =====================================================================================================
4      ``binf``
136    base score (float32), number of features (uint32), number of classes (int32), two flags for further
       sections at the end (int32), reserved
8 + n  length (uint64) and name of the objective: ``reg:linear``, whose prediction is the plain sum
8 + 8  length (uint64) and name of the kind of model: ``gblinear``
136    number of features (uint32), number of outputs (int32), reserved
8      number of coefficients (uint64): one per feature, and the bias
4 each coefficients (float32), the bias last
====== =====================================================================================================
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError

MAGIC = b"binf"
#: Two names of one objective: the prediction is the sum itself.
OBJECTIVES = ("reg:linear", "reg:squarederror")
KIND = "gblinear"
MODEL = struct.Struct("<fIiii116x")
LINEAR = struct.Struct("<Ii128x")
COUNT = struct.Struct("<Q")
LONGEST_NAME = 64


@dataclass(frozen=True)
class LinearBooster:
    """A linear model: ``features . weights + bias + base_score``.

    Attributes:
        weights: float64 [F], the file's float32 values.
        bias: the model's bias.
        base_score: added to every prediction.
    """

    weights: NDArray[np.float64]
    bias: float
    base_score: float

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict in float64: features [N, F] to [N]."""
        # Row by row, so that a sequence's sum does not depend on what else is in the batch.
        return np.array([row @ self.weights + self.bias + self.base_score for row in features], np.float64)


def read_booster(path: str | Path) -> LinearBooster:
    """Read a linear model.

    Args:
        path: ``.save`` file as published with ExPecto.

    Returns:
        Its coefficients.

    Raises:
        InputError: another format, another kind of model or objective, several outputs, numbers of features that
            contradict each other, a truncated file or one with more behind the coefficients, or a coefficient that
            is no finite number.
    """
    path = Path(path)
    reader = _Reader(path, path.read_bytes())
    magic = reader.take(len(MAGIC), "the format's mark")
    if magic != MAGIC:
        raise reader.fault("the format's mark", magic, MAGIC)
    base_score, features, classes, *more = MODEL.unpack(reader.take(MODEL.size, "the header"))
    objective, kind = reader.name("objective"), reader.name("kind of model")
    if objective not in OBJECTIVES:
        raise reader.fault("the objective", repr(objective), " or ".join(map(repr, OBJECTIVES)))
    if kind != KIND:
        raise reader.fault("the kind of model", repr(kind), repr(KIND))
    own_features, outputs = LINEAR.unpack(reader.take(LINEAR.size, "the header of the linear model"))
    (count,) = COUNT.unpack(reader.take(COUNT.size, "the number of coefficients"))
    for what, found, allowed in (
        ("the number of classes", classes, 0),
        ("the flags for further sections", more, [0, 0]),
        ("the number of features", features, own_features),
        ("the number of outputs", outputs, 1),
        ("the number of coefficients", count, features + 1),
        ("the length after the header", reader.left, count * 4),
    ):
        if found != allowed:
            raise reader.fault(what, found, allowed)
    values = np.frombuffer(reader.take(reader.left, "the coefficients"), "<f4").astype(np.float64)
    if not (np.isfinite(values).all() and np.isfinite(base_score)):
        raise reader.fault("the coefficients", "not finite everywhere", "an array of finite numbers")
    return LinearBooster(values[:-1], float(values[-1]), float(base_score))


class _Reader:
    """Bytes of one file, taken from front to back; every fault names the file."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path, self.content, self.at = path, content, 0

    @property
    def left(self) -> int:
        """Bytes not taken yet."""
        return len(self.content) - self.at

    def fault(self, what: str, found: object, allowed: object) -> InputError:
        """The error sentence: file, part, found, allowed."""
        return InputError(
            f"{self.path}: {what} is {found}; {allowed} is expected, so this is no linear XGBoost model in the old "
            "binary format, or a damaged one; fetch the published .save file again."
        )

    def take(self, size: int, what: str) -> bytes:
        """The next bytes."""
        if self.left < size:
            raise self.fault(what, f"cut off after {self.left} bytes", f"{size} bytes")
        self.at += size
        return self.content[self.at - size : self.at]

    def name(self, what: str) -> str:
        """A text with its length in front."""
        (size,) = COUNT.unpack(self.take(COUNT.size, f"the length of the {what}"))
        if size > LONGEST_NAME:
            raise self.fault(f"the length of the {what}", size, f"at most {LONGEST_NAME}")
        return self.take(size, f"the {what}").decode("ascii", errors="replace")
