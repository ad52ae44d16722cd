# Where the run's inputs come from, what must be fetched, and how its genes are cut into shards.


def people_tables():
    """Entries of 'inputs.people', one or several."""
    given = config["inputs"]["people"]
    return [given] if isinstance(given, str) else given


def named_inputs():
    """Entries of 'inputs' that may be resources."""
    given = config["inputs"]
    single = [
        given["reference"],
        given["genotypes"],
        given["genes"],
        given["samples"],
        given["eqtl"],
        *people_tables(),
        *given["gene_sources"],
    ]
    return [name for name in [*single, *given["expression"].values()] if name]


INPUTS_NAMED = [] if SIMULATED else named_inputs()
INPUTS_NAMED += [
    MODELS[name][key]
    for name in TABLES
    for key in ("table", "reference_table")
    if MODELS[name][key]
]
FETCHED = sorted(
    {
        place(found)
        for name in INPUTS_NAMED
        for found in resource_table.named_by(name, RESOURCES)
    }
)
WEIGHTS = sorted(
    {
        path
        for model in NETWORKS
        if not CARDS[model].trained
        for path in weight_files(model).values()
    }
)

for name in [
    *INPUTS_NAMED,
    *(key for model in NETWORKS for key in weight_names(model).values()),
]:
    if name not in RESOURCES and "{contig}" not in name and not os.path.exists(name):
        raise WorkflowError(
            f"inputs: {name!r} is neither a file nor a resource of {config['resources']} "
            f"({', '.join(RESOURCES)}); correct the name."
        )
or_stop(
    resource_table.preflight,
    [
        entry
        for entry in RESOURCES.values()
        if f"resources/{entry.file}" in {*FETCHED, *WEIGHTS}
    ],
    "resources",
    MIRROR,
    config["download"],
)

# Where the run's own copies of its inputs lie, whatever they are made from.
if SIMULATED:
    GENE_TABLE = f"{RUN}/simulated/genes.tsv"
    EXPRESSION = [
        f"{RUN}/simulated/expression.bed.gz",
        f"{RUN}/simulated/expression_level.bed.gz",
    ]
    SAMPLES = f"{RUN}/simulated/samples.tsv"
    REFERENCE_SOURCE, GENOTYPE_SOURCE = (
        f"{RUN}/simulated/reference.fa",
        f"{RUN}/simulated/genotypes.vcf.gz",
    )
else:
    GENE_TABLE = (
        place(config["inputs"]["genes"])
        if config["inputs"]["genes"]
        else f"{RUN}/inputs/gene_table.tsv"
    )
    MEASURED = [
        place(
            config["inputs"]["expression"][axis]
            or config["inputs"]["expression"]["across_individuals"]
        )
        for axis in ("across_individuals", "across_genes")
    ]
    # A plain matrix is brought into the usual form first.
    MATRICES = {
        Path(path).stem: path for path in MEASURED if path.lower().endswith(".csv")
    }
    EXPRESSION = [
        (
            f"{RUN}/inputs/expression/{Path(path).stem}.tsv"
            if path in MATRICES.values()
            else path
        )
        for path in MEASURED
    ]
    SAMPLES = (
        place(config["inputs"]["samples"]) if config["inputs"]["samples"] else None
    )
    REFERENCE_SOURCE, GENOTYPE_SOURCE = [
        place(config["inputs"][key]) if config["inputs"][key] else None
        for key in ("reference", "genotypes")
    ]
PEOPLE = [] if SIMULATED else [place(name) for name in people_tables()]
EQTL = (
    [] if SIMULATED or not config["inputs"]["eqtl"] else place(config["inputs"]["eqtl"])
)
POPULATION, COVARIATES = config["scores"]["population"], config["scores"]["covariates"]
# Without covariates nothing hangs on the facts, so that adding some reruns nothing.
SAMPLES_WITH_COVARIATES = f"{RUN}/inputs/{'people' if COVARIATES else 'samples'}.tsv"
# Without genotypes a run holds predictions made elsewhere, and nothing that is made from genotypes.
GENOTYPED = GENOTYPE_SOURCE is not None
REFERENCE = f"{RUN}/inputs/reference.fa"
REGION = None if SIMULATED else config["inputs"]["region"]
PER_CONTIG = GENOTYPED and "{contig}" in GENOTYPE_SOURCE


def gene_plan():
    """Shards and contigs of the run's genes; a table that the run itself makes is waited for (a checkpoint)."""
    if SIMULATED:
        return simulated_plan(SIMULATED["genes"], config["genes_per_shard"])
    table = (
        GENE_TABLE
        if config["inputs"]["genes"]
        else checkpoints.gene_table.get().output.genes
    )
    if not os.path.exists(table):
        raise WorkflowError(
            f"{table}: the gene table is not there yet; run 'snakemake prepare' first."
        )
    return or_stop(
        plan.gene_plan, table, os.stat(table).st_mtime_ns, config["genes_per_shard"]
    )


@cache
def simulated_plan(number, size):
    """The plan of a simulated cohort, known before it is simulated."""
    pairs = zip(gene_ids(number), gene_contigs(number), strict=True)
    return plan.plan_of(
        [
            plan.GeneRow(gene, contig, order)
            for order, (gene, contig) in enumerate(pairs, start=1)
        ],
        size,
    )


def shards():
    """Gene ids by shard name."""
    return gene_plan().shards


def contig_parts():
    """Names of the genotype files: one per contig, or one for all."""
    return sorted(set(gene_plan().contigs.values())) if PER_CONTIG else ["all"]


def genotype_pattern():
    """Genotype files of the run as the library takes them, with {contig} where there is one per contig."""
    return f"{RUN}/inputs/genotypes/{'{contig}' if PER_CONTIG else 'all'}.vcf.gz"


def genotype_source(wildcards):
    """Where the genotypes of a contig come from: a resource's file, or a path."""
    source = place(GENOTYPE_SOURCE.replace("{contig}", wildcards.part))
    if PER_CONTIG and source not in FETCHED and not os.path.exists(source):
        raise WorkflowError(
            f"inputs.genotypes: {GENOTYPE_SOURCE!r} gives {source} for contig {wildcards.part}, which is neither a file "
            f"nor a resource of {config['resources']}; add it, or leave the contig's genes out (inputs.contigs)."
        )
    return source


def genotypes_of(wildcards):
    """The genotype file of a shard, with its index."""
    part = gene_plan().contigs[wildcards.shard] if PER_CONTIG else "all"
    return [
        f"{RUN}/inputs/genotypes/{part}.vcf.gz",
        f"{RUN}/inputs/genotypes/{part}.vcf.gz.csi",
    ]


def shard_genes(wildcards):
    """Gene ids of a shard, as command arguments."""
    return shards()[wildcards.shard]


def per_shard(pattern):
    """An input function: the pattern for every shard."""

    def files(wildcards):
        return expand(pattern, shard=shards(), **dict(wildcards.items()))

    return files


def closing_words():
    """Where the results lie, for the end of a run."""
    figures = sorted(RUN.glob("figures/*.png"))
    lines = [f"\nResults of run '{config['run']}':"]
    lines += [
        f"  not run   {name} ({reason})"
        for name, reason in (entry.split("=", 1) for entry in NOT_RUN)
    ]
    if (RUN / "summary.tsv").exists():
        lines.append(f"  summary   {RUN}/summary.tsv")
        lines.append(
            f"  scores    {RUN}/scores/MODEL.tsv, predictions in {RUN}/predictions/MODEL.parquet"
        )
    if (RUN / "inputs" / "dropped.tsv").exists():
        lines.append(f"  left out  {RUN}/inputs/dropped.tsv")
    lines += [f"  figure    {path} (.pdf, .svg)" for path in figures]
    if (RUN / "report" / "index.html").exists():
        lines.append(f"  report    {RUN}/report/index.html (open it in a browser)")
    return "\n".join(lines)


wildcard_constraints:
    model="|".join(NETWORKS) or "no_model",
    table="|".join(TABLES) or "no_table",
    scored="|".join(SCORED),
    shard=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    part=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    matrix=r"[^/]+",
    file=r"[^/]+",
