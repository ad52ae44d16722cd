"""The arithmetic that PyTorch adapters compute in: float32 without TF32, or a faster one by name; repeatable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: float32 is the reference; the others are faster on a GPU and less exact.
PRECISIONS = ("float32", "tf32", "bf16")


@contextmanager
def arithmetic(precision: str = "float32", device: str = "cpu", gradient: bool = False) -> Iterator[None]:
    """Inference in one precision; PyTorch's settings are put back afterwards.

    Args:
        precision: one of :data:`PRECISIONS`. ``tf32`` rounds the factors of products to 10 bits, ``bf16`` convolutions
            and matrix products to 7 bits (PyTorch's autocast); sums, norms and softmax stay float32.
        device: kind of device, ``cpu`` or ``cuda``.
        gradient: remember what is computed, so that derivatives can be had.
    """
    tf32 = torch.backends.cuda.matmul.allow_tf32
    wanted = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = wanted
    try:
        with (
            torch.enable_grad() if gradient else torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=wanted),
            torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"),
        ):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = tf32
