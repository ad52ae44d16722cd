"""Fetched files: found in a mirror or downloaded, never used unchecked.

Standard library only, because the Snakefile asks :func:`preflight` before any job exists.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pexbench.errors import InputError

#: Files below this size, in bytes, are verified in the mirror before any job; reading them takes a moment.
READ_AT_ONCE = 50_000_000

COLUMNS = ("name", "file", "url", "sha256", "md5", "bytes", "licence", "description")


@dataclass(frozen=True)
class Resource:
    """One row of the resource table.

    Attributes:
        name: how configurations call it.
        file: its name in ``resources/`` and in a mirror.
        url: public place, or empty where the file is cut from a release that ``description`` names.
        sha256: hex digest of its bytes; empty where its authors publish none and nobody here has had the file.
        md5: the same, where only this is published.
        size: in bytes; 0 where it is not known.
        licence: under which terms it is public.
        description: what it is.
    """

    name: str
    file: str
    url: str
    sha256: str
    md5: str
    size: int
    licence: str
    description: str

    @property
    def digest(self) -> str:
        """Checksum to expect, with its kind, for sentences and notes."""
        return f"sha256 {self.sha256}" if self.sha256 else f"md5 {self.md5}" if self.md5 else "no published checksum"

    @property
    def source(self) -> str:
        """Where to get it, for error sentences."""
        return self.url or f"no single download: {self.description}"


def read_resources(path: str | Path) -> dict[str, Resource]:
    """Read the resource table.

    Args:
        path: tab-separated with the columns :data:`COLUMNS`.

    Raises:
        InputError: columns differ, or a name or file occurs twice.
    """
    with open(path, newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
        found = tuple(rows[0]) if rows else COLUMNS
    if found != COLUMNS:
        raise InputError(f"{path}: columns are {' '.join(map(str, found))}; they must be {' '.join(COLUMNS)}; mend it.")
    table: dict[str, Resource] = {}
    for row in rows:
        if row["name"] in table or any(row["file"] == other.file for other in table.values()):
            raise InputError(f"{path}: {row['name']} ({row['file']}) occurs twice; each resource needs one row.")
        table[row["name"]] = Resource(
            row["name"],
            row["file"],
            row["url"],
            row["sha256"],
            row["md5"],
            int(row["bytes"] or 0),
            row["licence"],
            row["description"],
        )
    return table


def named_by(name: str, table: Mapping[str, Resource]) -> list[str]:
    """Names of the resources that an entry of the configuration stands for.

    Args:
        name: of a resource, or with ``{contig}`` for one resource per contig.
        table: resources by name.

    Returns:
        Names in the table's order; empty for what is no resource, such as a path.
    """
    if "{contig}" not in name:
        return [name] if name in table else []
    before, _, after = name.partition("{contig}")
    pattern = re.compile(f"{re.escape(before)}[A-Za-z0-9]+{re.escape(after)}")
    return [known for known in table if pattern.fullmatch(known)]


def file_digest(path: Path, kind: str) -> str:
    """Hex digest of a file; ``kind`` is ``sha256`` or ``md5``."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, kind).hexdigest()


def _stamp(path: Path) -> Path:
    """The note beside a verified file: digest, size and time of the bytes that were verified."""
    return path.with_name(f".{path.name}.verified")


def _note(path: Path, digest: str) -> str:
    status = path.stat()
    return f"{digest} {status.st_size} {status.st_mtime_ns}\n"


def verify(resource: Resource, path: Path) -> None:
    """Compare a file with its row of the resource table.

    Raises:
        InputError: size or checksum differ; the sentence names both and where to get the file.
    """
    size = path.stat().st_size
    if resource.size and size != resource.size:
        kind = "truncated" if size < resource.size else "not the file expected"
        raise InputError(
            f"{path}: {size} bytes found, {resource.size} expected ({resource.digest}): it is {kind}; replace it "
            f"with {resource.file} from {resource.source}."
        )
    kind, expected = ("sha256", resource.sha256) if resource.sha256 else ("md5", resource.md5)
    if expected and (digest := file_digest(path, kind)) != expected:
        raise InputError(
            f"{path}: {kind} {digest} found, {expected} expected: the file was altered; replace it with "
            f"{resource.file} from {resource.source}."
        )


def in_mirror(resource: Resource, mirror: str | None) -> Path | None:
    """The resource in the mirror folder: by file name at its top, else anywhere below it."""
    if not mirror:
        return None
    top = Path(mirror)
    direct = top / resource.file
    if direct.is_file():
        return direct
    return next((path for path in sorted(top.rglob(resource.file)) if path.is_file()), None)


def preflight(resources: Iterable[Resource], folder: str | Path, mirror: str | None, download: bool = True) -> None:
    """Look at every file a run needs before any job is queued, without reading much.

    A file already in ``folder`` must be the one that was verified (same size and time; if touched since, it is
    read and verified again). One that is only in the mirror must have the right size. One that is in neither must
    have a URL, and downloads must be allowed.

    Raises:
        InputError: a file is absent, truncated or altered.
    """
    if mirror and not Path(mirror).is_dir():
        raise InputError(
            f"mirror {mirror}: not found; it must be a folder that holds the resource files; correct 'mirror' in the "
            "configuration or the environment variable PEXBENCH_MIRROR, or unset it."
        )
    for resource in resources:
        path = Path(folder) / resource.file
        if path.exists():
            stamp = _stamp(path)
            if not stamp.exists() or stamp.read_text() != _note(path, resource.digest):
                verify(resource, path)
                stamp.write_text(_note(path, resource.digest))
            continue
        mirrored = in_mirror(resource, mirror)
        if mirrored is not None:
            # Reading a few MB takes less time than explaining a failed job; large files are read by the fetch rule.
            if mirrored.stat().st_size < READ_AT_ONCE or resource.size not in (0, mirrored.stat().st_size):
                verify(resource, mirrored)
        elif not (resource.url and download):
            place = f"not in mirror {mirror}" if mirror else "no mirror is set"
            why = "downloads are switched off" if resource.url else "it has no URL"
            raise InputError(
                f"{resource.file}: absent ({place}, and {why}), {resource.digest} expected; put the file "
                f"into a folder and name that as PEXBENCH_MIRROR; {resource.source}."
            )


def fetch(resource: Resource, output: str | Path, mirror: str | None) -> str:
    """Bring one resource to ``output``, verified.

    Args:
        resource: row of the resource table.
        output: where it shall lie; written aside and renamed.
        mirror: folder looked into first, or None.

    Returns:
        Where it came from.

    Raises:
        InputError: it cannot be had, or its bytes are not the expected ones.
    """
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    mirrored = in_mirror(resource, mirror)
    aside = output.with_name(f".tmp-{os.getpid()}-{output.name}")
    try:
        if mirrored is not None:
            verify(resource, mirrored)
            shutil.copyfile(mirrored, aside)
            source = str(mirrored)
        elif resource.url:
            _download(resource, aside, mirror)
            source = resource.url
        else:
            preflight([resource], output.parent, mirror)  # raises the sentence for a file that has no URL
            source = str(output)
        verify(resource, aside)
        os.replace(aside, output)
    finally:
        aside.unlink(missing_ok=True)
    _stamp(output).write_text(_note(output, resource.digest))
    return source


def at_hand(resource: Resource, folder: str | Path, mirror: str | None) -> bool:
    """Whether a file can be had without the network: fetched already, or in the mirror."""
    return (Path(folder) / resource.file).exists() or in_mirror(resource, mirror) is not None


def _download(resource: Resource, path: Path, mirror: str | None) -> None:
    """Download to ``path``; the caller verifies."""
    if not resource.url.startswith("https://"):
        raise InputError(f"{resource.name}: URL {resource.url} is not https; only https is fetched; correct the table.")
    try:
        with urllib.request.urlopen(resource.url, timeout=60) as answer, open(path, "wb") as handle:  # noqa: S310
            shutil.copyfileobj(answer, handle)
    except (urllib.error.URLError, OSError) as fault:
        looked = f"not in mirror {mirror}, and" if mirror else "no mirror is set, and"
        raise InputError(
            f"{resource.file}: {looked} {resource.url} could not be fetched ({fault}); {resource.digest} "
            f"expected; download it on a machine with network and put it into the mirror folder (PEXBENCH_MIRROR)."
        ) from None
