"""Kipoi models as adapters: one-hot sequences in, one track of the output out.

SECURITY: a Kipoi model is a program. Loading it runs Python that its authors wrote, with all rights of whoever starts
the run, and nothing checks it. Use only models that you trust.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError
from pexbench.models.base import UNKNOWN, Adapter, one_hot
from pexbench.models.card import Card
from pexbench.models.kipoi.loading import failed, load
from pexbench.models.kipoi.shapes import Readout, input_layout, letter_order

#: What N becomes in each channel.
UNKNOWNS = {"zero": 0.0, "quarter": 0.25}


class Model(Adapter):
    """A Kipoi model, on the CPU; it runs code of the model's authors.

    A batch is given to the model as one, so a result may depend on its neighbours in the batch in the last bits where
    the model's framework lets it.
    """

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Load the model that the options name; ``weights`` is not used, Kipoi has its own."""
        super().__init__(card, weights, device=device, options=options)
        given = self.options
        self._name = f"model {self.card.name} ({given['model']})"
        if device != "cpu":
            raise InputError(f"{self._name}: device {device!r} cannot be used; Kipoi models run on cpu; correct it.")
        if given["unknown"] not in UNKNOWNS:
            raise InputError(
                f"{self._name}: option unknown is {given['unknown']!r}; {' or '.join(UNKNOWNS)} is allowed; correct it."
            )
        self._unknown = UNKNOWNS[str(given["unknown"])]
        self._readout = Readout(int(str(given["track"])), int(str(given["bins"])), str(given["layout"]))
        self._readout.check(self._name)
        self._model, loader, self._modules = load(self._name, str(given["model"]), str(given["source"]))
        self._order = letter_order(self._name, str(given["alphabet"]), loader)
        self._layout = input_layout(self._name, self._model.schema.inputs, self.card.input.length)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict; see :class:`pexbench.models.base.Adapter`."""
        # A single sequence goes in twice: many models squeeze their output, and would lose the axis of sequences.
        batch = np.repeat(codes, 2, axis=0) if len(codes) == 1 else codes
        sequences = one_hot(batch, self._order)
        sequences[batch == UNKNOWN] = self._unknown
        try:
            with self._modules:
                result = self._model.predict_on_batch(self._layout.arrange(sequences))
        except Exception as error:  # whatever the code of others raises
            raise failed(self._name, "failed to predict", error) from error
        return self._readout.select(self._name, result, len(batch))[: len(codes)]
