# What genotypes and facts about people say of measured expression.


# Apart from check_inputs: a fact that is added or a covariate that is chosen must not rerun predictions.
rule people_facts:
    input:
        samples="<inputs>/samples.tsv",
        people=PEOPLE,
    output:
        "<inputs>/people.tsv",
    log:
        "<logs>/people_facts.log",
    priority: 50
    localrule: True
    conda:
        "../../envs/base.yaml"
    params:
        population=["--population", POPULATION] if POPULATION else [],
        covariates=COVARIATES,
        code=digest(code.files("people", "covariates")),
    shell:
        "pexbench base --log {log} people_facts --samples {input.samples} --people {input.people} "
        "{params.population:q} --covariates {params.covariates:q} --output {output}"


if GENOTYPED:

    rule associate:
        input:
            bcf="<run>/variants/{shard}.bcf",
            index="<run>/variants/{shard}.bcf.csi",
            genes="<inputs>/genes.tsv",
            samples=SAMPLES_WITH_COVARIATES,
            expression=EXPRESSION[0],
        output:
            genes="<run>/associations/{shard}.tsv",
            cis="<run>/associations/{shard}.cis.parquet",
            leads="<run>/associations/{shard}.leads.parquet",
        log:
            "<logs>/associate/{shard}.log",
        benchmark:
            "<benchmarks>/associate/{shard}.tsv"
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(4000),
            runtime=growing(10, 1),
        params:
            only=shard_genes,
            flank=config["variants"]["flank"],
            maf=config["elastic_net"]["min_maf"],
            covariates=COVARIATES,
            genotyping=GENOTYPE_OPTIONS,
            code=digest(code.files("associations")),
        shell:
            "pexbench base --log {log} associate --bcf {input.bcf} --genes {input.genes} --only {params.only} "
            "--samples {input.samples} --covariates {params.covariates:q} --expression {input.expression} "
            "--flank {params.flank} --min-maf {params.maf} {params.genotyping} --output {output.genes} "
            "--output-cis {output.cis} --output-leads {output.leads}"

    rule gather_associations:
        input:
            shards=per_shard("<run>/associations/{shard}.tsv"),
            cis=per_shard("<run>/associations/{shard}.cis.parquet"),
            leads=per_shard("<run>/associations/{shard}.leads.parquet"),
            eqtl=EQTL,
        output:
            genes=report(
                "<run>/associations.tsv",
                category="Variant effects",
                caption="../report/associations.rst",
                labels={"what": "Genotypes and measured expression (TSV)"},
            ),
            cis="<run>/associations.cis.parquet",
            leads="<run>/associations.leads.parquet",
        log:
            "<logs>/gather_associations.log",
        conda:
            "../../envs/base.yaml"
        resources:
            mem_mb=growing(4000),
        params:
            eqtl=lambda wildcards, input: option("--eqtl", input.eqtl),
            code=digest(code.files("associations")),
        shell:
            "pexbench base --log {log} gather_associations --shards {input.shards} --cis {input.cis} "
            "--leads {input.leads} {params.eqtl} --output {output.genes} --output-cis {output.cis} "
            "--output-leads {output.leads}"

    rule associations:
        input:
            rules.gather_associations.output,
            rules.people_facts.output,
