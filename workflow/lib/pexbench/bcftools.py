"""Running bcftools: the system's where there is one, else the one inside pysam, always as a program of its own.

pysam's bcftools shares one process's memory and streams; run in a fresh Python process it reads and writes pipes
as the real program does, and a crash or an ``exit`` in C cannot end the caller.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pexbench.errors import InputError

#: Environment variable that forces one bcftools: ``system`` or ``pysam``.
CHOICE = "PEXBENCH_BCFTOOLS"

# What pysam 0.24 does with standard output differs by command: those that write variants stream to it; `query` and
# `consensus` close it themselves, pysam closes it again and aborts, unless they have a file to write (the last -o
# wins, so a caller's own -o still holds); text of the others is never flushed, unless pysam redirects it to a file.
_PYSAM_PROGRAM = """
import shutil
import sys
import tempfile
import pysam
import pysam.bcftools
command, *arguments = sys.argv[1:]
dispatcher = getattr(pysam.bcftools, command, None)
if dispatcher is None:
    sys.exit(f"[E::main] unrecognized command {command!r}")
try:
    if command in ("view", "norm", "annotate", "concat", "merge", "sort"):
        dispatcher(*arguments, catch_stdout=False)
    elif command in ("query", "consensus") and not {"-l", "--list-samples"} & set(arguments):
        dispatcher("-o", "/dev/stdout", *arguments, catch_stdout=False)
    else:
        with tempfile.NamedTemporaryFile() as text:
            dispatcher(*arguments, save_stdout=text.name)
            with open(text.name, "rb") as written:
                shutil.copyfileobj(written, sys.stdout.buffer)
except pysam.SamtoolsError as error:
    reason = str(error).partition("stderr=")[2].strip("'\\"")
    sys.exit(reason.replace("\\\\n", "\\n").rstrip())
sys.stderr.write(dispatcher.get_messages() or "")
"""


def command() -> list[str]:
    """The argument list that starts bcftools, without its arguments.

    Raises:
        InputError: the environment variable ``PEXBENCH_BCFTOOLS`` has another value than ``system`` or ``pysam``,
            or ``system`` is asked for and there is none.
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", "system", "pysam"):
        raise InputError(
            f"environment variable {CHOICE}: value {choice!r} found; 'system' and 'pysam' are allowed; "
            "set one of them or unset it."
        )
    program = shutil.which("bcftools")
    if choice == "system" and program is None:
        raise InputError(
            f"environment variable {CHOICE}: 'system' is asked for but no program bcftools is on PATH; "
            "install bcftools or unset the variable."
        )
    if program is not None and choice != "pysam":
        return [program]
    return [sys.executable, "-P", "-c", _PYSAM_PROGRAM]  # -P: modules of the working folder must not step in


def version() -> str:
    """Version of the bcftools in use, for example ``1.21`` or ``1.24 (pysam 0.24.1)``."""
    start = command()
    if len(start) > 1:
        import pysam.version  # only where it is used: the system's bcftools needs no pysam

        return f"{pysam.version.__bcftools_version__} (pysam {pysam.version.__version__})"
    first = subprocess.run([*start, "--version"], capture_output=True, check=True).stdout.split(b"\n")[0]
    return first.decode().removeprefix("bcftools ").strip()


def version_number() -> tuple[int, int]:
    """Major and minor version of the bcftools in use, for comparison."""
    found = re.match(r"(\d+)\.(\d+)", version())
    return (int(found[1]), int(found[2])) if found else (0, 0)


def run(args: Sequence[str], stdin: bytes | Path | None = None, stdout: Path | None = None) -> bytes:
    """Run bcftools to its end.

    Args:
        args: subcommand and its arguments, for example ``["view", "-h", "a.bcf"]``.
        stdin: bytes, or a file, given on standard input.
        stdout: a file for standard output; write it inside :func:`files.published`.

    Returns:
        Standard output, empty when it went to a file.

    Raises:
        InputError: bcftools failed; the sentence has the reason it gave.
    """
    return run_with_messages(args, stdin, stdout)[0]


def run_with_messages(
    args: Sequence[str], stdin: bytes | Path | None = None, stdout: Path | None = None
) -> tuple[bytes, str]:
    """As :func:`run`, with the text of standard error beside the output."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as messages:
        if isinstance(stdin, bytes):
            given.write(stdin)
            given.seek(0)
        source = stdin.open("rb") if isinstance(stdin, Path) else given
        sink = stdout.open("wb") if stdout is not None else None
        try:
            done = subprocess.run(
                [*command(), *args], stdin=source, stdout=sink or subprocess.PIPE, stderr=messages, check=False
            )
        finally:
            source.close()
            if sink is not None:
                sink.close()
        messages.seek(0)
        text = messages.read().decode(errors="replace")
    if done.returncode:
        raise _failure([(args, done.returncode, text)])
    return done.stdout or b"", text


def pipeline(stages: Sequence[Sequence[str]], output: Path) -> None:
    """Run several bcftools commands, each reading what the one before it writes.

    Args:
        stages: argument lists; every one but the first reads ``-`` (standard input).
        output: file for the last stage's standard output; write it inside :func:`files.published`.

    Raises:
        InputError: a stage failed; the sentence has the reason each failing stage gave.
    """
    if not stages:
        raise ValueError("a pipeline needs at least one stage")
    processes: list[subprocess.Popen[bytes]] = []
    logs = [tempfile.TemporaryFile() for _ in stages]  # noqa: SIM115 - closed below, all together
    try:
        with output.open("wb") as sink:
            for number, args in enumerate(stages):
                source = processes[-1].stdout if processes else subprocess.DEVNULL
                last = number == len(stages) - 1
                process = subprocess.Popen(
                    [*command(), *args], stdin=source, stdout=sink if last else subprocess.PIPE, stderr=logs[number]
                )
                if processes and processes[-1].stdout is not None:
                    # Only the next stage may hold the pipe: if it dies, the writer must get to know.
                    processes[-1].stdout.close()
                processes.append(process)
            codes = [process.wait() for process in processes]
        failed = []
        for args, code, log in zip(stages, codes, logs, strict=True):
            log.seek(0)
            if code:
                failed.append((args, code, log.read().decode(errors="replace")))
        if failed:
            # A stage whose reader died was stopped by the broken pipe: that is not the fault.
            raise _failure([stage for stage in failed if stage[1] != -signal.SIGPIPE] or failed)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for log in logs:
            log.close()


def _failure(failed: Sequence[tuple[Sequence[str], int, str]]) -> InputError:
    """The error for failing stages, each with its reason."""
    reasons = "; ".join(f"bcftools {' '.join(args)[:300]}: {_reason(code, text)}" for args, code, text in failed)
    return InputError(f"{reasons} (bcftools {version()}); check the files and settings named.")


def _reason(code: int, text: str) -> str:
    """The line of standard error that says why: the last one that is not the continuation of another."""
    lines = [line for line in text.splitlines() if line.strip() and not line[0].isspace()]
    if not lines:
        return f"exit status {code} without a message"
    # After a wrong argument the whole usage follows; the reason comes first.
    usage = any(line.startswith("Usage:") for line in lines)
    return lines[0 if usage else -1].strip()[:300]
