"""Which device a model runs on."""

from __future__ import annotations

import fcntl
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pexbench.errors import InputError

LOG = logging.getLogger(__name__)
#: Seconds between two looks for a GPU that has become free.
PAUSE = 5.0
#: Locks of this process; the kernel releases them when it ends, however it ends.
_HELD: list[IO[str]] = []


def choose_device(asked: str, environment: str) -> str:
    """The device to use. In PyTorch a GPU is taken by one process at a time: a second one waits for it, or takes another.

    Args:
        asked: ``auto``, ``cpu`` or ``cuda``.
        environment: name of the model's environment; only ``torch`` is asked for a GPU here, other frameworks run on
            the CPU unless ``cuda`` is asked for by name.

    Returns:
        ``cpu``, ``cuda``, or ``cuda:1`` and so on where there are several.

    Raises:
        InputError: a GPU was asked for and none is seen.
    """
    if asked == "cpu" or (asked == "auto" and environment != "torch"):
        return "cpu"
    seen = False
    if environment == "torch":
        import torch

        if torch.cuda.is_available():
            names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
            number = claim(names)
            return f"cuda:{number}" if len(names) > 1 else "cuda"
    elif environment == "tensorflow":
        import tensorflow

        seen = bool(tensorflow.config.list_physical_devices("GPU"))
    if asked == "cuda" and not seen:
        raise InputError(
            f"device cuda: no GPU is seen by the environment {environment!r}; a GPU and a framework built for it are "
            "needed; run on a GPU node, or set inference.device to 'auto' or 'cpu'."
        )
    return "cuda" if seen else "cpu"


def claim(names: Sequence[str], folder: Path | None = None) -> int:
    """Take a GPU that no other process of this machine has taken, waiting for one if need be.

    Args:
        names: of the GPUs seen, unique on the machine.
        folder: of the lock files; the machine's temporary folder by default.

    Returns:
        The place of the GPU taken among the names.
    """
    folder = Path(tempfile.gettempdir()) if folder is None else folder
    told = False
    while True:
        for number, name in enumerate(names):
            path = folder / f"pexbench-gpu-{name}.lock"
            # Shared with other users of the machine, who may have made it.
            handle = path.open("a") if not path.exists() else path.open()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
                continue
            _HELD.append(handle)
            return number
        if not told:
            LOG.info("all %d GPU(s) are taken by other jobs; waiting for one", len(names))
            told = True
        time.sleep(PAUSE)
