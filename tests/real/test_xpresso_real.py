"""Xpresso with its published weights: the golden outputs of the original, and the paper's published predictions."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pexbench.models import find_model, load_adapter

pytestmark = pytest.mark.real
ROOT = Path(__file__).resolve().parents[2]
MIRROR = os.environ.get("PEXBENCH_MIRROR")
TENSORFLOW = ROOT / ".venvs" / "tensorflow" / "bin" / "python"
TOLERANCE = 1e-5
#: Runs an implementation in its own environment.
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from pexbench.models import find_model, load_adapter
adapter = load_adapter(find_model("xpresso"), "original", {"network": Path(sys.argv[1])})
np.save(sys.argv[3], adapter.predict(np.load(sys.argv[2], allow_pickle=False)))
"""
BOTH = ["torch", pytest.param("original", marks=pytest.mark.original)]


def mirror(path: str) -> Path:
    if not MIRROR:
        pytest.skip("PEXBENCH_MIRROR, the folder with the real data, is not set")
    found = Path(MIRROR) / path
    if not found.exists():
        pytest.skip(f"{found} is not in the mirror")
    return found


def weights(network: str) -> Path:
    return mirror(f"weights/xpresso/{find_model('xpresso').weights(network)['network']}")


def predict(implementation: str, network: str, codes: np.ndarray, folder: Path) -> np.ndarray:
    if implementation == "torch":
        pytest.importorskip("torch", reason="torch is not installed here; run in an environment that has it")
        return load_adapter(find_model("xpresso"), "torch", {"network": weights(network)}).predict(codes)
    if not TENSORFLOW.exists():
        pytest.skip("environment tensorflow is not built: python3 workflow/bin/environments.py tensorflow")
    np.save(folder / "codes.npy", codes)
    done = subprocess.run(
        [TENSORFLOW, "-c", PROGRAM, weights(network), folder / "codes.npy", folder / "out.npy"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "lib")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(folder / "out.npy", allow_pickle=False)


@cache
def genome() -> tuple[Any, Any]:
    """Published predictions by gene, and the bases of chr22:1-22,000,000 (hg19) as bytes."""
    import pandas as pd

    published = pd.read_csv(mirror("paper/published_reference_predictions.chr22.csv"), dtype={"chrom": str})
    with gzip.open(mirror("chr22/hg19.chr22_1-22000000.fa.gz")) as file:
        assert file.readline().strip() == b">22"
        return published, file.read().replace(b"\n", b"").upper()


def codes_by_hand(bases: bytes, tss: int, strand: str) -> np.ndarray:
    """The window as the table of the original has it, 1-based and inclusive, without the library's window code."""
    first, last = (tss - 6999, tss + 3500) if strand == "+" else (tss - 3500, tss + 6999)
    window = bases[first - 1 : last].decode()
    if strand == "-":
        window = window[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return np.array(["ACGTN".index(letter) for letter in window], np.uint8)


@pytest.mark.parametrize("implementation", BOTH)
def test_equals_the_golden_outputs_of_the_original(tmp_path: Path, implementation: str) -> None:
    cases = json.loads(mirror("golden/xpresso.json").read_text())["cases"]
    rows = []
    for case in cases:
        if "seed" in case:
            code = np.random.Generator(np.random.PCG64(case["seed"])).integers(0, 4, case["length"]).astype(np.uint8)
        else:
            code = np.full(case["length"], 4, np.uint8)
        if case["case"].endswith("reverse complement of the sequence"):
            code = 3 - code[::-1]
        elif case["case"].endswith("bases 3000..3999 replaced by N"):
            code[3000:4000] = 4
        rows.append(code)
    expected = np.array([case["prediction"] for case in cases])
    assert len(set(expected.tolist())) == len(cases) == 7
    found = predict(implementation, "GM12878", np.stack(rows), tmp_path)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("implementation", BOTH)
def test_equals_the_predictions_published_with_the_paper(tmp_path: Path, implementation: str) -> None:
    published, bases = genome()
    codes = np.stack(
        [codes_by_hand(bases, tss, s) for tss, s in zip(published.tss_1based, published.strand, strict=True)]
    )
    assert len(codes) == 14
    assert set(published.strand) == {"+", "-"}
    found = predict(implementation, "GM12878", codes, tmp_path)
    np.testing.assert_allclose(found, published.xpresso, rtol=0, atol=TOLERANCE)


def test_equals_the_paper_through_the_library_from_the_fasta_on(tmp_path: Path) -> None:
    """Reference file, gene, window, encoding and model together give the paper's numbers."""
    pytest.importorskip("torch", reason="torch is not installed here; run in an environment that has it")
    import pysam

    from pexbench.genes import Gene
    from pexbench.haplotypes import encode
    from pexbench.reference import Reference
    from pexbench.windows import window_of

    published, _ = genome()
    fasta = tmp_path / "reference.fa"
    with gzip.open(mirror("chr22/hg19.chr22_1-22000000.fa.gz")) as packed, fasta.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
    pysam.faidx(str(fasta))
    reference, card = Reference(fasta), find_model("xpresso")
    adapter = load_adapter(card, None, {"network": weights("GM12878")})
    for row in published.itertuples():
        gene = Gene(row.gene_id, row.gene_name, f"chr{row.chrom}", row.tss_1based, row.strand)
        window = window_of(gene, card.window_rule())
        letters = np.frombuffer(reference.fetch(window.contig, window.start, window.end), np.uint8)
        found = adapter.predict_gene(gene.gene_id, encode(letters[None], window.reverse))
        np.testing.assert_allclose(found, [row.xpresso], rtol=0, atol=TOLERANCE, err_msg=gene.gene_id)


def test_the_human_median_network_is_another_one(tmp_path: Path) -> None:
    """It loads, agrees with GM12878 about which promoters are strong, and is not the same network."""
    published, bases = genome()
    codes = np.stack(
        [codes_by_hand(bases, tss, s) for tss, s in zip(published.tss_1based, published.strand, strict=True)]
    )
    found = predict("torch", "human_median", codes, tmp_path)
    assert np.abs(found - published.xpresso).max() > 0.05
    assert np.corrcoef(found, published.xpresso)[0, 1] > 0.7


@pytest.mark.original
def test_both_implementations_agree_on_the_human_median_network(tmp_path: Path) -> None:
    published, bases = genome()
    codes = np.stack(
        [codes_by_hand(bases, tss, s) for tss, s in zip(published.tss_1based, published.strand, strict=True)]
    )
    first, second = (predict(name, "human_median", codes, tmp_path) for name in ("torch", "original"))
    np.testing.assert_allclose(first, second, rtol=0, atol=TOLERANCE)
