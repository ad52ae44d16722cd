"""Is the environment that runs the one that its file describes?

Standard library only: it must be able to speak where a package is broken or absent.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pexbench.errors import InputError, listing

#: Set by SLURM in a job that was given a GPU.
GRANTED = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS")


def read_pins(path: str | Path) -> dict[str, str]:
    """Versions by package from the ``pip:`` list of an environment file."""
    return dict(re.findall(r"^\s*-\s*([A-Za-z0-9_.-]+)==([^\s#]+)", Path(path).read_text(), flags=re.MULTILINE))


def check_environment(name: str, pins: Mapping[str, str]) -> dict[str, str]:
    """Compare the packages that this Python imports with the pins of its environment file.

    Args:
        name: of the environment, for sentences.
        pins: version by package.

    Returns:
        The version found of every pinned package.

    Raises:
        InputError: packages are absent, have another version, or come from outside the environment.
    """
    faults, found = [], {}
    modules = _modules()
    for package, wanted in pins.items():
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            faults.append(f"{package} is absent, {wanted} is pinned")
            continue
        found[package] = version
        # A build may add its own mark to the version: 2.13.0+cu128.
        if version.partition("+")[0] != wanted:
            faults.append(f"{package} is {version}, {wanted} is pinned")
        faults += [
            f"{module} would be imported from {origin}, which is outside the environment"
            for module in modules.get(_canonical(package), ())
            if (origin := _origin(module)) and not _own(origin)
        ]
    if faults:
        raise InputError(
            f"environment {name!r} ({sys.prefix}): {listing(faults, 10)}; packages must be the environment's own, as "
            f"envs/{name}.yaml pins them; take other folders off PYTHONPATH, and build the environment again ('make "
            f"setup', or delete it from .snakemake/conda)."
        )
    return found


def promised_gpu(asked: str, variables: Mapping[str, str] = os.environ) -> str:
    """Why a GPU must be there; empty if none was promised.

    Args:
        asked: ``auto``, ``cpu`` or ``cuda``.
        variables: the job's environment variables.
    """
    if asked == "cpu":
        return ""
    granted = [key for key in GRANTED if variables.get(key)]
    if granted:
        return f"SLURM gave the job one ({granted[0]}={variables[granted[0]]})"
    return "inference.device is 'cuda'" if asked == "cuda" else ""


def seen_gpus(modules: Sequence[str]) -> list[str] | None:
    """Names of the GPUs that the framework of this environment sees; None where it has no framework.

    Args:
        modules: names of pinned packages.
    """
    if "torch" in modules:
        import torch

        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    if "tensorflow" in modules:
        import tensorflow

        return [device.name for device in tensorflow.config.list_physical_devices("GPU")]
    return None


def check_gpu(name: str, asked: str, gpus: Sequence[str] | None) -> None:
    """Stop where a GPU was promised and the framework sees none.

    Raises:
        InputError: see above.
    """
    why = promised_gpu(asked)
    if why and gpus is not None and not gpus:
        raise InputError(
            f"environment {name!r} on {os.uname().nodename}: no GPU is seen, although {why}; a GPU, its driver and a "
            "framework built for it are needed; run nvidia-smi on that node, correct the GPU lines of "
            "profiles/slurm/config.yaml, or set inference.device to 'cpu'."
        )


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _modules() -> dict[str, list[str]]:
    """Top modules by package."""
    found: dict[str, list[str]] = {}
    for module, packages in importlib.metadata.packages_distributions().items():
        for package in set(packages):
            if module.isidentifier() and not module.startswith("_"):
                found.setdefault(_canonical(package), []).append(module)
    return found


def _origin(module: str) -> str | None:
    """File that a module would be imported from."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.origin in (None, "namespace", "built-in"):
        return next(iter(spec.submodule_search_locations or ()), None)
    return spec.origin


def _own(origin: str) -> bool:
    """Whether a file lies in the environment."""
    return Path(origin).is_relative_to(sys.prefix) or Path(origin).resolve().is_relative_to(Path(sys.prefix).resolve())
