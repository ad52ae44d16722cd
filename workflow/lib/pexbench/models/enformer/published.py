"""Reading Enformer's published PyTorch weights: a state_dict, without the package that wrote it.

All sizes are taken from the file. ``torch.load(weights_only=True)`` reads tensors and refuses anything that would run
code. The published file holds most tensors twice, the second time under names that begin with ``_trunk.``; a file
with either or both is read.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pexbench.errors import InputError, listing
from pexbench.models.enformer import network

#: Second names of the same parameters, and the first.
ALIASES = {
    "_trunk.1.": "stem.",
    "_trunk.2.": "conv_tower.",
    "_trunk.4.": "transformer.",
    "_trunk.6.": "final_pointwise.",
}
HEAD = "_heads.human.0"
#: Parameters that a file may have or lack: heads of other species, and counters that only training reads.
OPTIONAL = ("_heads.mouse.0.weight", "_heads.mouse.0.bias")
COUNTER = "num_batches_tracked"
LETTERS = 4
#: Position features come in three families, each with and without the sign of the distance.
FEATURE_STEP = 6


def read_published(path: str | Path) -> network.Enformer:
    """Read a published Enformer.

    Args:
        path: what ``torch.save(model.state_dict())`` of enformer-pytorch wrote (``pytorch_model.bin``).

    Returns:
        The network with the human head, float32, on the CPU.

    Raises:
        InputError: no file of PyTorch (or a truncated one), no dictionary of tensors, or a parameter that is
            missing, unexpected, of another shape or type, not finite, or different under its two names.
    """
    path = Path(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, pickle.PickleError) as e:
        # Only the first sentence: what follows advises to load with weights_only=False, which is wrong here.
        told = " ".join(str(e).split()).split(". ")[0] or type(e).__name__
        raise InputError(
            f"{path}: no whole file of PyTorch that holds tensors only ({told}); Enformer's published "
            "pytorch_model.bin is needed; fetch it again."
        ) from e
    reader = _Reader(path, held)
    made = reader.enformer()
    reader.done()
    return made


class _Reader:
    """The parameters of one file, taken one by one; every fault names the file."""

    def __init__(self, path: Path, held: object) -> None:
        """Bring every parameter under its first name."""
        self.path = path
        if not isinstance(held, Mapping) or not all(isinstance(value, Tensor) for value in held.values()):
            raise self.fault("the content", type(held).__name__, "a dictionary of tensors by name")
        self.held: dict[str, Tensor] = {}
        for name, tensor in held.items():
            first = _first_name(str(name))
            if first not in self.held:
                self.held[first] = tensor
            elif not _same(self.held[first], tensor):
                raise self.fault(f"parameter {name}", "different", f"the same as {first}, of which it is a second name")
        self.taken: set[str] = set()

    def fault(self, what: str, found: object, allowed: object) -> InputError:
        """The error sentence: file, part, found, allowed."""
        return InputError(
            f"{self.path}: {what} is {found}; {allowed} is expected, so this is no Enformer or a damaged one; "
            "fetch the published file again."
        )

    def take(self, name: str, *shape: int | None) -> Tensor:
        """A parameter, float32 and finite, of a shape in which None stands for any size of at least 1."""
        self.taken.add(name)
        wanted = f"float32 [{', '.join('any' if size is None else str(size) for size in shape)}]"
        if name not in self.held:
            raise self.fault(f"parameter {name}", "missing", wanted)
        tensor = self.held[name]
        fits = tensor.ndim == len(shape) and all(
            size == want or (want is None and size > 0) for size, want in zip(tensor.shape, shape, strict=True)
        )
        if not fits or tensor.dtype != torch.float32:
            found = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
            raise self.fault(f"parameter {name}", found, wanted)
        if not bool(torch.isfinite(tensor).all()):
            raise self.fault(f"parameter {name}", "not finite everywhere", f"{wanted} of finite numbers")
        return tensor

    def done(self) -> None:
        """Refuse what nothing has taken."""
        left = [
            name
            for name in self.held
            if name not in self.taken and name not in OPTIONAL and not name.endswith(f".{COUNTER}")
        ]
        if left:
            raise self.fault("what the file holds besides Enformer's parameters", listing(left), "nothing")

    def numbers(self, prefix: str) -> list[int]:
        """The numbers 0, 1, 2 ... that follow a prefix in the names, as many as there are."""
        found = {name.removeprefix(prefix).split(".")[0] for name in self.held if name.startswith(prefix)}
        count = 0
        while str(count) in found:
            count += 1
        return list(range(count))

    def enformer(self) -> network.Enformer:
        """The whole network."""
        stem = self.convolution("stem.0", LETTERS)
        channels = len(stem.weight)
        stages = [self.stage(stem, "stem.1.fn", "stem.2", channels)]
        for i in self.numbers("conv_tower."):
            widen = self.block(f"conv_tower.{i}.0", channels)
            channels = len(widen.convolution.weight)
            stages.append(self.stage(widen, f"conv_tower.{i}.1.fn", f"conv_tower.{i}.2", channels))
        numbers = self.numbers("transformer.")
        if not numbers:
            raise self.fault("the number of transformer layers", 0, "at least 1")
        layers: list[network.Layer] = []
        for i in numbers:
            features = layers[0].attention.relative.weight.shape[1] if layers else None
            layers.append(self.layer(f"transformer.{i}", channels, features))
        pointwise = self.block("final_pointwise.1", channels, width=1)
        head = network.Head(pointwise, self.linear(HEAD, None, len(pointwise.convolution.weight)))
        return network.Enformer(network.Trunk(stages), network.Transformer(layers), head)

    def stage(self, widen: network.Convolution | network.Block, refine: str, pool: str, channels: int) -> network.Stage:
        """One stage of the trunk, whose first part is read already."""
        weight = self.take(f"{pool}.to_attn_logits.weight", channels, channels, 1, 1)[:, :, 0, 0]
        return network.Stage(widen, self.block(refine, channels, channels, 1), network.Pool(weight))

    def block(self, name: str, inputs: int, outputs: int | None = None, width: int | None = None) -> network.Block:
        """Batch norm (``name.0``), activation, convolution (``name.2``)."""
        parts = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.take(f"{name}.0.{part}", inputs) for part in parts)
        if bool((variance < 0).any()):
            raise self.fault(f"parameter {name}.0.running_var", "negative somewhere", "a variance of at least 0")
        return network.Block(
            network.BatchNorm(weight, bias, mean, variance), self.convolution(f"{name}.2", inputs, outputs, width)
        )

    def convolution(
        self, name: str, inputs: int, outputs: int | None = None, width: int | None = None
    ) -> network.Convolution:
        """A convolution of odd width."""
        weight = self.take(f"{name}.weight", outputs, inputs, width)
        if weight.shape[-1] % 2 == 0:
            raise self.fault(f"parameter {name}.weight", f"{weight.shape[-1]} wide", "an odd width")
        return network.Convolution(weight, self.take(f"{name}.bias", len(weight)))

    def linear(self, name: str, outputs: int | None, inputs: int | None, bias: bool = True) -> network.Linear:
        """A linear layer."""
        weight = self.take(f"{name}.weight", outputs, inputs)
        return network.Linear(weight, self.take(f"{name}.bias", len(weight)) if bias else None)

    def norm(self, name: str, channels: int) -> network.LayerNorm:
        """A layer norm."""
        return network.LayerNorm(self.take(f"{name}.weight", channels), self.take(f"{name}.bias", channels))

    def layer(self, name: str, channels: int, features: int | None) -> network.Layer:
        """One transformer layer: attention (``name.0``) and perceptron (``name.1``)."""
        attention = f"{name}.0.fn.1"
        content_bias = self.take(f"{attention}.rel_content_bias", 1, None, 1, None)[0]
        heads, _, keys = content_bias.shape
        position_bias = self.take(f"{attention}.rel_pos_bias", 1, heads, 1, keys)[0]
        relative = self.linear(f"{attention}.to_rel_k", heads * keys, features, bias=False)
        if relative.weight.shape[1] % FEATURE_STEP:
            found = f"for {relative.weight.shape[1]} position features"
            raise self.fault(f"parameter {attention}.to_rel_k.weight", found, f"a multiple of {FEATURE_STEP}")
        value = self.linear(f"{attention}.to_v", None, channels, bias=False)
        if len(value.weight) % heads:
            found = f"{len(value.weight)} channels"
            raise self.fault(f"parameter {attention}.to_v.weight", found, f"a multiple of the {heads} heads")
        made = network.Attention(
            content_bias,
            position_bias,
            query=self.linear(f"{attention}.to_q", heads * keys, channels, bias=False),
            key=self.linear(f"{attention}.to_k", heads * keys, channels, bias=False),
            value=value,
            relative=relative,
            out=self.linear(f"{attention}.to_out", channels, len(value.weight)),
        )
        widen = self.linear(f"{name}.1.fn.1", None, channels)
        return network.Layer(
            self.norm(f"{name}.0.fn.0", channels),
            made,
            self.norm(f"{name}.1.fn.0", channels),
            widen,
            self.linear(f"{name}.1.fn.4", channels, len(widen.weight)),
        )


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same numbers; quick where they are the same memory."""
    shared = one.data_ptr() == other.data_ptr() and one.shape == other.shape and one.stride() == other.stride()
    return shared or bool(torch.equal(one, other))


def _first_name(name: str) -> str:
    """The first name of a parameter that may be called by its second."""
    for alias, first in ALIASES.items():
        if name.startswith(alias):
            return first + name.removeprefix(alias)
    return name
