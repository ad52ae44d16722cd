# Figures: each is one file of the library, drawn three times (PDF, SVG, PNG) with its numbers beside it.

FIGURES = code.submodules("figures", having="FIGURE")
# Readable names; a model that has its card's name gets its card's title.
LABELS = [
    f"{name}={CARDS[name].title}" for name in MODELS if CARDS[name].name == name
] + ["top_snp=top SNP"]

for figure in FIGURES:

    rule:
        name:
            f"figure_{figure}"
        input:
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
            ),
            multiext(f"<run>/figures/{figure}", ".pdf", ".svg", ".tsv"),
        log:
            f"<logs>/figure/{figure}.log",
        conda:
            "../../envs/base.yaml"
        params:
            figure=figure,
            models=SCORED,
            controls=CONTROLS,
            labels=LABELS,
            folder=subpath(output[0], parent=True),
            title=config["title"] or config["run"],
            notes="--notes 'simulated cohort'" if SIMULATED else "",
            code=digest(code.files(f"figures.{figure}", "figures")),
        shell:
            "pexbench base --log {log} figure --figure {params.figure} --models {params.models} "
            "--summary {input.summary} --scores {input.scores} --predictions {input.predictions} "
            "--genes {input.genes} --samples {input.samples} --expression {input.expression} "
            "--title {params.title:q} {params.notes} --controls {params.controls} --labels {params.labels:q} "
            "--output {params.folder}"


rule figures:
    input:
        expand(
            "<run>/figures/{figure}.{kind}",
            figure=FIGURES,
            kind=["png", "pdf", "svg", "tsv"],
        ),
