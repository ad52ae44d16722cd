"""Fetched files: verified wherever they come from."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pexbench.errors import InputError
from pexbench.resources import COLUMNS, Resource, at_hand, fetch, preflight, read_resources

CONTENT = b"ACGT" * 100


def resource(url: str = "") -> Resource:
    return Resource(
        "thing", "thing.bin", url, hashlib.sha256(CONTENT).hexdigest(), "", len(CONTENT), "MIT", "cut from somewhere"
    )


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror" / "deep"
    folder.mkdir(parents=True)
    (folder / "thing.bin").write_bytes(CONTENT)
    return tmp_path / "mirror"


def test_mirror_is_found_by_file_name_at_any_depth(mirror: Path, tmp_path: Path) -> None:
    output = tmp_path / "resources" / "thing.bin"
    assert fetch(resource(), output, str(mirror)) == str(mirror / "deep" / "thing.bin")
    assert output.read_bytes() == CONTENT
    preflight([resource()], output.parent, None)


@pytest.mark.parametrize(
    ("bytes_there", "said"),
    [(CONTENT[:-1], "truncated"), (b"X" + CONTENT[1:], "altered"), (CONTENT + b"!", "not the file expected")],
)
def test_wrong_bytes_in_the_mirror_stop_before_any_job(
    mirror: Path, tmp_path: Path, bytes_there: bytes, said: str
) -> None:
    (mirror / "deep" / "thing.bin").write_bytes(bytes_there)
    for attempt in (
        lambda: preflight([resource()], tmp_path / "resources", str(mirror)),
        lambda: fetch(resource(), tmp_path / "resources" / "thing.bin", str(mirror)),
    ):
        with pytest.raises(InputError, match=said) as fault:
            attempt()
        assert "thing.bin" in str(fault.value)
        assert resource().sha256 in str(fault.value)
        assert "cut from somewhere" in str(fault.value)
    assert not (tmp_path / "resources" / "thing.bin").exists()


def test_absent_without_url_names_file_checksum_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PEXBENCH_MIRROR") as fault:
        preflight([resource()], tmp_path, None)
    assert resource().sha256 in str(fault.value)


def test_absent_with_url_is_left_to_the_download(tmp_path: Path) -> None:
    preflight([resource("https://example.org/thing.bin")], tmp_path, None)


def test_a_fetched_file_altered_later_is_noticed(mirror: Path, tmp_path: Path) -> None:
    output = tmp_path / "resources" / "thing.bin"
    fetch(resource(), output, str(mirror))
    output.write_bytes(CONTENT[:-4] + b"TTTT")
    with pytest.raises(InputError, match="altered"):
        preflight([resource()], output.parent, str(mirror))


def test_a_file_only_touched_is_verified_again_and_accepted(mirror: Path, tmp_path: Path) -> None:
    output = tmp_path / "resources" / "thing.bin"
    fetch(resource(), output, str(mirror))
    os.utime(output, (1, 1))
    preflight([resource()], output.parent, str(mirror))


def test_only_https_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="https"):
        fetch(resource("ftp://example.org/thing.bin"), tmp_path / "thing.bin", None)


def test_a_mirror_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        preflight([resource()], tmp_path, str(tmp_path / "nowhere"))


def test_shipped_table_is_complete(root: Path) -> None:
    table = read_resources(root / "config" / "resources.tsv")
    for entry in table.values():
        assert not entry.sha256 or len(entry.sha256) == 64
        assert not entry.md5 or len(entry.md5) == 32
        assert entry.licence
        assert entry.description
        assert entry.url.startswith("https://") or not entry.url


def test_table_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "resources.tsv"
    path.write_text("\t".join(COLUMNS) + "\na\tf\t\t0\t\t1\tMIT\td\na\tg\t\t0\t\t1\tMIT\td\n")
    with pytest.raises(InputError, match="twice"):
        read_resources(path)


def test_md5_is_used_where_only_that_is_published(mirror: Path, tmp_path: Path) -> None:
    good = replace(resource(), sha256="", md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(), size=0)
    fetch(good, tmp_path / "resources" / "thing.bin", str(mirror))
    with pytest.raises(InputError, match="md5"):
        fetch(replace(good, md5="0" * 32), tmp_path / "other" / "thing.bin", str(mirror))


def test_at_hand_is_what_needs_no_network(mirror: Path, tmp_path: Path) -> None:
    assert at_hand(resource(), tmp_path, str(mirror))
    assert not at_hand(resource("https://example.org/thing.bin"), tmp_path, None)
    fetch(resource(), tmp_path / "thing.bin", str(mirror))
    assert at_hand(resource(), tmp_path, None)
