#!/usr/bin/env python3
"""Build one virtual environment per file in envs/, for machines without conda.

    python3 workflow/bin/environments.py base torch

Standard library only: it runs before anything is installed. The pins come from the ``pip:`` list of
envs/NAME.yaml, the same list conda reads. ``dev`` is base, torch and dev together, so that one process
can test everything that runs without TensorFlow. An environment whose pins have not changed is left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Environments that are several files in one; every other name is its own file.
COMBINED = {"dev": ("base", "torch", "dev")}
#: Environments that hold no part of the library.
WITHOUT_LIBRARY = {"snakemake"}
#: Pythons for which every pinned package has wheels.
PYTHONS = ((3, 11), (3, 12))


def pins(name: str) -> list[str]:
    """Requirements in the ``pip:`` list of envs/NAME.yaml, in order, without comments."""
    path = ROOT / "envs" / f"{name}.yaml"
    if not path.exists():
        names = ", ".join(sorted([*(p.stem for p in (ROOT / "envs").glob("*.yaml")), *COMBINED]))
        sys.exit(f"setup: {path} not found; environments are {names}.")
    found, inside, depth = [], False, 0
    for line in path.read_text().splitlines():
        text = line.split("#")[0].rstrip()
        if not text:
            continue
        indent = len(text) - len(text.lstrip())
        if re.fullmatch(r"\s*- pip:", text):
            inside, depth = True, indent
        elif inside and indent > depth:
            found.append(text.strip().removeprefix("- ").strip())
        else:
            inside = False
    return found


def requirements(name: str) -> list[str]:
    """All requirements of one environment, each once."""
    every = [pin for part in COMBINED.get(name, (name,)) for pin in pins(part)]
    return list(dict.fromkeys(every))


def run(command: list[str], what: str) -> None:
    """Run a command; on failure stop with a sentence."""
    done = subprocess.run(command)
    if done.returncode:
        sys.exit(f"setup: {what} failed (exit {done.returncode}); the reason stands above. Mend it and run again.")


def build(name: str) -> None:
    """Make .venvs/NAME, or leave it if its pins are the same as when it was made."""
    wanted = requirements(name)
    folder = ROOT / ".venvs" / name
    stamp = folder / "pins.sha256"
    python = folder / "bin" / "python"
    digest = hashlib.sha256("\n".join([sys.version, str(ROOT), *wanted]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and python.exists():
        return
    print(f"setup: environment {name}: {len(wanted)} pinned packages and what they need", flush=True)
    if folder.exists():
        shutil.rmtree(folder)
    made = subprocess.run([sys.executable, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode:
        sys.exit(
            f"setup: 'python3 -m venv' failed: {(made.stderr or made.stdout).strip().splitlines()[-1]}; "
            "on Debian and Ubuntu install it with 'apt-get install python3-venv' and run again."
        )
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--prefer-binary"]
    run([*pip, *wanted], f"installing environment {name}")
    if name not in WITHOUT_LIBRARY:
        site = subprocess.check_output(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], text=True
        ).strip()
        Path(site, "pexbench.pth").write_text(f"{ROOT / 'workflow' / 'lib'}\n")
    stamp.write_text(digest)


def main() -> None:
    """Build the environments named on the command line."""
    if sys.version_info[:2] not in PYTHONS:
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(f"setup: python3 is {found}; 3.11 or 3.12 is needed; call make with PYTHON=/path/to/python3.12.")
    if not sys.argv[1:]:
        sys.exit("setup: name at least one environment, for example: python3 workflow/bin/environments.py base")
    os.environ.pop("PYTHONPATH", None)
    for name in sys.argv[1:]:
        build(name)


if __name__ == "__main__":
    main()
