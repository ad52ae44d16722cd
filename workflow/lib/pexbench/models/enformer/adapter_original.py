"""Enformer in the authors' framework: DeepMind's SavedModel, run by TensorFlow.

A SavedModel is a TensorFlow graph and its variables. Loading one runs no Python of the file, but a graph can hold
operations that read and write files or call out; a graph with such operations is refused before it is loaded (what
saves and restores the graph's own variables is allowed).
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing
from pexbench.models.base import Adapter, one_hot
from pexbench.models.card import Card
from pexbench.models.enformer.readout import BIN, readout

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the import: TensorFlow greets at length

import tensorflow as tf
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

GRAPH = "saved_model.pb"
SPECIES = "human"
LETTERS = 4
#: Parts of the names of operations that reach beyond the graph: Python, files, data sets, the network, libraries.
REFUSED = ("PyFunc", "File", "Reader", "Dataset", "Iterator", "Rpc", "Grpc", "Service", "Summary", "Print", "Remote")
#: Operations whose names hold such a part and that are harmless: the name of a shard of the graph's own variables.
ALLOWED = ("ShardedFilename",)


class Model(Adapter):
    """DeepMind's network in float32, TF32 off.

    The published graph takes 393,216 bp and looks at the 196,608 in the middle only; the sequence is put there, with
    zeros (as for N) on either side, which is therefore exact. A graph that takes the sequence's own length gets it
    as it is. The position features are TensorFlow's, whatever the option ``gamma``.
    """

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Load the graph.

        Args:
            card: the model's card.
            weights: ``saved_model`` is the published ``.tar.gz``, or the file ``saved_model.pb`` of an unpacked folder.
            device: ``cpu``, or ``cuda`` for TensorFlow's first GPU.
            options: values for some of the card's options.
        """
        super().__init__(card, weights, device=device, options=options)
        path = self.weights_file("saved_model")
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self._device = "/CPU:0" if device == "cpu" else "/GPU:0"
        if device != "cpu" and not tf.config.list_physical_devices("GPU"):
            raise InputError(
                f"device {device!r} cannot be used by TensorFlow, which finds no GPU; cpu is allowed; "
                "correct the configuration."
            )
        with tempfile.TemporaryDirectory() as scratch:
            folder = path.parent if path.name == GRAPH else _unpacked(path, Path(scratch))
            _check(path, folder)
            with tf.device(self._device):
                self._model, length, bins, tracks = _loaded(path, folder)
        spare = length - card.input.length
        if spare < 0 or spare % 2:
            raise _fault(path, f"an input of {length} bp", f"{card.input.length} bp in the middle of it")
        self._flank = spare // 2
        self._readout = readout(card, self.options, tracks)
        if bins != self._readout.target:
            crop = f"{self._readout.target} after a crop of {self._readout.crop} (option crop)"
            raise _fault(path, f"an output of {bins} bins", crop)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict one sequence after the other; see :class:`pexbench.models.base.Adapter`."""
        here = self._readout
        made = np.zeros((len(codes), 1 + here.both_strands), np.float32)
        for strand, (given, bins) in enumerate(here.strands(codes)):
            for i in range(len(codes)):
                output = self._predict(given[i : i + 1])
                made[i, strand] = output[bins.start - here.crop : bins.stop - here.crop, here.track].mean()
        return np.asarray(np.mean(made, axis=1), dtype=np.float32)

    def _predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Codes uint8 [1, L] to float32 [bins, tracks]."""
        given = np.pad(one_hot(codes), ((0, 0), (self._flank, self._flank), (0, 0)))
        with tf.device(self._device):
            return np.asarray(self._model.predict_on_batch(tf.constant(given))[SPECIES].numpy()[0], np.float32)


def _fault(path: Path, found: str, allowed: str) -> InputError:
    """The error sentence."""
    return InputError(
        f"{path}: {found} found; {allowed} is expected, so this is not Enformer's SavedModel; fetch the published one "
        "again."
    )


def _unpacked(path: Path, folder: Path) -> Path:
    """Unpack the archive; nothing in it may lie outside the folder."""
    try:
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise _fault(path, f"no whole archive ({' '.join(str(error).split())})", "a .tar.gz of a SavedModel") from error
    graphs = sorted(folder.rglob(GRAPH))
    if len(graphs) != 1:
        raise _fault(path, f"an archive with {len(graphs)} files {GRAPH}", "one")
    return graphs[0].parent


def _check(path: Path, folder: Path) -> None:
    """Refuse a graph that is damaged, or that holds operations which reach beyond it."""
    graph = SavedModel()
    try:
        graph.ParseFromString((folder / GRAPH).read_bytes())
    except DecodeError as error:
        raise _fault(path, f"a damaged {GRAPH}", "TensorFlow's SavedModel") from error
    graphs = [meta.graph_def for meta in graph.meta_graphs]
    nodes = [node for part in graphs for node in part.node]
    nodes += [node for part in graphs for function in part.library.function for node in function.node_def]
    kinds = {node.op for node in nodes}
    wrong = sorted(kind for kind in kinds if any(part in kind for part in REFUSED) and kind not in ALLOWED)
    if wrong:
        raise _fault(path, f"operations that reach beyond the graph ({listing(wrong)})", "a graph of arithmetic")


def _loaded(path: Path, folder: Path) -> tuple[Any, int, int, int]:
    """The model inside, its input length in bp, and its numbers of bins and human tracks."""
    try:
        model = tf.saved_model.load(str(folder)).model
        function = model.predict_on_batch.concrete_functions[0]
        (signature, *_), _ = function.structured_input_signature
        given, made = signature.shape.as_list(), function.structured_outputs[SPECIES].shape.as_list()
    except (AttributeError, IndexError, ValueError, KeyError, TypeError, OSError, tf.errors.OpError) as error:
        told = " ".join(str(error).split())[:200]
        raise _fault(path, f"no model.predict_on_batch ({told})", "TensorFlow Hub's deepmind/enformer/1") from error
    if len(given) != 3 or not given[1] or given[1] % BIN or given[2] != LETTERS:
        raise _fault(path, f"an input of shape {given}", f"[any, 393216, {LETTERS}]")
    if len(made) != 3 or not made[1] or not made[2]:
        raise _fault(path, f"an output of shape {made}", "[any, 896, 5313]")
    return model, int(given[1]), int(made[1]), int(made[2])
