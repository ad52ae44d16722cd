"""What every model's adapter is: sequences as codes in, one float32 per sequence out.

Imports the standard library and numpy only, because adapters also run where nothing but their framework exists.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pexbench.errors import InputError, listing
from pexbench.incremental import Sequences
from pexbench.models.work import Work

if TYPE_CHECKING:
    from pexbench.models.card import Card

#: Codes 0..3 are A, C, G, T; this one is N and everything else.
UNKNOWN = 4


class Adapter:
    """A model, loaded and ready to predict.

    A model's module defines a subclass called ``Model`` that loads its weights in ``__init__`` (after
    ``super().__init__(...)``) and implements :meth:`forward`. Callers use :meth:`predict` and :meth:`predict_gene`,
    which check what goes in and what comes out. :meth:`predict_haplotypes` is the way of the workflow: it predicts the
    distinct sequences of a gene, and a model whose parts can be shared between them overrides
    :meth:`forward_haplotypes`; for any other each distinct sequence is predicted as a whole.

    Attributes:
        card: the model's card, with the window that the options ask for.
        device: ``cpu`` or the framework's name of another device.
        options: values of all options of the card: those given, else their defaults.
        precision: ``float32``, or a faster one of ``precisions``.
        precisions: those that the model can compute in.
        shares: the model's stages of which distinct pieces are computed once, as they are called in ``work``; empty for
            a model that shares whole sequences only.
        work: what has been computed.
    """

    precisions: tuple[str, ...] = ("float32",)
    shares: tuple[str, ...] = ()

    def __init__(
        self,
        card: Card,
        weights: Mapping[str, Path],
        *,
        device: str = "cpu",
        options: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Keep the settings.

        Args:
            card: the model's card.
            weights: weight files by the adapter's name for each.
            device: where to compute.
            options: values for some of the card's options.

        Raises:
            InputError: an option is unknown or its value has another type than its default.
        """
        self.card = card.with_options(options)
        self.device = device
        self.options = card.settings(options)
        self._weights = {name: Path(path) for name, path in weights.items()}
        self.precision, self.work = "float32", Work()
        self._batch_size: int | None = None
        self._costs: dict[str, int] = {}

    def use(self, precision: str = "float32", batch_size: int | None = None) -> None:
        """Choose how to compute.

        Args:
            precision: one of :attr:`precisions`.
            batch_size: most sequences or pieces at once; None leaves it to the model.

        Raises:
            InputError: a precision that the model does not have.
        """
        if precision not in self.precisions:
            raise InputError(
                f"model {self.card.name}: precision {precision!r}; {listing(self.precisions)} is allowed; set "
                "inference.precision to one of them, or run this model in a run of its own."
            )
        self.precision, self._batch_size = precision, batch_size

    def predict(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict sequences.

        Args:
            codes: uint8 [N, L], 0..3 = A, C, G, T and 4 = anything else, in the model's orientation, L the card's
                input length; N may be 0.

        Returns:
            float32 [N], in the unit of the card's output.

        Raises:
            InputError: codes of another type, length or value, or a prediction that is no finite number.
        """
        codes = checked_codes(codes, self.card)
        return self._checked(self.forward(codes) if len(codes) else np.zeros(0, np.float32), len(codes))

    def predict_gene(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict sequences of one gene; the same as :meth:`predict` unless the model is cross-fitted.

        Args:
            gene_id: the gene's id in the gene table.
            codes: as in :meth:`predict`.

        Returns:
            float32 [N].

        Raises:
            InputError: as in :meth:`predict`.
        """
        codes = checked_codes(codes, self.card)
        result = self.forward_gene(gene_id, codes) if len(codes) else np.zeros(0, np.float32)
        return self._checked(result, len(codes))

    def predict_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """Predict the distinct sequences of one gene, computing what they share once.

        Args:
            gene_id: the gene's id in the gene table.
            sequences: N sequences of the card's input length, in the model's orientation.

        Returns:
            float32 [N], equal to :meth:`predict_gene` of the same sequences up to the rounding of float32.

        Raises:
            InputError: as in :meth:`predict`.
        """
        check_codes(sequences.reference[None], self.card)
        check_codes(sequences.others, self.card)
        check_letters(sequences.letters, self.card)
        count = len(sequences)
        return self._checked(self.forward_haplotypes(gene_id, sequences) if count else np.zeros(0, np.float32), count)

    def forward_haplotypes(self, gene_id: str, sequences: Sequences) -> NDArray[np.float32]:
        """The model for the distinct sequences of a gene, at least one, to float32 [N].

        This one predicts each as a whole. A model whose parts can be shared overrides it.
        """
        size = self._batch_size or self.card.batch_size
        parts = []
        for start in range(0, len(sequences), size):
            codes = sequences.codes(np.arange(start, min(start + size, len(sequences))))
            parts.append(self._counted("sequence", codes, lambda given: self.forward_gene(gene_id, given)))
            self.work.batch("sequence", len(codes))
        return np.concatenate(parts)

    def input_gradient(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """How the prediction of each sequence would begin to change with every letter of the input.

        Always in float32, whatever the precision chosen.

        Args:
            gene_id: the gene's id in the gene table.
            codes: uint8 [N, L], as in :meth:`predict`.

        Returns:
            float32 [N, L, 4], the derivative by each of A, C, G, T at each position; None where the model gives none.
            The letters are taken as numbers, 1 for the base that is there; N is zero in all four.
        """
        return None

    def plain_multiply_adds(self, codes: NDArray[np.uint8]) -> int:
        """Multiply-adds of the plain path for one sequence, uint8 [1, L]; 0 where nobody counts them."""
        return 0

    def device_facts(self) -> dict[str, object]:
        """Where it computes: ``device_name``, ``threads`` and ``peak_device_memory_mb`` (0 on the CPU)."""
        return {"device_name": processor_name(), "threads": 0, "peak_device_memory_mb": 0.0}

    def _counted(
        self, kind: str, codes: NDArray[np.uint8], compute: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Compute, and add the work to the ledger where the framework can count it."""
        return compute(codes)

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model itself: checked codes uint8 [N, L], N at least 1, to float32 [N]; every model implements it."""
        raise NotImplementedError(f"{type(self).__module__}: class Model must implement forward(codes)")

    def forward_gene(self, gene_id: str, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The model for one gene; a cross-fitted model overrides it, so that no gene is predicted by itself."""
        return self.forward(codes)

    def weights_file(self, name: str) -> Path:
        """The weight file by the adapter's name for it.

        Raises:
            InputError: no file of that name was given, or it is not there.
        """
        if name not in self._weights:
            raise InputError(
                f"model {self.card.name}: weights {name!r} not given (given: {listing(self._weights) or 'none'}); "
                "this model needs them; add the file to the call or to the card's network."
            )
        path = self._weights[name]
        if not path.is_file():
            raise InputError(f"{path}: weights of model {self.card.name} not found; fetch or train them first.")
        return path

    def _checked(self, result: object, count: int) -> NDArray[np.float32]:
        """Refuse a result that is not one finite float32 per sequence."""
        found = f"{getattr(result, 'dtype', type(result).__name__)} {list(getattr(result, 'shape', []))}"
        if not isinstance(result, np.ndarray) or result.dtype != np.float32 or result.shape != (count,):
            raise InputError(
                f"model {self.card.name} gave {found} for {count} sequences; a numpy array float32 [{count}] is "
                "allowed; correct the adapter."
            )
        wrong = int(np.count_nonzero(~np.isfinite(result)))
        if wrong:
            raise InputError(
                f"model {self.card.name} gave no finite number for {wrong} of {count} sequences; every prediction "
                "must be finite; check the weights and the adapter."
            )
        return result


def processor_name() -> str:
    """What the machine calls its processor."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def checked_codes(codes: NDArray[np.uint8], card: Card) -> NDArray[np.uint8]:
    """A copy of checked codes in plain memory order: frameworks refuse views with negative strides."""
    check_codes(codes, card)
    return codes.copy(order="C")


def check_codes(codes: object, card: Card) -> None:
    """Refuse sequences that are not uint8 [N, L] with values 0..4.

    Args:
        codes: what a caller passed.
        card: its input length is L.

    Raises:
        InputError: wrong type, number of axes, length or values.
    """
    found = ""
    if not isinstance(codes, np.ndarray):
        found = type(codes).__name__
    elif codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != card.input.length:
        found = f"{codes.dtype} {list(codes.shape)}"
    if found:
        raise _refused(found, card)
    assert isinstance(codes, np.ndarray)  # noqa: S101 shown above
    check_letters(codes, card)


def check_letters(codes: NDArray[np.uint8], card: Card) -> None:
    """Refuse codes, of any shape, that are not 0..4.

    Raises:
        InputError: the largest is larger.
    """
    if codes.size and codes.max() > UNKNOWN:
        raise _refused(f"the value {int(codes.max())}", card)


def _refused(found: str, card: Card) -> InputError:
    """The error sentence."""
    allowed = f"a numpy array uint8 [N, {card.input.length}] with values 0 to {UNKNOWN}"
    return InputError(f"input of model {card.name}: {found} found; {allowed} is allowed; encode the sequences anew.")


def one_hot(codes: NDArray[np.uint8], order: str = "ACGT") -> NDArray[np.float32]:
    """One-hot encoding.

    Args:
        codes: uint8 [N, L], 0..3 = A, C, G, T, 4 = anything else.
        order: the letters of the channels.

    Returns:
        float32 [N, L, 4]; code 4 is a row of zeros.
    """
    rows = np.zeros((UNKNOWN + 1, 4), np.float32)
    for code, letter in enumerate("ACGT"):
        rows[code, order.index(letter)] = 1
    return rows[codes]
