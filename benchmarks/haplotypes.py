"""Haplotypes in memory against ``bcftools consensus`` and against FASTA files on disk, on real people.

    python benchmarks/haplotypes.py --genotypes in.vcf.gz --reference ref.fa
    PEXBENCH_MIRROR=/data python benchmarks/haplotypes.py

Every window size is built at three places. Ours: both haplotypes of all people, from genotypes read once; the time of
reading is a line of its own and is shared by all genes of a run. Theirs: one ``bcftools consensus`` per haplotype, from
a FASTA file of the window made beforehand, to a FASTA file, on a sample of the haplotypes; the same ones are compared
byte for byte. Times are medians over the places, each the best of three passes of ours.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "lib"))

from pexbench import bcftools
from pexbench.genotypes import Genotypes, read_genotypes
from pexbench.haplotypes import build_haplotypes, consensus
from pexbench.haplotypes_check import OVERLAPS_SINCE, BcftoolsConsensus
from pexbench.reference import Reference
from pexbench.windows import Window

SIZES = (10_500, 40_000, 131_072, 196_608, 393_216)


def main() -> None:
    """Print the tables."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = Reference(unpacked(arguments.reference, folder))
        store = folder / "store.bcf"
        kept = ["-V", "indels,mnps,other"] if arguments.variants == "snps" else ["-e", 'ALT~"<"']
        bcftools.run(["annotate", "-x", "ID,QUAL,FILTER,INFO", "-Ob", "-o", str(folder / "a.bcf"), arguments.genotypes])
        bcftools.run(["view", "--no-version", "-I", *kept, "-Ob", "-o", str(store), str(folder / "a.bcf")])
        bcftools.run(["index", str(store)])
        positions = bcftools.run(["query", "-f", "%CHROM %POS\n", str(store)]).decode().split("\n")[:-1]
        contig, first, last = positions[0].split()[0], int(positions[0].split()[1]), int(positions[-1].split()[1])
        samples = bcftools.run(["query", "-l", str(store)]).decode().split()[: arguments.people]
        begin = time.perf_counter()
        genotypes = read_genotypes(store, contig, 0, reference.lengths[reference.contig(contig)], samples)
        reading = time.perf_counter() - begin
        print(
            f"bcftools {bcftools.version()}; {len(samples)} people; {len(genotypes.refs)} records ({arguments.variants})"
        )
        print(f"reading all genotypes once: {reading:.2f} s")
        print(
            "window bp | distinct | ours us/haplotype (memory used again) | ours, fresh memory | bcftools us/haplotype "
            "(sample) | ratio | ratio, fresh | bytes equal"
        )
        for size in SIZES:
            middle = np.linspace(first + size / 2, last - size / 2, 5)[1:4].astype(int).tolist()
            windows = [Window(contig, tss - size // 2, tss - size // 2 + size, tss, False) for tss in middle]
            measured = [one_window(reference, store, window, genotypes, arguments.sample) for window in windows]
            distinct, ours, fresh, theirs = (
                statistics.median(column) for column in list(zip(*measured, strict=True))[:4]
            )
            equal = sum(row[4] for row in measured)
            total = sum(row[5] for row in measured)
            print(
                f"{size:9,} | {distinct:5.0f} of {2 * len(samples)} | {ours:8.1f} | {fresh:8.1f} | {theirs:8.0f} "
                f"({total}) | {theirs / ours:6.0f} | {theirs / fresh:6.0f} | {equal} of {total}"
            )
        sizes_on_disk(reference, store, contig, (first, last), samples, folder)


def parse() -> argparse.Namespace:
    """Paths from the command line, else from PEXBENCH_MIRROR."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genotypes", help="indexed VCF or BCF, phased")
    parser.add_argument("--reference", help="FASTA, plain or gzip")
    parser.add_argument("--people", type=int, default=358, help="how many people, from the file's first on")
    parser.add_argument("--sample", type=int, default=20, help="haplotypes per place given to bcftools")
    parser.add_argument("--variants", choices=["snps", "all"], default="snps")
    arguments = parser.parse_args()
    mirror = os.environ.get("PEXBENCH_MIRROR")
    for name, pattern in [("genotypes", "1000G.*chr22*.vcf.gz"), ("reference", "hg19.chr22*.fa.gz")]:
        if getattr(arguments, name) is None:
            found = sorted(Path(mirror).rglob(pattern)) if mirror else []
            if not found:
                parser.error(f"give --{name}, or set PEXBENCH_MIRROR to a folder that holds {pattern}")
            setattr(arguments, name, str(found[0]))
    return arguments


def unpacked(path: str, folder: Path) -> Path:
    """A plain FASTA file."""
    if not path.endswith(".gz"):
        return Path(path)
    plain = folder / "reference.fa"
    with gzip.open(path) as source:
        plain.write_bytes(source.read())
    return plain


def one_window(
    reference: Reference, store: Path, window: Window, genotypes: Genotypes, number: int
) -> tuple[int, float, float, float, int, int]:
    """Distinct haplotypes, microseconds of ours (memory used again; fresh) and theirs, equal ones, compared ones."""
    count = 2 * len(genotypes.samples)
    out = np.zeros((count, window.length), dtype=np.uint8)
    again, fresh = [], []
    for _ in range(3):
        begin = time.perf_counter()
        build_haplotypes(reference, window, genotypes)
        fresh.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        built = build_haplotypes(reference, window, genotypes, out=out)
        again.append(time.perf_counter() - begin)
    generator = np.random.default_rng(window.start)
    here = genotypes.select(window.start, window.end)
    equal, snps = 0, all(len(ref) == 1 == max(map(len, alts)) for ref, alts in zip(here.refs, here.alts, strict=True))
    comparable = here
    if bcftools.version_number() < OVERLAPS_SINCE:
        comparable = here.take(np.flatnonzero(here.positions >= window.start))
    with tempfile.TemporaryDirectory() as name:
        oracle = BcftoolsConsensus(reference, store, Path(name))
        oracle.sequence(window, genotypes.samples[0], 1)  # writes the window's FASTA, warms the file cache
        chosen = generator.choice(count, min(number, count), replace=False).tolist()
        fasta = next(Path(name).glob("*.fa"))
        begin = time.perf_counter()
        for column in chosen:
            arguments = ["-s", genotypes.samples[column // 2], "-H", f"{column % 2 + 1}pIu", "-f", str(fasta)]
            bcftools.run(["consensus", *arguments, "-o", f"{name}/{column}.out", str(store)])
        theirs = time.perf_counter() - begin
        for column in chosen:
            text = b"".join(Path(name, f"{column}.out").read_bytes().split(b"\n")[1:])
            ours = built.sequences[built.index.reshape(-1)[column]].tobytes()
            if not snps:  # the model's input is cut to the window's length: compare what it is cut from
                ours = consensus(built.reference.tobytes(), window.start, comparable, column // 2, column % 2 + 1)
            equal += text == ours
    scale = 1e6 / count
    return len(built.sequences), min(again) * scale, min(fresh) * scale, theirs * 1e6 / len(chosen), equal, len(chosen)


def sizes_on_disk(
    reference: Reference, store: Path, contig: str, span: tuple[int, int], samples: list[str], folder: Path
) -> None:
    """Bytes of the subset BCF and its index, for one window and all people, against FASTA of all haplotypes."""
    print("window bp | bytes of BCF and index | bytes of FASTA, all haplotypes | ratio")
    people = folder / "people"
    people.write_text("\n".join(samples) + "\n")
    middle = sum(span) // 2
    for size in SIZES:
        start = middle - size // 2
        part = folder / "part.bcf"
        region = f"{contig}:{start + 1}-{start + size}"
        bcftools.run(
            ["view", "--no-version", "-I", "-c1", "-S", str(people), "-r", region, "-Ob", "-o", str(part), str(store)]
        )
        bcftools.run(["index", "-f", str(part)])
        stored = part.stat().st_size + Path(f"{part}.csi").stat().st_size
        header = len(f">gene|{samples[0]}|1\n")
        fasta = 2 * len(samples) * (header + size + -(-size // 60))
        print(f"{size:9,} | {stored:,} | {fasta:,} | {fasta / stored:.0f}")


if __name__ == "__main__":
    main()
