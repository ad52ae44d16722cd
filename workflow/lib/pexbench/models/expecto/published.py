"""Reading Beluga's published file: a PyTorch state_dict, of which nothing is executed.

The sizes of the network are those of the arrays in the file. The trunk's layers are numbered with everything between
them counted: a step of 2 is a ReLU, a step of 4 a ReLU, a dropout (which does nothing here) and a pooling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pexbench.errors import InputError, listing
from pexbench.models.expecto.network import Architecture, Beluga, Convolution

TRUNK = re.compile(r"model\.0\.(0|[1-9]\d{0,3})\.(weight|bias)")
DENSE, LAST = "model.1.2.1", "model.1.4.1"
PARTS = ("weight", "bias")
UNPOOLED, POOLED = 2, 4
LETTERS = 4


def read_beluga(path: str | Path, length: int) -> Beluga:
    """Read architecture and parameters of a published Beluga network.

    Args:
        path: ``.pth`` file of the state_dict, in PyTorch's older or newer format.
        length: window in bp.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        InputError: no PyTorch file (or a truncated one), a file with code in it, another model's, or a parameter that
            is missing, unexpected, has another shape or type, or is not finite.
    """
    path = Path(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # the reader raises whatever the bytes make it stumble on
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: no whole PyTorch weights file ({type(error).__name__}: {reason[:120]}); Beluga's published .pth "
            "file, a state_dict of arrays and nothing else, is needed; fetch it again."
        ) from error
    return _Reader(path, content).network(length)


class _Reader:
    """The content of one file; every fault names it."""

    def __init__(self, path: Path, content: object) -> None:
        self.path = path
        if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
            raise self.fault("the content", type(content).__name__, "arrays by name (a state_dict)")
        self.content: Mapping[str, object] = content
        self.taken: set[str] = set()

    def fault(self, what: str, found: object, allowed: object) -> InputError:
        """The error sentence: file, part, found, allowed."""
        return InputError(
            f"{self.path}: {what} is {found}; {allowed} is expected, so this is no Beluga network or a damaged one; "
            "fetch the published file again."
        )

    def network(self, length: int) -> Beluga:
        """The whole network."""
        convolutions, arrays = self.trunk()
        outputs = convolutions[-1].outputs
        positions = Architecture(convolutions, 1, 1).positions(length)
        if not positions:
            raise self.fault("the sum of the convolutions", f"longer than a window of {length} bp", "a shorter one")
        dense = self.layer(DENSE, (None, outputs * positions))
        last = self.layer(LAST, (None, len(dense[0])))
        unexpected = [name for name in self.content if name not in self.taken]
        if unexpected:
            raise self.fault(f"parameter {listing(unexpected)}", "unexpected", f"nothing but {len(self.taken)} others")
        arrays.update(
            zip(("dense.weight", "dense.bias", "last.weight", "last.bias"), (*dense, *last), strict=True),
        )
        with torch.device("meta"):  # no memory for parameters that are about to be replaced
            network = Beluga(Architecture(convolutions, len(dense[0]), len(last[0])), length)
        network.load_state_dict(arrays, strict=True, assign=True)
        network.requires_grad_(False).eval()
        return network

    def trunk(self) -> tuple[tuple[Convolution, ...], dict[str, Tensor]]:
        """The convolutions and their parameters by the network's names."""
        places = sorted({int(match[1]) for name in self.content if (match := TRUNK.fullmatch(name))})
        if not places or places[0] != 0:
            raise self.fault(
                "parameter model.0.0.weight", f"missing (found: {listing(self.content) or 'none'})", "a kernel"
            )
        convolutions: list[Convolution] = []
        arrays: dict[str, Tensor] = {}
        channels = LETTERS
        for i, place in enumerate(places):
            step = places[i + 1] - place if i + 1 < len(places) else UNPOOLED
            if step not in (UNPOOLED, POOLED):
                raise self.fault(
                    f"the layer after model.0.{place}",
                    f"model.0.{place + step}",
                    f"model.0.{place + UNPOOLED} or model.0.{place + POOLED}",
                )
            weight, bias = self.layer(f"model.0.{place}", (None, channels, 1, None))
            convolutions.append(Convolution(channels, len(weight), weight.shape[3], step == POOLED))
            arrays[f"convolutions.{i}.weight"], arrays[f"convolutions.{i}.bias"] = weight[:, :, 0].contiguous(), bias
            channels = len(weight)
        return tuple(convolutions), arrays

    def layer(self, name: str, shape: tuple[int | None, ...]) -> tuple[Tensor, Tensor]:
        """Kernel and bias of a layer; None in the kernel's shape stands for any size."""
        weight = self.array(f"{name}.weight", shape)
        return weight, self.array(f"{name}.bias", (len(weight),))

    def array(self, name: str, shape: tuple[int | None, ...]) -> Tensor:
        """One parameter, float32 of a shape."""
        what = f"parameter {name}"
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        allowed = f"an array float32 [{sizes}]"
        value = self.content.get(name)
        if value is None:
            raise self.fault(what, "missing", allowed)
        if not isinstance(value, Tensor):
            raise self.fault(what, type(value).__name__, allowed)
        found = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        fits = len(value.shape) == len(shape) and all(
            size > 0 and wanted in (None, size) for size, wanted in zip(value.shape, shape, strict=True)
        )
        if not fits or value.dtype != torch.float32 or value.layout != torch.strided:
            raise self.fault(what, found, allowed)
        # The largest magnitude tells it without an array of flags beside half a gigabyte of weights.
        if not torch.isfinite(torch.linalg.vector_norm(value, float("inf"))):
            raise self.fault(what, "not finite everywhere", "an array of finite numbers")
        self.taken.add(name)
        return value.contiguous()
