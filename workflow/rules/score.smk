# Predictions against measurements: one table per model, one summary per run.

import shlex

# Columns of facts about people that the scores use, and their table where they use any.
SCORE_FACTS = " ".join(
    option(f"--{key}", shlex.join(names))
    for key, names in (
        ("population", [config["scores"]["population"] or ""]),
        ("covariates", config["scores"]["covariates"]),
    )
    if any(names)
)
PEOPLE_FACTS = "<inputs>/people.tsv" if SCORE_FACTS else []


rule score_model:
    input:
        people="<run>/predictions/{scored}.parquet",
        reference=reference_of,
        individuals=EXPRESSION[0],
        levels=EXPRESSION[1],
        samples="<inputs>/samples.tsv",
        genes="<inputs>/genes.tsv",
        facts=PEOPLE_FACTS,
    output:
        scores="<run>/scores/{scored}.tsv",
        intervals="<run>/scores/{scored}.intervals.tsv",
        resampled="<run>/scores/{scored}.resampled.parquet",
    log:
        "<logs>/score_model/{scored}.log",
    benchmark:
        "<benchmarks>/score_model/{scored}.tsv"
    conda:
        "../../envs/base.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        reference=lambda wildcards, input: option("--reference", input.reference),
        differences=lambda wildcards: (
            "--differences-only" if only_differences(wildcards.scored) else ""
        ),
        bootstrap=config["scores"]["bootstrap"],
        permutations=config["scores"]["permutations"],
        numerical_error=numerical_error,
        facts=lambda wildcards, input: (
            f"--facts {input.facts} {SCORE_FACTS}" if SCORE_FACTS else ""
        ),
        seed=config["seed"],
        code=digest(code.files("scores", *code.submodules("scores"))),
    shell:
        "pexbench base --log {log} score_model --model {wildcards.scored} --people {input.people} "
        "{params.reference} {params.differences} --individuals {input.individuals} --levels {input.levels} --samples {input.samples} "
        "--genes {input.genes} {params.facts} {params.numerical_error} --bootstrap {params.bootstrap} --permutations {params.permutations} "
        "--seed {params.seed} --output {output.scores} --output-intervals {output.intervals} "
        "--output-resampled {output.resampled}"


rule summarise:
    input:
        scores=expand("<run>/scores/{scored}.tsv", scored=SCORED),
        intervals=expand("<run>/scores/{scored}.intervals.tsv", scored=SCORED),
    output:
        report(
            "<run>/summary.tsv",
            category="Scores",
            caption="../report/summary.rst",
            labels={"what": "Mean scores of every model (TSV)"},
        ),
    log:
        "<logs>/summarise.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        absent=NOT_RUN,
        remarks=REMARKS,
        code=digest(code.files("scores", *code.submodules("scores"))),
    shell:
        "pexbench base --log {log} summarise --scores {input.scores} --intervals {input.intervals} "
        "--not-run {params.absent:q} --remarks {params.remarks:q} --output {output}"


rule compare_models:
    input:
        scores=expand("<run>/scores/{scored}.tsv", scored=SCORED),
        resampled=expand("<run>/scores/{scored}.resampled.parquet", scored=SCORED),
        predictions=expand("<run>/predictions/{scored}.parquet", scored=SCORED),
        individuals=EXPRESSION[0],
        samples="<inputs>/samples.tsv",
    output:
        comparisons=report(
            "<run>/comparisons.tsv",
            category="Scores",
            caption="../report/comparisons.rst",
            labels={"what": "Models compared in pairs (TSV)"},
        ),
        added="<run>/added_value.tsv",
    log:
        "<logs>/compare_models.log",
    conda:
        "../../envs/base.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        models=SCORED,
        base="--base elastic_net" if "elastic_net" in BASELINES else "",
        folds=config["elastic_net"]["outer_folds"],
        seed=config["seed"],
        code=digest(code.files("scores", *code.submodules("scores"))),
    shell:
        "pexbench base --log {log} compare_models --models {params.models} --scores {input.scores} "
        "--resampled {input.resampled} --predictions {input.predictions} --individuals {input.individuals} "
        "--samples {input.samples} {params.base} --folds {params.folds} --seed {params.seed} "
        "--output {output.comparisons} --output-added {output.added}"


rule coverage:
    input:
        counts="<inputs>/inputs.json",
        dropped="<inputs>/dropped.tsv",
        genes="<inputs>/genes.tsv",
        scores=expand("<run>/scores/{scored}.tsv", scored=SCORED),
        imports=expand("<run>/predictions/{table}.import.json", table=TABLES),
    output:
        report(
            "<run>/coverage.tsv",
            category="Inputs and coverage",
            caption="../report/coverage.rst",
            labels={"what": "People, genes and variants used (TSV)"},
        ),
    log:
        "<logs>/coverage.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        imports=lambda wildcards, input: [
            f"{table}={path}" for table, path in zip(TABLES, input.imports)
        ],
        code=digest(code.files("scores", *code.submodules("scores"))),
    shell:
        "pexbench base --log {log} coverage --inputs {input.counts} --dropped {input.dropped} --genes {input.genes} "
        "--scores {input.scores} --imports {params.imports:q} --output {output}"


rule provenance:
    input:
        counts="<inputs>/inputs.json",
        weights=WEIGHTS,
        summary="<run>/summary.tsv",
    output:
        report(
            "<run>/provenance.json",
            category="Methods and provenance",
            caption="../report/provenance.rst",
            labels={"what": "Settings, versions, checksums (JSON)"},
        ),
    log:
        "<logs>/provenance.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        config=lambda _: plan.settings_json(config),
        environments=str(ROOT / "envs"),
    shell:
        "pexbench base --log {log} provenance --inputs {input.counts} --weights {input.weights} "
        "--config {params.config:q} --environments {params.environments} --output {output}"


rule scores:
    input:
        rules.summarise.output,
        rules.compare_models.output,
        rules.coverage.output,
        rules.provenance.output,
        ["<run>/haplotype_checks.json"] if GENOTYPED else [],
        rules.associations.input if GENOTYPED else [],


# One target per model: `snakemake xpresso` runs that model's rules and its scores, nothing else.
for scored in SCORED:

    rule:
        name:
            scored
        input:
            f"<run>/scores/{scored}.tsv",
        localrule: True
