# What sharing computation between haplotypes saved, and the proof that it changed nothing: `snakemake check_incremental`.

CHECKED = [
    name
    for name in NETWORKS
    if config["inference"]["method"] == "incremental"
    and "--precision float32" in inference_options(name)
]

for model in CHECKED:

    rule:
        name:
            f"check_incremental_{model}"
        input:
            **weight_files(model),
            **checked_environment(model),
            people=f"<run>/predictions/{model}/{{shard}}.parquet",
            bcf="<run>/variants/{shard}.bcf",
            index="<run>/variants/{shard}.bcf.csi",
            reference=REFERENCE,
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
        output:
            f"<run>/incremental_checks/{model}/{{shard}}.tsv",
        log:
            messages=f"<logs>/check_incremental/{model}/{{shard}}.log",
            # A log survives a check that fails.
            report=f"<logs>/check_incremental/{model}/{{shard}}.tsv",
        conda:
            f"../../envs/{environment(model)}.yaml"
        resources:
            mem_mb=growing(CARDS[model].memory_mb),
            runtime=growing(10, CARDS[model].minutes_per_gene),
            gpu_jobs=int(wants_gpu(model)),
            device=config["inference"]["device"],
        params:
            environment=environment(model),
            model=adapter_options(model),
            sample=config["inference"]["sampled_haplotypes"],
            seed=config["seed"],
            only=shard_genes,
            region=option("--region", REGION),
            genotyping=GENOTYPE_OPTIONS,
            code=digest(code.files("incremental_check")),
        shell:
            "pexbench {params.environment} --log {log.messages} check_incremental {params.model:q} "
            "--bcf {input.bcf} --reference {input.reference} --genes {input.genes} --only {params.only} "
            "--samples {input.samples} {params.region} {params.genotyping} --device {resources.device} "
            "--sample {params.sample} --seed {params.seed} --people {input.people} --report {log.report} "
            "--output {output}"

    rule:
        name:
            f"gather_incremental_checks_{model}"
        input:
            per_shard(f"<run>/incremental_checks/{model}/{{shard}}.tsv"),
        output:
            report(
                f"<run>/incremental_checks/{model}.tsv",
                category="Performance",
                caption="../report/incremental_checks.rst",
                labels={"what": f"Shared against plain computation, {model} (TSV)"},
            ),
        log:
            f"<logs>/gather_incremental_checks/{model}.log",
        localrule: True
        conda:
            "../../envs/base.yaml"
        shell:
            "pexbench base --log {log} gather_incremental_checks --checks {input} --output {output}"


rule check_incremental:
    input:
        expand("<run>/incremental_checks/{model}.tsv", model=CHECKED),


# A run of tables alone computes nothing.
PERFORMANCE = ["<benchmarks>/inference.tsv"] if NETWORKS else []


rule gather_performance:
    input:
        lambda _: expand(
            "<run>/predictions/{model}/{shard}.performance.json",
            model=NETWORKS,
            shard=shards(),
        ),
    output:
        report(
            "<benchmarks>/inference.tsv",
            category="Performance",
            caption="../report/performance.rst",
            labels={"what": "How the time was spent (TSV)"},
        ),
    log:
        "<logs>/gather_performance.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        code=digest(code.files("performance")),
    shell:
        "pexbench base --log {log} gather_performance --shards {input} --output {output}"
