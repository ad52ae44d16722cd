"""Haplotype sequences, known answers and invariants; ``tests/property`` compares with bcftools."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pexbench import bcftools
from pexbench.consensus_rules import ReferenceMismatch, apply_records, is_anchored_indel
from pexbench.errors import InputError
from pexbench.genotypes import Genotypes, read_genotypes
from pexbench.haplotypes import FLANK, build_haplotypes, consensus, encode
from pexbench.haplotypes_check import OVERLAPS_SINCE, BcftoolsConsensus, check_against_bcftools, write_fasta
from pexbench.reference import Reference
from pexbench.windows import Window


def genotypes(*records: tuple[int, str, str, str], samples: tuple[str, ...] = ("B", "A")) -> Genotypes:
    """Genotypes from (0-based position, REF, comma-separated ALTs, calls such as ``0|1 1|1``)."""
    calls = [[[int(allele) for allele in call.split("|")] for call in record[3].split()] for record in records]
    alleles = np.array(calls, dtype=np.int8).reshape(len(records), len(samples), 2)
    return Genotypes(
        contig="chr1",
        samples=samples,
        positions=np.array([record[0] for record in records], dtype=np.int64),
        refs=tuple(record[1] for record in records),
        alts=tuple(tuple(record[2].split(",")) for record in records),
        alleles=alleles,
        unphased=np.zeros(alleles.shape[:2], dtype=bool),
    )


def reference(folder: Path, bases: str) -> Reference:
    path = folder / "ref.fa"
    path.write_text(f">1\n{bases}\n")
    return Reference(path)


def texts(built) -> list[str]:
    """Both haplotypes of every person, in the order of the samples."""
    return [built.sequences[row].tobytes().decode() for row in built.index.reshape(-1)]


def test_single_bases_take_the_case_of_the_place(tmp_path: Path) -> None:
    found = genotypes((2, "G", "T", "0|1 1|0"), (5, "C", "A,G", "1|2 0|2"), (7, "T", "C", "0|0 0|0"))
    built = build_haplotypes(reference(tmp_path, "ACGTacgtNN"), Window("chr1", 0, 10, 4, False), found)
    assert texts(built) == ["ACGTaagtNN", "ACTTaggtNN", "ACTTacgtNN", "ACGTaggtNN"]
    assert built.reference.tobytes() == b"ACGTacgtNN"
    assert built.reference_row is None
    assert built.index.dtype == np.int32


def test_equal_haplotypes_share_a_row(tmp_path: Path) -> None:
    found = genotypes((2, "G", "T", "0|1 1|0"), (9, "C", "A", "0|1 0|1"))
    built = build_haplotypes(reference(tmp_path, "ACGTACGTACGT"), Window("chr1", 0, 8, 4, False), found)
    assert built.index.tolist() == [[0, 1], [1, 0]]  # the second record lies outside
    assert built.sequences.tobytes() == b"ACGTACGTACTTACGT"
    assert built.reference_row == 0


def test_first_carried_of_one_position(tmp_path: Path) -> None:
    found = genotypes((2, "G", "T", "0|1 1|0"), (2, "G", "A", "1|1 0|0"))
    built = build_haplotypes(reference(tmp_path, "ACGTA"), Window("chr1", 0, 5, 2, False), found)
    assert texts(built) == ["ACATA", "ACTTA", "ACTTA", "ACGTA"]


def test_past_the_ends_of_the_contig(tmp_path: Path) -> None:
    found = genotypes((0, "A", "T", "0|1 1|1"), (4, "A", "C", "1|0 0|0"))
    place = reference(tmp_path, "ACGTA")
    built = build_haplotypes(place, Window("chr1", -3, 7, 1, False), found)
    assert texts(built) == ["NNNACGTCNN", "NNNTCGTANN", "NNNTCGTANN", "NNNTCGTANN"]
    outside = build_haplotypes(place, Window("chr1", 20, 24, 22, False), found)
    assert (texts(outside), outside.reference_row) == (["NNNN"] * 4, 0)


def test_nobody_and_nothing(tmp_path: Path) -> None:
    built = build_haplotypes(reference(tmp_path, "ACGTA"), Window("1", 0, 5, 1, False), genotypes())
    assert built.index.tolist() == [[0, 0], [0, 0]]
    assert built.reference_row == 0


# upper case left of the TSS, N as the TSS base, lower case right of it: the cut shows where each base came from
BASES = "ACGTACGTAC" + "N" + "acgtacgtac"
WINDOW = Window("chr1", 5, 16, 10, False)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ((6, "G", "T", "0|1"), "CTTACNacgta"),
        ((6, "G", "GAAA", "0|1"), "AATACNacgta"),  # what falls off the left end
        ((6, "GTA", "G", "0|1"), "TACGCNacgta"),  # filled from the left
        ((12, "C", "CGGG", "0|1"), "CGTACNacggg"),
        ((12, "CGT", "C", "0|1"), "CGTACNacacg"),  # filled from the right
        ((9, "CN", "C", "0|1"), "CGTACacgtac"),  # the TSS is deleted: the next base takes its place
        ((8, "ACNAC", "A", "0|1"), "ACGTAgtacgt"),
        ((3, "TACG", "T", "0|1"), "GTTACNacgta"),  # begins before the window
        ((14, "TACG", "T", "0|1"), "CGTACNacgtt"),  # ends after it
        ((10, "N", "NGG", "0|1"), "CGTACNGGacg"),
        ((9, "C", "CTT", "0|1"), "TACTTNacgta"),
    ],
)
def test_tss_keeps_its_place(tmp_path: Path, record: tuple[int, str, str, str], expected: str) -> None:
    built = build_haplotypes(reference(tmp_path, BASES), WINDOW, genotypes(record, samples=("A",)))
    assert texts(built) == ["CGTACNacgta", expected]
    assert built.reference_row == 0


def test_contig_end_fills_with_n(tmp_path: Path) -> None:
    found = genotypes((6, "GTA", "G", "1|1"), (12, "CGT", "C", "1|1"), samples=("A",))
    built = build_haplotypes(reference(tmp_path, BASES), Window("chr1", 0, 21, 10, False), found)
    assert texts(built)[0] == "NNACGTACGCNacacgtacNN"


@pytest.mark.parametrize(("call", "rows"), [("0|1", [[0, 0]]), ("1|1", [[0, 0]])])
def test_a_change_that_falls_off_leaves_the_reference(tmp_path: Path, call: str, rows: list[list[int]]) -> None:
    found = genotypes((6, "A", "AAA", call), samples=("A",))
    built = build_haplotypes(reference(tmp_path, "TTTTTCACACNacgtt"), Window("chr1", 6, 14, 10, False), found)
    assert built.sequences.tobytes() == b"ACACNacg"
    assert (built.index.tolist(), built.reference_row) == (rows, 0)


def naive(bases: str, records: list[tuple[int, str, str]], window: Window) -> str:
    """Independent: one string per reference position, put together, cut around the TSS."""
    columns = dict(enumerate(bases))
    for position, ref, alt in records:
        for offset in range(len(ref)):
            columns[position + offset] = alt[offset] if offset < len(alt) else ""
        columns[position + len(ref) - 1] += alt[len(ref) :]
    left = "".join(columns[place] for place in range(window.tss))
    right = "".join(columns[place] for place in range(window.tss, len(bases)))
    before, after = window.tss - window.start, window.end - window.tss
    return (("N" * before) + left)[-before:] + (right + "N" * after)[:after]


def test_cut_against_a_naive_build(tmp_path: Path) -> None:
    """Random scattered insertions, deletions and substitutions; every person as if alone."""
    generator = np.random.default_rng(11)
    changed = 0
    for trial in range(40):
        bases = "".join(generator.choice(list("ACGTN"), 3000))
        place = Reference(_write(tmp_path / f"{trial}.fa", bases))
        records = []
        for position in np.sort(generator.choice(np.arange(5, 2980, 12), 90, replace=False)).tolist():
            length, longer = (int(generator.integers(1, 9)), int(generator.integers(1, 9)))
            kind = generator.integers(3)
            ref = bases[position : position + (1 if kind == 1 else length)]
            inserted = "".join(generator.choice(list("ACGT"), longer))
            alt = ["T" if ref[0] != "T" else "G", ref + inserted, ref[0]][kind]
            ref = ref[0] if kind == 0 else ref
            if alt != ref:
                calls = " ".join(f"{a}|{b}" for a, b in generator.integers(0, 2, (3, 2)))
                records.append((position, ref, alt, calls))
        found = genotypes(*records, samples=("C", "A", "B"))
        start = int(generator.integers(-40, 2000))
        window = Window("chr1", start, start + 900, start + int(generator.integers(1, 899)), False)
        built = texts(build_haplotypes(place, window, found))
        for column, sequence in enumerate(built):
            carried = [
                record[:3]
                for record, allele in zip(records, found.alleles.reshape(-1, 6)[:, column], strict=True)
                if allele
            ]
            assert sequence == naive(bases, carried, window), (trial, column)
            changed += sequence != naive(bases, [], window)
        alone = build_haplotypes(place, window, found.of_samples(["A"]))
        assert texts(alone) == built[2:4]
    assert changed > 200


def _write(path: Path, bases: str) -> Path:
    path.write_text(f">1\n{bases}\n")
    return path


def test_memory_used_again_gives_the_same(tmp_path: Path) -> None:
    place, out = reference(tmp_path, BASES), np.zeros((8, 30), dtype=np.uint8)
    found = genotypes((6, "G", "T", "0|1 1|0"), (8, "A", "ACC", "0|0 0|1"))
    plain = build_haplotypes(place, WINDOW, found)
    again = build_haplotypes(place, WINDOW, found, out=out)
    assert np.shares_memory(again.sequences, out)
    assert np.array_equal(plain.sequences, again.sequences)
    assert np.array_equal(plain.index, again.index)


def test_genotypes_must_cover_what_is_built(tmp_path: Path) -> None:
    place = reference(tmp_path, "ACGT" * 6000)
    window = Window("chr1", 10_000, 10_100, 10_050, False)
    snp, indel = (10_020, "A", "C", "0|1 0|0"), (10_020, "ACG", "A", "0|1 0|0")
    narrow = replace(genotypes(snp), start=10_000, end=10_100)
    assert len(build_haplotypes(place, window, narrow).sequences) == 2
    with pytest.raises(InputError, match=r"chr1:10001-10100: genotypes were read from 10001 to 10100"):
        build_haplotypes(place, window, replace(narrow, start=10_001))
    with pytest.raises(InputError, match=rf"{FLANK} bp more on both sides; read them for a wider"):
        build_haplotypes(place, window, replace(genotypes(indel), start=10_000, end=10_100))
    wide = replace(genotypes(indel), start=10_000 - FLANK, end=10_100 + FLANK)
    assert len(build_haplotypes(place, window, wide).sequences) == 2
    far = replace(genotypes((14, "G", "A", "0|1 0|0")), start=0, end=24_000)
    assert build_haplotypes(place, Window("chr1", -500, 90, 20, False), far).sequences.shape == (2, 590)


def test_too_many_bases_lost(tmp_path: Path) -> None:
    bases = "ACGT" * 6000
    found = genotypes((10_000, bases[10_000:19_000], "A", "0|0 0|1"))
    with pytest.raises(InputError, match=r"haplotype 2 of A has lost more than 8192 bases"):
        build_haplotypes(reference(tmp_path, bases), Window("chr1", 10_100, 19_100, 19_050, False), found)


@pytest.mark.parametrize(
    ("record", "pattern"),
    [
        ((2, "C", "T", "0|0 0|1"), r"chr1:3: REF of the genotypes is C \(carried by A\) but the reference has G"),
        ((2, "C", "T", "0|0 0|0"), r"chr1:3: REF of the genotypes is C but the reference has G"),
        ((1, "CGA", "C", "1|0 0|1"), r"chr1:2: REF of the genotypes is CGA \(carried by B\) but .* has CGT"),
    ],
)
def test_wrong_reference(tmp_path: Path, record: tuple[int, str, str, str], pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        build_haplotypes(reference(tmp_path, "ACGTACGT"), Window("chr1", 0, 8, 4, False), genotypes(record))


def test_encode() -> None:
    row = np.frombuffer(b"ACGTNacgtnRX", dtype=np.uint8)[None]
    codes = encode(row, reverse=False)
    assert codes.dtype == np.uint8
    assert codes.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4]]
    assert encode(row, reverse=True).tolist() == [[4, 4, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3]]
    assert encode(row[:0], reverse=True).shape == (0, 12)


@pytest.mark.parametrize(
    ("ref", "alt", "expected"),
    [
        ("A", "AC", True),
        ("ACG", "A", True),
        ("ACG", "AG", True),
        ("AG", "ACTG", True),
        ("A", "C", False),
        ("AC", "GT", False),
        ("ACG", "T", False),
        ("ACG", "AT", False),
        ("ACG", "CG", False),
        ("a", "AC", False),
    ],
)
def test_anchored_indel(ref: str, alt: str, expected: bool) -> None:
    assert is_anchored_indel(ref, alt) is expected


def test_rules_of_overlap() -> None:
    """Known answers of bcftools 1.16 and 1.24."""
    assert apply_records(b"ACGTACGT", 0, [(2, "G", "T"), (2, "G", "GAA")]).sequence == b"ACTAATACGT"
    assert apply_records(b"acgtacgt", 0, [(2, "G", "T"), (2, "G", "GAA")]).sequence == b"acgaatacgt"
    assert apply_records(b"ACGTACGT", 0, [(2, "G", "GAA"), (2, "G", "T")]).sequence == b"ACGAATACGT"
    assert apply_records(b"ACGTACGT", 0, [(1, "CGT", "C"), (2, "G", "T")]).sequence == b"ACACGT"
    assert apply_records(b"ACGTACGT", 0, [(1, "CGT", "C"), (3, "T", "TGG")]).sequence == b"ACGGACGT"


def test_ref_must_be_what_is_there() -> None:
    with pytest.raises(ReferenceMismatch, match="REF 'G', sequence 'C'") as caught:
        apply_records(b"ACGTACGT", 0, [(0, "A", "T"), (1, "G", "T")])
    assert caught.value.record == 1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1,length=21>"]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="G">']
    lines += ["#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT B A C".replace(" ", "\t")]
    for row in ["3 . G T . . . GT 0|1 1|0 0|0", "7 . GTA G . . . GT 0|0 0|1 1|0", "12 . A G . . . GT 1|1 0|1 0|0"]:
        lines.append("\t".join(["chr1", *row.split()]))
    path = tmp_path / "in.bcf"
    bcftools.run(["view", "-Ob", "-o", str(path), "-"], stdin=("\n".join(lines) + "\n").encode())
    bcftools.run(["index", str(path)])
    return path


@pytest.mark.parametrize("choice", ["", "pysam"])
def test_older_bcftools_leaves_out_what_begins_before(
    tmp_path: Path, store: Path, choice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one disagreement between versions; the library sides with the newer."""
    monkeypatch.setenv(bcftools.CHOICE, choice)
    place, window = reference(tmp_path, BASES), Window("1", 8, 14, 9, False)
    found = read_genotypes(store, "1", 0, 21, ["C"])
    assert consensus(place.fetch("1", 8, 14), 8, found, 0, 1) == b"CNacg"
    newer = bcftools.version_number() >= OVERLAPS_SINCE
    theirs, _ = BcftoolsConsensus(place, store, tmp_path).sequence(window, "C", 1)
    assert theirs == (b"CNacg" if newer else b"ACNacg")
    result = check_against_bcftools(place, store, [("g", window)], ["C"], 2, 1)
    assert (result["compared"], result["different"]) == (2, 0)


WINDOWS = [("g2", Window("1", -4, 12, 9, False)), ("g1", Window("1", 8, 30, 9, False))]


def test_check_compares_everything(tmp_path: Path, store: Path) -> None:
    place = reference(tmp_path, BASES)
    result = check_against_bcftools(place, store, WINDOWS, ["A", "B", "C"], 99, 1)
    assert (result["compared"], result["different"], result["built"]) == (12, 0, 8)
    # In g1 the deletion begins before the window: bcftools before 1.20 leaves it out, for A and for C.
    assert result["applied"] == (10 if bcftools.version_number() < (1, 20) else 12)
    assert result["bcftools"] == bcftools.version()


def test_choice_depends_on_names_and_seed_only(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, asked = reference(tmp_path, BASES), []
    run = bcftools.run_with_messages

    def listen(args, stdin=None, stdout=None):
        if args[0] == "consensus":
            asked[-1].append((args[2], args[4], Path(args[6]).read_bytes()))
        return run(args, stdin, stdout)

    monkeypatch.setattr(bcftools, "run_with_messages", listen)
    for windows, samples, seed in [
        (WINDOWS, ["A", "B", "C"], 1),
        (WINDOWS[::-1], ["C", "A", "B"], 1),
        (WINDOWS, ["A", "B", "C"], 2),
    ]:
        asked.append([])
        assert check_against_bcftools(place, store, windows, samples, 5, seed)["compared"] == 5
    assert asked[0] == asked[1] != asked[2]


def test_check_finds_a_fault(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pexbench.haplotypes_check.consensus", lambda *_: b"ACGT")
    result = check_against_bcftools(reference(tmp_path, BASES), store, WINDOWS, ["A", "B", "C"], 4, 1)
    assert result["different"] == 4
    assert "first difference at 1:" in result["examples"][0]


def test_check_needs_something(tmp_path: Path, store: Path) -> None:
    with pytest.raises(InputError, match="0 genes, 1 samples"):
        check_against_bcftools(reference(tmp_path, BASES), store, [], ["A"], 4, 1)


def test_fasta(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "g.fa"
    write_fasta(reference(tmp_path, BASES), store, "g1", Window("1", 1, 14, 9, False), ["C", "B"], path)
    assert path.read_text() == (
        ">g1|C|1\nCGTACGCNacg\n>g1|C|2\nCGTACGTACNacg\n>g1|B|1\nCGTACGTACNgcg\n>g1|B|2\nCTTACGTACNgcg\n"
    )
