"""Template of an adapter: the share of CpG dinucleotides, those near the TSS counting more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pexbench.models.base import Adapter

C, G = 1, 2
REACH = 300.0


class Model(Adapter):
    """What the workflow loads; ``self.options``, ``self.device`` and ``self.weights_file(role)`` are there to be used."""

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict checked sequences.

        Args:
            codes: uint8 [N, L], 0..3 = A, C, G, T and 4 = anything else, in the orientation that the card asks for.
                ``pexbench.models.base.one_hot`` makes float32 channels of it.

        Returns:
            float32 [N]; the same whatever else is in the batch.
        """
        sites = (codes[:, :-1] == C) & (codes[:, 1:] == G)
        distance = np.arange(sites.shape[1]) - self.card.input.tss_index_plus
        weights = np.exp(-np.abs(distance) / REACH)
        # One sum per sequence: a matrix product may round differently from batch to batch.
        shares: NDArray[np.float32] = (np.where(sites, weights, 0.0).sum(axis=1) / weights.sum()).astype(np.float32)
        return shares
