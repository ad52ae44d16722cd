# Figures: each is one file of the library, drawn three times (PDF, SVG, PNG) with its numbers beside it.

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
            notes=(["simulated cohort"] if SIMULATED else []) + NOT_RUN_NOTES,
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
