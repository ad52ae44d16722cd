# Every implementation of a model against the others, on real sequences of the run: `snakemake check_ports`.

# Instances of one card that differ in their implementation alone need one comparison.
DISTINCT = {
    (
        config["models"][name]["card"],
        config["models"][name]["network"],
        *options_of(name),
        *weight_files(name).values(),
    ): name
    for name in reversed(NETWORKS)
}
PORTS = {name: ports_of(name) for name in sorted(DISTINCT.values(), key=NETWORKS.index)}
PORTS = {name: made for name, made in PORTS.items() if len(made) > 1}
for model, implementations in PORTS.items():

    rule:
        name:
            f"sample_sequences_{model}"
        input:
            genotypes=lambda _: expand(
                "<inputs>/genotypes/{part}.vcf.gz", part=contig_parts()
            ),
            genotype_indices=lambda _: expand(
                "<inputs>/genotypes/{part}.vcf.gz.csi", part=contig_parts()
            ),
            reference=REFERENCE,
            index=f"{REFERENCE}.fai",
            genes="<inputs>/genes.tsv",
            samples="<inputs>/samples.tsv",
            published=published(model),
        output:
            f"<run>/port_checks/{model}/sequences.npz",
        log:
            f"<logs>/sample_sequences/{model}.log",
        conda:
            "../../envs/base.yaml"
        params:
            card=config["models"][model]["card"],
            options=options_of(model),
            genotypes=lambda _: genotype_pattern(),
            genotyping=f"{VARIANT_OPTIONS} {GENOTYPE_OPTIONS}",
            published=option("--published", " ".join(published(model))),
            seed=config["seed"],
            code=digest(code.files("port_sequences")),
        shell:
            "pexbench base --log {log} sample_sequences --card {params.card} --options {params.options:q} "
            "--genotypes '{params.genotypes}' --reference {input.reference} --genes {input.genes} "
            "--samples {input.samples} {params.genotyping} {params.published} --seed {params.seed} --output {output}"

    for implementation in implementations:

        rule:
            name:
                f"predict_sequences_{model}_{implementation}"
            input:
                *weight_files(model, implementation).values(),
                **checked_environment(model, implementation),
                sequences=f"<run>/port_checks/{model}/sequences.npz",
            output:
                f"<run>/port_checks/{model}/{implementation}.tsv",
            log:
                f"<logs>/predict_sequences/{model}/{implementation}.log",
            conda:
                f"../../envs/{CARDS[model].implementation(implementation).environment}.yaml"
            resources:
                mem_mb=growing(CARDS[model].memory_mb),
                runtime=growing(120),
                gpu_jobs=int(wants_gpu(model, implementation)),
                batch_size=config["inference"]["batch_size"] or CARDS[model].batch_size,
                device=config["inference"]["device"],
            params:
                environment=CARDS[model].implementation(implementation).environment,
                card=config["models"][model]["card"],
                implementation=implementation,
                weights=[
                    f"{key}={path}"
                    for key, path in weight_files(model, implementation).items()
                ],
                options=options_of(model),
                code=digest(
                    [
                        *code_files(CARDS[model], implementation),
                        *code.files("port_sequences"),
                    ]
                ),
            shell:
                "pexbench {params.environment} --log {log} predict_sequences --card {params.card} "
                "--implementation {params.implementation} --weights {params.weights} --options {params.options:q} "
                "--sequences {input.sequences} --device {resources.device} --batch-size {resources.batch_size} "
                "--output {output}"

    rule:
        name:
            f"compare_ports_{model}"
        input:
            tables=[f"<run>/port_checks/{model}/{made}.tsv" for made in implementations],
            published=published(model),
        output:
            report(
                f"<run>/port_checks/{model}.tsv",
                category="Methods and provenance",
                caption="../report/ports.rst",
                labels={"what": f"Implementations compared, {model} (TSV)"},
            ),
        log:
            messages=f"<logs>/compare_ports/{model}.log",
            # A log survives a comparison that fails.
            report=f"<run>/port_checks/{model}.json",
        localrule: True
        conda:
            "../../envs/base.yaml"
        params:
            card=config["models"][model]["card"],
            predictions=[
                f"{made}={RUN}/port_checks/{model}/{made}.tsv"
                for made in implementations
            ],
            published=(
                f"--published {published(model)[0]} {PUBLISHED_AS[CARDS[model].name]}"
                if published(model)
                else ""
            ),
            code=digest(code.files("port_checks")),
        shell:
            "pexbench base --log {log.messages} compare_ports --card {params.card} --predictions {params.predictions} "
            "{params.published} --output {log.report} --output-genes {output}"


rule check_ports:
    input:
        expand("<run>/port_checks/{model}.tsv", model=PORTS),
