# Figures: each is one file of the library, drawn three times (PDF, SVG, PNG) with its numbers beside it.

# By name, in the order of the report: title, caption, panel of the paper, tables that the figure needs.
FIGURES = dict(
    sorted(
        (
            (name, code.literals(f"figures.{name}", "FIGURE"))
            for name in code.submodules("figures", having="FIGURE")
        ),
        key=lambda item: (item[1].get("order", 100), item[0]),
    )
)
# Tables beyond scores and predictions; a run without networks has no effects of variants.
TABLES_OF_FIGURES = {
    "people": "<inputs>/people.tsv",
    "associations": "<run>/associations.tsv" if GENOTYPED else [],
    "leads": "<run>/associations.leads.parquet" if GENOTYPED else [],
    "cis": "<run>/associations.cis.parquet" if GENOTYPED else [],
    "effects": [f"<run>/variant_effects/{model}.parquet" for model in EXPLAINED],
    "lead_effects": [f"<run>/variant_effects/{model}.genes.tsv" for model in EXPLAINED],
    "direction": "<run>/direction.tsv" if EXPLAINED else [],
    "comparisons": "<run>/comparisons.tsv",
}
PER_MODEL = ("effects", "lead_effects")


def tables_of(figure):
    """Tables that a figure needs and this run makes, by name."""
    return {
        name: TABLES_OF_FIGURES[name]
        for name in FIGURES[figure].get("needs", ())
        if TABLES_OF_FIGURES[name]
    }


def options_of_tables(wildcards, input):
    """Arguments that name those tables; those of models as model=path."""
    given = {
        name: input.get(name) for name in TABLES_OF_FIGURES if name in input.keys()
    }
    return [
        argument
        for name, found in given.items()
        for argument in (
            f"--{name.replace('_', '-')}",
            *(
                [f"{model}={path}" for model, path in zip(EXPLAINED, found)]
                if name in PER_MODEL
                else [found]
            ),
        )
    ]


def chosen_examples():
    """Arguments for the gene and the person that the configuration names."""
    return [
        argument
        for key in ("gene", "person")
        if config["figures"].get(key)
        for argument in (f"--example-{key}", config["figures"][key])
    ]


for figure, card in FIGURES.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            **tables_of(figure),
            summary="<run>/summary.tsv",
            scores=expand("<run>/scores/{scored}.tsv", scored=SCORED),
            predictions=expand("<run>/predictions/{scored}.parquet", scored=SCORED),
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
            expression=EXPRESSION,
        output:
            report(
                f"<run>/figures/{figure}.png",
                category="Figures",
                caption="../report/figure.rst",
                labels={
                    "figure": card["title"],
                    "panel": card.get("paper") or "beyond the paper",
                },
            ),
            multiext(f"<run>/figures/{figure}", ".pdf", ".svg", ".tsv"),
        log:
            f"<logs>/figure/{figure}.log",
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(6000),
            runtime=growing(60),
        params:
            figure=figure,
            heading=card["title"],
            caption=card["caption"],
            paper=card.get("paper", ""),
            models=SCORED,
            controls=CONTROLS,
            labels=LABELS,
            windows=[f"{model}={CARDS[model].input.length}" for model in NETWORKS],
            tables=options_of_tables,
            examples=chosen_examples(),
            folder=subpath(output[0], parent=True),
            title=config["title"] or config["run"],
            notes=(["simulated cohort"] if SIMULATED else [])
            + [f"not run: {entry.replace('=', ' (')})" for entry in NOT_RUN],
            code=digest(code.files(f"figures.{figure}", "figures")),
        shell:
            "pexbench base --log {log} figure --figure {params.figure} --models {params.models} "
            "--summary {input.summary} --scores {input.scores} --predictions {input.predictions} "
            "--genes {input.genes} --samples {input.samples} --expression {input.expression} "
            "{params.tables:q} {params.examples:q} --windows {params.windows} "
            "--title {params.title:q} --notes {params.notes:q} --controls {params.controls} --labels {params.labels:q} "
            "--output {params.folder}"


rule figures:
    input:
        expand(
            "<run>/figures/{figure}.{kind}",
            figure=FIGURES,
            kind=["png", "pdf", "svg", "tsv"],
        ),
