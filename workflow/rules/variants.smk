# The variant store: one indexed BCF per shard, and the proof that haplotypes built from it are bcftools' own.


rule subset_variants:
    input:
        vcf=genotypes_of,
        reference=REFERENCE,
        genes="<inputs>/genes.tsv",
        samples="<inputs>/samples.tsv",
    output:
        bcf="<run>/variants/{shard}.bcf",
        index="<run>/variants/{shard}.bcf.csi",
    log:
        "<logs>/subset_variants/{shard}.log",
    conda:
        "../../envs/base.yaml"
    resources:
        runtime=growing(10, 1),
    params:
        only=shard_genes,
        rules=VARIANT_OPTIONS,
        code=digest(code.files("variants")),
    shell:
        "pexbench base --log {log} subset_variants --vcf {input.vcf[0]} --reference {input.reference} "
        "--genes {input.genes} --only {params.only} --samples {input.samples} {params.rules} --output {output.bcf}"


rule check_haplotypes:
    input:
        bcf="<run>/variants/{shard}.bcf",
        index="<run>/variants/{shard}.bcf.csi",
        reference=REFERENCE,
        genes="<inputs>/genes.tsv",
        samples="<inputs>/samples.tsv",
    output:
        "<run>/haplotype_checks/{shard}.json",
    log:
        "<logs>/check_haplotypes/{shard}.log",
    conda:
        "../../envs/base.yaml"
    resources:
        runtime=growing(10, 1),
    params:
        only=shard_genes,
        number=config["checked_haplotypes_per_shard"],
        flank=config["variants"]["flank"],
        genotyping=GENOTYPE_OPTIONS,
        seed=config["seed"],
        code=digest(code.files("haplotypes_check")),
    shell:
        "pexbench base --log {log} check_haplotypes --bcf {input.bcf} --reference {input.reference} "
        "--genes {input.genes} --only {params.only} --samples {input.samples} --number {params.number} "
        "--flank {params.flank} {params.genotyping} --seed {params.seed} --output {output}"


rule gather_haplotype_checks:
    input:
        per_shard("<run>/haplotype_checks/{shard}.json"),
    output:
        report(
            "<run>/haplotype_checks.json",
            category="Inputs and coverage",
            caption="../report/haplotype_checks.rst",
            labels={"what": "Haplotypes compared with bcftools (JSON)"},
        ),
    log:
        "<logs>/gather_haplotype_checks.log",
    localrule: True
    conda:
        "../../envs/base.yaml"
    shell:
        "pexbench base --log {log} gather_haplotype_checks --checks {input} --output {output}"


rule write_haplotypes:
    input:
        bcf="<run>/variants/{shard}.bcf",
        index="<run>/variants/{shard}.bcf.csi",
        reference=REFERENCE,
        genes="<inputs>/genes.tsv",
        samples="<inputs>/samples.tsv",
    output:
        directory("<run>/haplotypes/{shard}"),
    log:
        "<logs>/write_haplotypes/{shard}.log",
    conda:
        "../../envs/base.yaml"
    resources:
        runtime=growing(10, 2),
    params:
        only=shard_genes,
        flank=config["variants"]["flank"],
    shell:
        "pexbench base --log {log} write_haplotypes --bcf {input.bcf} --reference {input.reference} "
        "--genes {input.genes} --only {params.only} --samples {input.samples} --flank {params.flank} "
        "--output {output}"


rule haplotypes:
    # For people who want FASTA files; nothing else in the workflow needs them.
    input:
        per_shard("<run>/haplotypes/{shard}"),
