"""Which device a model runs on."""

from __future__ import annotations

from pexbench.errors import InputError


def choose_device(asked: str, environment: str) -> str:
    """The device to use.

    Args:
        asked: ``auto``, ``cpu`` or ``cuda``.
        environment: name of the model's environment; only ``torch`` is asked for a GPU here, other frameworks run on
            the CPU unless ``cuda`` is asked for by name.

    Returns:
        ``cpu`` or ``cuda``.

    Raises:
        InputError: a GPU was asked for and none is seen.
    """
    if asked == "cpu" or (asked == "auto" and environment != "torch"):
        return "cpu"
    seen = False
    if environment == "torch":
        import torch

        seen = bool(torch.cuda.is_available())
    elif environment == "tensorflow":
        import tensorflow

        seen = bool(tensorflow.config.list_physical_devices("GPU"))
    if asked == "cuda" and not seen:
        raise InputError(
            f"device cuda: no GPU is seen by the environment {environment!r}; a GPU and a framework built for it are "
            "needed; run on a GPU node, or set inference.device to 'auto' or 'cpu'."
        )
    return "cuda" if seen else "cpu"
