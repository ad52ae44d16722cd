# The report: a folder of pages, and what `snakemake --report report.html` shows beside figures and tables.
from pexbench.report import catalogue

# The text of Snakemake's report: a finished run has words of its own, with its numbers.
WORDS = (RUN / "report" / "landing.rst").resolve()
LANDING = str(
    WORDS if WORDS.exists() else ROOT / "workflow" / "report" / "workflow.rst"
)

# Tables that every finished run has; those of targets that were asked for by name join where they are.
REPORTED = [
    "summary.tsv",
    "comparisons.tsv",
    "added_value.tsv",
    "coverage.tsv",
    *(f"scores/{name}.tsv" for name in SCORED),
    *(["associations.tsv"] if GENOTYPED else []),
    *(["direction_summary.tsv", "direction.tsv"] if EXPLAINED else []),
    *(
        f"variant_effects/{model}.{kind}.tsv"
        for model in EXPLAINED
        for kind in ("genes", "drivers")
    ),
    "inputs/dropped.tsv",
    *(["benchmarks/inference.tsv"] if NETWORKS else []),
]
CHECKS = [
    f"{kind}/{name}.tsv"
    for kind, names in (("incremental_checks", CHECKED), ("port_checks", PORTS))
    for name in names
    if (RUN / kind / f"{name}.tsv").exists()
]
TABLE_CARDS = [
    catalogue.card_of(place, dict(entry.split("=", 1) for entry in LABELS))
    for place in REPORTED
]


rule report:
    input:
        tables=[f"<run>/{place}" for place in REPORTED],
        figures=rules.figures.input,
        counts="<inputs>/inputs.json",
        provenance="<run>/provenance.json",
        checks=["<run>/haplotype_checks.json"] if GENOTYPED else [],
        captions=sorted(str(path) for path in ROOT.glob("workflow/report/*.rst")),
    output:
        index="<run>/report/index.html",
        landing="<run>/report/landing.rst",
        pages=[
            report(
                f"<run>/report/{page}.html",
                category=group,
                caption="../report/page.rst",
                labels={"what": title},
            )
            for page, (title, group) in catalogue.PAGES.items()
        ],
        tables=[
            report(
                f"<run>/report/tables/{card.name}.html",
                category=card.group,
                caption=f"../report/{card.caption}.rst",
                labels={"what": card.title},
            )
            for card in TABLE_CARDS
        ],
    log:
        "<logs>/report.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        run=subpath(output.index, ancestor=2),
        checks=[f"{RUN}/{place}" for place in CHECKS],
        figures=list(FIGURES),
        captions=lambda wildcards, input: str(Path(input.captions[0]).parent),
        folder=subpath(output.index, parent=True),
        title=config["title"] or config["run"],
        labels=LABELS,
        notes=NOT_RUN_NOTES,
        code=digest([*code.files("report.folder"), *code.attached("report")]),
    shell:
        "pexbench base --log {log} write_report --run-folder {params.run} --tables {input.tables} {params.checks} "
        "--figures {params.figures} --captions {params.captions} --title {params.title:q} --labels {params.labels:q} "
        "--notes {params.notes:q} --output {params.folder}"
