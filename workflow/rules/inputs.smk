# From what the configuration names to inputs that were looked at.


rule fetch:
    output:
        "resources/{file}",
    log:
        "<logs>/fetch/{file}.log",
    priority: 100
    retries: 2
    localrule: True
    conda:
        "../../envs/base.yaml"
    resources:
        network=1,
    params:
        table=str(ROOT / config["resources"]),
    shell:
        "pexbench base --log {log} fetch --table {params.table} --output {output}"


if SIMULATED:

    rule simulate:
        output:
            reference="<run>/simulated/reference.fa",
            genotypes="<run>/simulated/genotypes.vcf.gz",
            genes="<run>/simulated/genes.tsv",
            samples="<run>/simulated/samples.tsv",
            individuals="<run>/simulated/expression.bed.gz",
            levels="<run>/simulated/expression_level.bed.gz",
            truth="<run>/simulated/truth.tsv",
            genetic="<run>/simulated/truth_genetic.parquet",
        log:
            "<logs>/simulate.log",
        benchmark:
            "<benchmarks>/simulate.tsv"
        conda:
            "../../envs/base.yaml"
        params:
            settings=" ".join(
                f"--{key} {value}" for key, value in sorted(SIMULATED.items())
            ),
            folder=subpath(output.reference, parent=True),
            code=digest(code.files("simulate")),
        shell:
            "pexbench base --log {log} simulate {params.settings} --output {params.folder}"

elif not config["inputs"]["genes"]:

    checkpoint gene_table:
        input:
            sources=[place(name) for name in config["inputs"]["gene_sources"]],
            expression=sorted(set(EXPRESSION)),
        output:
            genes="<inputs>/gene_table.tsv",
            report="<inputs>/gene_table.json",
        log:
            "<logs>/gene_table.log",
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            contigs=option("--contigs", " ".join(config["inputs"]["contigs"])),
            code=digest(code.files("gene_table")),
        shell:
            "pexbench base --log {log} gene_table --sources {input.sources} --expression {input.expression} "
            "{params.contigs} --output {output.genes} --report {output.report}"


if GENOTYPED:

    rule reference:
        input:
            REFERENCE_SOURCE,
        output:
            fasta="<inputs>/reference.fa",
            index="<inputs>/reference.fa.fai",
        log:
            "<logs>/reference.log",
        conda:
            "../../envs/base.yaml"
        resources:
            runtime=growing(60),
        shell:
            "pexbench base --log {log} reference --source {input} --output {output.fasta}"

    rule genotypes:
        input:
            genotype_source,
        output:
            vcf="<inputs>/genotypes/{part}.vcf.gz",
            index="<inputs>/genotypes/{part}.vcf.gz.csi",
        log:
            "<logs>/genotypes/{part}.log",
        conda:
            "../../envs/base.yaml"
        resources:
            runtime=growing(240),
        params:
            code=digest(code.files("vcf_repair")),
        shell:
            "pexbench base --log {log} genotypes --source {input} --output {output.vcf}"


if not SIMULATED and MATRICES:

    rule expression_table:
        input:
            table=lambda wildcards: MATRICES[wildcards.matrix],
            known=(
                GENE_TABLE
                if config["inputs"]["genes"]
                else [place(name) for name in config["inputs"]["gene_sources"]]
            ),
        output:
            table="<inputs>/expression/{matrix}.tsv",
            report="<inputs>/expression/{matrix}.json",
        log:
            "<logs>/expression_table/{matrix}.log",
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            known="--genes" if config["inputs"]["genes"] else "--sources",
            code=digest(code.files("expression_matrices", "gene_table")),
        shell:
            "pexbench base --log {log} expression_table --table {input.table} {params.known} {input.known} "
            "--output {output.table} --report {output.report}"


rule check_inputs:
    input:
        reference=[REFERENCE, f"{REFERENCE}.fai"] if GENOTYPED else [],
        genotypes=lambda _: expand(
            "<inputs>/genotypes/{part}.vcf.gz{kind}",
            part=contig_parts() if GENOTYPED else [],
            kind=["", ".csi"],
        ),
        genes=GENE_TABLE,
        expression=EXPRESSION,
        samples=SAMPLES or [],
    output:
        counts="<inputs>/inputs.json",
        genes="<inputs>/genes.tsv",
        samples="<inputs>/samples.tsv",
        dropped=report(
            "<inputs>/dropped.tsv",
            category="Inputs and coverage",
            caption="../report/dropped.rst",
            labels={"what": "What was left out (TSV)"},
        ),
    log:
        "<logs>/check_inputs.log",
    benchmark:
        "<benchmarks>/check_inputs.tsv"
    conda:
        "../../envs/base.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        sequences=(
            lambda _: (
                f"--reference {REFERENCE} --genotypes '{genotype_pattern()}'"
                if GENOTYPED
                else ""
            )
        ),
        samples=option("--samples", SAMPLES),
        region=option("--region", REGION),
        rules=VARIANT_OPTIONS,
        flanks="--genotyped-flank {genotyped_flank} --sequence-flank {sequence_flank}".format(
            **config["variants"]
        ),
        genotyping=GENOTYPE_OPTIONS,
        folder=subpath(output.counts, parent=True),
        code=digest(code.files("checks")),
    shell:
        "pexbench base --log {log} check_inputs {params.sequences} --genes {input.genes} "
        "--expression {input.expression} {params.samples} {params.region} {params.rules} {params.flanks} "
        "{params.genotyping} --output {params.folder}"
