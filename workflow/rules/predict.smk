# Sequence models: one job per model and shard, then one table per model.


rule train_model:
    input:
        reference=REFERENCE,
        index=f"{REFERENCE}.fai",
        genes="<inputs>/genes.tsv",
        samples="<inputs>/samples.tsv",
        expression=EXPRESSION[1],
    output:
        "<run>/trained/{model}.npz",
    log:
        "<logs>/train_model/{model}.log",
    benchmark:
        "<benchmarks>/train_model/{model}.tsv"
    conda:
        "../../envs/base.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        card=lambda wildcards: MODELS[wildcards.model]["card"],
        options=lambda wildcards: options_of(wildcards.model),
        seed=config["seed"],
        code=lambda wildcards: digest(
            [*training_files(CARDS[wildcards.model]), *code.files("training")]
        ),
    shell:
        "pexbench base --log {log} train_model --card {params.card} --reference {input.reference} "
        "--genes {input.genes} --samples {input.samples} --expression {input.expression} --options {params.options:q} "
        "--seed {params.seed} --output {output}"


# One rule per model, so that each is built in its own environment and can be named on the command line.
for model in NETWORKS:

    rule:
        name:
            f"predict_{model}"
        input:
            **weight_files(model),
            **checked_environment(model),
            bcf="<run>/variants/{shard}.bcf",
            index="<run>/variants/{shard}.bcf.csi",
            checked="<run>/haplotype_checks/{shard}.json",
            reference=REFERENCE,
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
        output:
            people=f"<run>/predictions/{model}/{{shard}}.parquet",
            reference=f"<run>/predictions/{model}/{{shard}}.reference.tsv",
            performance=f"<run>/predictions/{model}/{{shard}}.performance.json",
        log:
            f"<logs>/predict/{model}/{{shard}}.log",
        benchmark:
            f"<benchmarks>/predict/{model}/{{shard}}.tsv"
        conda:
            f"../../envs/{environment(model)}.yaml"
        resources:
            mem_mb=growing(CARDS[model].memory_mb),
            runtime=growing(10, CARDS[model].minutes_per_gene),
            gpu_jobs=int(wants_gpu(model)),
            # Speed, not science: resources do not cause reruns, params do. Batch size 0: by memory.
            batch_size=config["inference"]["batch_size"] or 0,
            device=config["inference"]["device"],
        params:
            environment=environment(model),
            model=adapter_options(model),
            how=inference_options(model),
            only=shard_genes,
            region=option("--region", REGION),
            genotyping=GENOTYPE_OPTIONS,
            code=model_digest(model),
        shell:
            "pexbench {params.environment} --log {log} predict {params.model:q} {params.how} "
            "--bcf {input.bcf} --reference {input.reference} --genes {input.genes} --only {params.only} "
            "--samples {input.samples} {params.region} {params.genotyping} --device {resources.device} "
            "--batch-size {resources.batch_size} --output {output.people} --output-reference {output.reference} "
            "--output-performance {output.performance}"

    rule:
        name:
            f"gather_predictions_{model}"
        input:
            people=per_shard(f"<run>/predictions/{model}/{{shard}}.parquet"),
            reference=per_shard(f"<run>/predictions/{model}/{{shard}}.reference.tsv"),
        output:
            people=f"<run>/predictions/{model}.parquet",
            reference=f"<run>/predictions/{model}.reference.tsv",
        log:
            f"<logs>/gather_predictions/{model}.log",
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(4000),
        params:
            model=model,
            how=MODELS[model]["combine_haplotypes"],
            code=digest(code.files("predictions")),
        shell:
            "pexbench base --log {log} gather_predictions --model {params.model} --shards {input.people} "
            "--references {input.reference} --combine {params.how} --output {output.people} "
            "--output-reference {output.reference}"


# Predictions made elsewhere enter as a model of their own.
for model in TABLES:

    rule:
        name:
            f"import_predictions_{model}"
        input:
            table=place(MODELS[model]["table"]),
            reference=(
                place(MODELS[model]["reference_table"])
                if MODELS[model]["reference_table"]
                else []
            ),
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
        output:
            people=f"<run>/predictions/{model}.parquet",
            reference=f"<run>/predictions/{model}.reference.tsv",
            report=f"<run>/predictions/{model}.import.json",
        log:
            f"<logs>/import_predictions/{model}.log",
        conda:
            "../../envs/base.yaml"
        params:
            model=model,
            reference=lambda wildcards, input, model=model: " ".join(
                [
                    option("--reference-table", input.reference),
                    option("--reference-column", MODELS[model]["reference_column"]),
                ]
            ),
            code=digest(code.files("prediction_tables")),
        shell:
            "pexbench base --log {log} import_predictions --table {input.table} --model {params.model} "
            "--genes {input.genes} --samples {input.samples} {params.reference} --output {output.people} "
            "--output-reference {output.reference} --report {output.report}"


if CONTROLS:

    rule control:
        input:
            people=f"<run>/predictions/{CONTROL_MODEL}.parquet",
            reference=f"<run>/predictions/{CONTROL_MODEL}.reference.tsv",
        output:
            people="<run>/predictions/{control}.parquet",
        log:
            "<logs>/control/{control}.log",
        wildcard_constraints:
            control="|".join(CONTROLS),
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            seed=config["seed"],
            code=digest(code.files("predictions")),
        shell:
            "pexbench base --log {log} control --kind {wildcards.control} --people {input.people} "
            "--reference {input.reference} --seed {params.seed} --output {output.people}"
