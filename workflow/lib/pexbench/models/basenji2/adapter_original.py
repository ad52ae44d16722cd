"""Basenji2 in the author's framework: built of Keras 2 layers (tf_keras) on TensorFlow, restored by Keras."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError
from pexbench.models.base import Adapter, one_hot
from pexbench.models.basenji2.published import (
    EPSILON,
    Architecture,
    Convolution,
    Crop,
    Residual,
    read_architecture,
    read_weights,
)
from pexbench.models.basenji2.readout import read_readout
from pexbench.models.card import Card

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import: TensorFlow greets at length

import tensorflow as tf
import tf_keras


class Model(Adapter):
    """Basenji2 by Keras in float32, TF32 off; whole trunk, head on the bins that are read, one sequence at a time."""

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Build and restore the network; ``weights`` holds ``weights`` (HDF5) and ``params`` (JSON)."""
        super().__init__(card, weights, device=device, options=options)
        architecture = read_architecture(self.weights_file("params"), card.input.length)
        self.readout = read_readout(card.name, self.options, architecture, card.input.length)
        path = self.weights_file("weights")
        # Reading it ourselves first refuses damaged files in words; Keras then restores it in its own way.
        read_weights(path, architecture)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self._device = "/CPU:0" if device == "cpu" else "/GPU:0"
        if device != "cpu" and not tf.config.list_physical_devices("GPU"):
            raise InputError(
                f"device {device!r} cannot be used by TensorFlow, which finds no GPU; cpu is allowed; "
                "correct the configuration."
            )
        with tf.device(self._device):
            self.trunk, self.head = _build(architecture, card.input.length)
            whole = tf_keras.Model(self.trunk.input, self.head(self.trunk.output))
            whole.load_weights(str(path))
            self._features = tf.function(lambda given: self.trunk(given, training=False))

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        rows = [self.profile(row[None], self.readout.bins)[0, :, self.readout.track] for row in codes]
        return np.asarray(np.mean(np.array(rows, np.float64), axis=1), dtype=np.float32)

    def profile(self, codes: NDArray[np.uint8], bins: tuple[int, int]) -> NDArray[np.float32]:
        """All tracks in some bins, float32 [N, bins, tracks], averaged over all shifts and strands."""
        first, last = bins
        with tf.device(self._device):
            sequences = tf.constant(one_hot(codes))
            results = []
            for shift, reverse in self.readout.passes:
                given = _shifted(sequences, shift)
                if reverse:
                    given = tf.reverse(given, axis=[1, 2])
                features = self._features(given)
                if reverse:  # every bin is treated alike by the head
                    features = tf.reverse(features, axis=[1])
                results.append(self.head(features[:, first:last]))
            return np.asarray(tf.add_n(results).numpy() / len(results), dtype=np.float32)


def _shifted(sequences: Any, shift: int) -> Any:
    """One-hot sequences moved to the right (or left, if negative); empty rows hold a quarter of each letter."""
    empty = tf.fill([tf.shape(sequences)[0], abs(shift), 4], 0.25)
    if shift > 0:
        return tf.concat([empty, sequences[:, :-shift]], axis=1)
    return tf.concat([sequences[:, -shift:], empty], axis=1)


def _build(architecture: Architecture, length: int) -> tuple[Any, Any]:
    """The trunk, with the activation behind it, as a Keras model, and the head as a Keras layer."""
    layers = tf_keras.layers

    def activated(x: Any) -> Any:
        gelu = architecture.activation == "gelu"
        return layers.Activation((lambda x: tf.sigmoid(1.702 * x) * x) if gelu else "relu")(x)

    def applied(step: Convolution | Residual | Crop, x: Any) -> Any:
        if isinstance(step, Crop):
            return layers.Cropping1D(step.positions)(x)
        if isinstance(step, Residual):
            inner = x
            for part in step.steps:
                inner = applied(part, inner)
            return layers.Add()([x, inner])
        x = layers.Conv1D(step.filters, step.width, padding="same", use_bias=False, dilation_rate=step.dilation)(
            activated(x)
        )
        x = layers.BatchNormalization(epsilon=EPSILON)(x)
        return layers.MaxPool1D(step.pool, padding="same")(x) if step.pool > 1 else x

    given = tf_keras.Input((length, 4))
    x = given
    for step in architecture.steps:
        x = applied(step, x)
    return tf_keras.Model(given, activated(x)), layers.Dense(architecture.tracks, activation="softplus")
