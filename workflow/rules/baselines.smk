# Genotype baselines: what a linear model of dosages predicts, always out of fold.

# Each baseline NAME has a verb train_NAME and a rule of that name; the plain name is its target rule.
for baseline in BASELINES:

    rule:
        name:
            f"train_{baseline}"
        input:
            bcf="<run>/variants/{shard}.bcf",
            index="<run>/variants/{shard}.bcf.csi",
            genes="<inputs>/genes.tsv",
            samples=SAMPLES_WITH_COVARIATES,
            expression=EXPRESSION[0],
        output:
            people=f"<run>/predictions/{baseline}/{{shard}}.parquet",
            fits=f"<run>/predictions/{baseline}/{{shard}}.fits.tsv",
        log:
            f"<logs>/{baseline}/{{shard}}.log",
        benchmark:
            f"<benchmarks>/{baseline}/{{shard}}.tsv"
        conda:
            "../../envs/base.yaml"
        resources:
            runtime=growing(10, 3),
        params:
            baseline=baseline,
            only=shard_genes,
            flank=config["variants"]["flank"],
            folds="--min-maf {min_maf} --outer-folds {outer_folds}".format(
                **config["elastic_net"]
            ),
            net=(
                "--l1-ratio {l1_ratio} --inner-folds {inner_folds}".format(
                    **config["elastic_net"]
                )
                if baseline == "elastic_net"
                else ""
            ),
            covariates=COVARIATES,
            genotyping=GENOTYPE_OPTIONS,
            seed=config["seed"],
            code=digest(code.files(f"baselines.{baseline}")),
        shell:
            "pexbench base --log {log} train_{params.baseline} --bcf {input.bcf} --genes {input.genes} --only {params.only} "
            "--samples {input.samples} --covariates {params.covariates:q} --expression {input.expression} --flank {params.flank} {params.folds} "
            "{params.net} {params.genotyping} --seed {params.seed} --output {output.people} "
            "--output-fits {output.fits}"

    rule:
        name:
            f"gather_predictions_{baseline}"
        input:
            people=per_shard(f"<run>/predictions/{baseline}/{{shard}}.parquet"),
            fits=per_shard(f"<run>/predictions/{baseline}/{{shard}}.fits.tsv"),
        output:
            people=f"<run>/predictions/{baseline}.parquet",
            fits=f"<run>/predictions/{baseline}.fits.tsv",
        log:
            f"<logs>/gather_predictions/{baseline}.log",
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(4000),
        params:
            model=baseline,
            code=digest(code.files("predictions")),
        shell:
            "pexbench base --log {log} gather_predictions --model {params.model} --shards {input.people} "
            "--fits {input.fits} --output {output.people} --output-fits {output.fits}"
