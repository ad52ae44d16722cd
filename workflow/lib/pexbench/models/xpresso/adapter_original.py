"""Xpresso in the authors' framework: the published file, loaded and run by Keras 2 (tf_keras) on TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError
from pexbench.models.base import Adapter, one_hot
from pexbench.models.card import Card
from pexbench.models.xpresso.published import read_published

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import: TensorFlow greets at length

import tensorflow as tf
import tf_keras


class Model(Adapter):
    """Xpresso by Keras in float32, TF32 off; half-life features are 0."""

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Load the network; ``weights`` holds the published file as ``network``."""
        super().__init__(card, weights, device=device, options=options)
        path = self.weights_file("network")
        # Reading it ourselves first refuses damaged files in words, and files whose layers carry code.
        self._network = read_published(path, card.input.length)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self._device = "/CPU:0" if device == "cpu" else "/GPU:0"
        if device != "cpu" and not tf.config.list_physical_devices("GPU"):
            raise InputError(
                f"device {device!r} cannot be used by TensorFlow, which finds no GPU; cpu is allowed; "
                "correct the configuration."
            )
        with tf.device(self._device):
            self._model = tf_keras.models.load_model(path, compile=False)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        given = {
            self._network.sequence: one_hot(codes),
            self._network.features: np.zeros((len(codes), self._network.feature_count), np.float32),
        }
        with tf.device(self._device):
            result = self._model([tf.constant(given[name]) for name in self._model.input_names], training=False)
        return np.asarray(result.numpy()[:, 0], dtype=np.float32)
