"""bcftools runs as a program: the system's and the one inside pysam behave alike."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import pytest

from pexbench import bcftools
from pexbench.errors import InputError

HEADER = '##fileformat=VCFv4.2\n##contig=<ID=1,length=20>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tB\tA\n"
VCF = HEADER + COLUMNS + "1\t3\t.\tG\tC,T\t.\t.\t.\tGT\t0|1\t1|2\n1\t5\t.\tACG\tA\t.\t.\t.\tGT\t0|0\t1|0\n"


@pytest.fixture(params=["system", "pysam"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "system" and shutil.which("bcftools") is None:
        pytest.skip("no bcftools on PATH")
    monkeypatch.setenv(bcftools.CHOICE, request.param)
    return str(request.param)


@pytest.fixture
def store(tmp_path: Path, either: str) -> Path:
    path = tmp_path / "a.bcf"
    bcftools.run(["view", "-Ob", "-o", str(path), "-"], stdin=VCF.encode())
    bcftools.run(["index", str(path)])
    return path


def test_version_names_the_program(either: str) -> None:
    assert bcftools.version_number() >= (1, 9)
    assert ("pysam" in bcftools.version()) == (either == "pysam")


def test_text_from_every_command(store: Path) -> None:
    assert bcftools.run(["query", "-l", str(store)]) == b"B\nA\n"
    assert bcftools.run(["query", "-f", "%POS[ %GT]\n", str(store)]) == b"3 0|1 1|2\n5 0|0 1|0\n"
    assert bcftools.run(["index", "-n", str(store)]) == b"2\n"
    assert b"\n1\t3\t" in b"\n" + bcftools.run(["view", "-H", str(store)])
    assert bcftools.run(["view", "-H", "-"], stdin=store).count(b"\n") == 2


def test_consensus_and_its_messages(store: Path, tmp_path: Path) -> None:
    (tmp_path / "a.fa").write_text(">1:1-8\nACGTACGT\n")
    arguments = ["consensus", "-s", "A", "-H", "1pIu", "-f", str(tmp_path / "a.fa"), str(store)]
    text, messages = bcftools.run_with_messages(arguments)
    assert text == b">1:1-8\nACCTAT\n"
    assert "Applied 2 variants" in messages


def test_output_to_a_file(store: Path, tmp_path: Path) -> None:
    assert bcftools.run(["query", "-f", "%POS\n", str(store)], stdout=tmp_path / "positions") == b""
    assert (tmp_path / "positions").read_bytes() == b"3\n5\n"


def test_pipeline(store: Path, tmp_path: Path) -> None:
    names, output = tmp_path / "names", tmp_path / "out.bcf"
    names.write_text("1 chr1\n")
    stages = [
        ["view", "-Ou", str(store)],
        ["norm", "-m", "-any", "-Ou", "-"],
        ["annotate", "--rename-chrs", str(names), "-Ob", "-"],
    ]
    bcftools.pipeline(stages, output)
    assert gzip.decompress(output.read_bytes())[:3] == b"BCF"
    assert bcftools.run(["query", "-f", "%CHROM:%POS:%ALT\n", str(output)]) == b"chr1:3:C\nchr1:3:T\nchr1:5:A\n"


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_failing_stage_fails_the_pipeline(store: Path, tmp_path: Path, broken: int) -> None:
    stages = [["view", "-Ou", str(store)], ["view", "-Ou", "-"], ["view", "-Ob", "-"]]
    stages[broken] = [*stages[broken], "-s", "NOBODY"]
    with pytest.raises(InputError, match="NOBODY"):
        bcftools.pipeline(stages, tmp_path / "out.bcf")


def test_the_reason_is_told(store: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.bcf: No such file"):
        bcftools.run(["view", "absent.bcf"])
    with pytest.raises(InputError, match="unrecognized command 'frobnicate'"):
        bcftools.run(["frobnicate"])
    with pytest.raises(InputError, match="unrecognized option '--bogus'"):
        bcftools.run(["view", "--bogus", str(store)])


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bcftools.CHOICE, "conda")
    with pytest.raises(InputError, match="'conda' found; 'system' and 'pysam' are allowed"):
        bcftools.command()
    monkeypatch.setenv(bcftools.CHOICE, "system")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no program bcftools is on PATH"):
        bcftools.command()
    monkeypatch.delenv(bcftools.CHOICE)
    assert bcftools.command()[0] == sys.executable
