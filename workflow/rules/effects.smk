# Each variant alone on the reference, by every network: effects, their sums, their direction.

EFFECTS = config["variant_effects"]
#: Networks with variant effects; tables of predictions have no sequence to change.
EXPLAINED = [] if EFFECTS["genes"] == "none" else NETWORKS


if EXPLAINED:

    # Fails on a gene that the run does not have before any model is loaded.
    rule choose_variants:
        input:
            genes="<inputs>/genes.tsv",
            associations="<run>/associations.tsv",
        output:
            "<run>/variant_effects/chosen.tsv",
        log:
            "<logs>/choose_variants.log",
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            wanted=EFFECTS["genes"],
            code=digest(code.files("variant_effects")),
        shell:
            "pexbench base --log {log} choose_variants --genes {input.genes} --associations {input.associations} "
            "--wanted {params.wanted:q} --output {output}"

    rule direction:
        input:
            genes=expand("<run>/variant_effects/{model}.genes.tsv", model=EXPLAINED),
            associations="<run>/associations.tsv",
        output:
            table=report(
                "<run>/direction.tsv",
                category="Scores",
                caption="../report/direction.rst",
                labels={"what": "Direction, gene by gene (TSV)"},
            ),
            summary=report(
                "<run>/direction_summary.tsv",
                category="Scores",
                caption="../report/direction_summary.rst",
                labels={"what": "Direction, per model (TSV)"},
            ),
        log:
            "<logs>/direction.log",
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            models=EXPLAINED,
            errors=[f"{model}={CARDS[model].numerical_error}" for model in EXPLAINED],
            combine=[f"{model}={combined(model)}" for model in EXPLAINED],
            code=digest(code.files("direction")),
        shell:
            "pexbench base --log {log} direction --models {params.models} --genes {input.genes} "
            "--associations {input.associations} --errors {params.errors} --combine {params.combine} "
            "--output {output.table} --output-summary {output.summary}"


for model in EXPLAINED:

    rule:
        name:
            f"variant_effects_{model}"
        input:
            **weight_files(model),
            **checked_environment(model),
            chosen="<run>/variant_effects/chosen.tsv",
            bcf="<run>/variants/{shard}.bcf",
            index="<run>/variants/{shard}.bcf.csi",
            checked="<run>/haplotype_checks/{shard}.json",
            reference=REFERENCE,
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
        output:
            f"<run>/variant_effects/{model}/{{shard}}.parquet",
        log:
            f"<logs>/variant_effects/{model}/{{shard}}.log",
        benchmark:
            f"<benchmarks>/variant_effects/{model}/{{shard}}.tsv"
        conda:
            f"../../envs/{environment(model)}.yaml"
        resources:
            mem_mb=growing(CARDS[model].memory_mb),
            runtime=growing(10, CARDS[model].minutes_per_gene),
            gpu_jobs=int(wants_gpu(model)),
            batch_size=config["inference"]["batch_size"] or 0,
            device=config["inference"]["device"],
        params:
            environment=environment(model),
            model=adapter_options(model),
            how=inference_options(model, sampled=False),
            combine=combined(model),
            gradient="" if EFFECTS["gradient"] else "--no-gradient",
            only=shard_genes,
            genotyping=GENOTYPE_OPTIONS,
            code=model_digest(model, "variant_effects"),
        shell:
            "pexbench {params.environment} --log {log} variant_effects {params.model:q} {params.how} "
            "--chosen {input.chosen} --bcf {input.bcf} --reference {input.reference} --genes {input.genes} "
            "--only {params.only} --samples {input.samples} {params.genotyping} --device {resources.device} "
            "--batch-size {resources.batch_size} --combine {params.combine} {params.gradient} --output {output}"

    rule:
        name:
            f"gather_variant_effects_{model}"
        input:
            chosen="<run>/variant_effects/chosen.tsv",
            effects=per_shard(f"<run>/variant_effects/{model}/{{shard}}.parquet"),
            people=per_shard(f"<run>/predictions/{model}/{{shard}}.parquet"),
            references=per_shard(f"<run>/predictions/{model}/{{shard}}.reference.tsv"),
            bcf=per_shard("<run>/variants/{shard}.bcf"),
            index=per_shard("<run>/variants/{shard}.bcf.csi"),
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
        output:
            effects=f"<run>/variant_effects/{model}.parquet",
            genes=report(
                f"<run>/variant_effects/{model}.genes.tsv",
                category="Variant effects",
                caption="../report/variant_effects.rst",
                labels={"what": f"Effects of single variants, {model} (TSV)"},
            ),
            drivers=report(
                f"<run>/variant_effects/{model}.drivers.tsv",
                category="Variant effects",
                caption="../report/drivers.rst",
                labels={"what": f"Driver variants, {model} (TSV)"},
            ),
        log:
            f"<logs>/gather_variant_effects/{model}.log",
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(4000),
            runtime=growing(60),
        params:
            model=model,
            card=MODELS[model]["card"],
            options=options_of(model),
            combine=combined(model),
            flank=config["variants"]["flank"],
            genotyping=GENOTYPE_OPTIONS,
            code=digest(code.files("variant_sums")),
        shell:
            "pexbench base --log {log} gather_variant_effects --model {params.model} --card {params.card} "
            "--options {params.options:q} --genes {input.genes} --samples {input.samples} --chosen {input.chosen} "
            "--effects {input.effects} --people {input.people} --references {input.references} --bcf {input.bcf} "
            "--flank {params.flank} {params.genotyping} --combine {params.combine} --output {output.effects} "
            "--output-genes {output.genes} --output-drivers {output.drivers}"


rule variant_effects:
    input:
        expand(
            "<run>/variant_effects/{model}.{kind}",
            model=EXPLAINED,
            kind=["parquet", "genes.tsv", "drivers.tsv"],
        ),
        ["<run>/direction.tsv", "<run>/direction_summary.tsv"] if EXPLAINED else [],
