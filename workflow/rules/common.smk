# What the rule files share; configuration, paths, shards, environments and digests of code.
import csv
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

ROOT = Path(workflow.current_basedir).resolve().parents[1]
LIBRARY = ROOT / "workflow" / "lib"
sys.path.insert(0, str(LIBRARY))

from pexbench import code, plan, resources as resource_table
from pexbench.errors import InputError
from pexbench.models import code_files, digest, find_model, training_files
from pexbench.simulate_names import gene_contigs, gene_ids

# A key without a value is a key that is not there.
for key in [key for key, value in config.items() if value is None]:
    del config[key]
validate(config, "../schemas/config.schema.yaml")


def or_stop(function, *arguments):
    """Call a function of the library; its fault stops the workflow with the sentence alone."""
    try:
        return function(*arguments)
    except InputError as fault:
        raise WorkflowError(str(fault)) from None


def card_of(model):
    """Card of a model of the run, with the window that its options ask for."""
    return or_stop(lambda: find_model(model["card"]).with_options(model["options"]))


CARDS = {
    name: card_of(model) for name, model in config["models"].items() if model["card"]
}
or_stop(plan.check_settings, config, CARDS)


pathvars:
    run=f"results/{config['run']}",
    inputs=f"results/{config['run']}/inputs",
    logs=f"results/{config['run']}/logs",
    benchmarks=f"results/{config['run']}/benchmarks",


MIRROR = config["mirror"] or os.environ.get("PEXBENCH_MIRROR") or None
if MIRROR:
    # Where a file comes from is no parameter of any result: the fetch rule finds it in the environment.
    os.environ["PEXBENCH_MIRROR"] = MIRROR
RESOURCES = or_stop(resource_table.read_resources, ROOT / config["resources"])
RUN = Path("results") / config["run"]
SIMULATED = config.get("simulation")
BASELINES = config["baselines"]
CONTROLS = config["controls"]


def place(name):
    """Path of an input that the configuration names: a resource's place, else the path itself."""
    return f"resources/{RESOURCES[name].file}" if name in RESOURCES else name


def weight_files(model, implementation=None):
    """Weight files of a model of the run, by the adapter's name for each."""
    card = CARDS[model]
    if card.trained:
        return {"trained": f"{RUN}/trained/{model}.npz"}
    return {
        key: place(name) for key, name in weight_names(model, implementation).items()
    }


def weight_names(model, implementation=None):
    """Weights of a model by the adapter's name for each: names of resources, or paths that the configuration gives.

    Without an implementation, those of the one that the configuration chose.
    """
    given = config["models"][model]
    if CARDS[model].trained:
        return {}
    if given["weights"]:
        return given["weights"]
    by_file = {entry.file: entry.name for entry in RESOURCES.values()}
    found = {}
    for key, file in or_stop(
        CARDS[model].weights,
        given["network"],
        implementation or given["implementation"],
    ).items():
        if file not in by_file:
            raise WorkflowError(
                f"{config['resources']}: {file}, a weight file of model {model}, has no row; "
                "the table must name its URL, sha256 and size; add it."
            )
        found[key] = by_file[file]
    return found


# Networks whose weights are not at hand: left out if the configuration says so, else fetched, else a reason to stop.
ABSENT = plan.unavailable(
    {
        name: [
            RESOURCES[key] for key in weight_names(name).values() if key in RESOURCES
        ]
        for name in CARDS
    },
    "resources",
    MIRROR,
)
if not config["skip_unavailable"]:
    or_stop(plan.refuse_unavailable, ABSENT, MIRROR, config["download"])
    ABSENT = {}
MODELS = {name: model for name, model in config["models"].items() if name not in ABSENT}
NETWORKS = [name for name in MODELS if name in CARDS]
TABLES = [name for name in MODELS if name not in CARDS]
CONTROL_MODEL = config["control_model"] or next(iter(NETWORKS), None)
if CONTROL_MODEL not in NETWORKS:
    CONTROLS = []
# In the order of figures: models, baselines, controls.
SCORED = [*MODELS, *BASELINES, *CONTROLS]
NOT_RUN = [
    f"{name}=weights absent: {', '.join(entry.file for entry in entries)}"
    for name, entries in ABSENT.items()
]


def label(name):
    """Readable name of a model: its card's title where the model is called like the card, with the remark given."""
    title = (
        CARDS[name].title
        if name in CARDS and CARDS[name].name == name
        else name.replace("_", " ")
    )
    return f"{title} ({MODELS[name]['note']})" if MODELS[name]["note"] else title


LABELS = [f"{name}={label(name)}" for name in MODELS] + ["top_snp=top SNP"]
REMARKS = [f"{name}={model['note']}" for name, model in MODELS.items() if model["note"]]


def named_inputs():
    """Entries of 'inputs' that may be resources."""
    given = config["inputs"]
    single = [
        given["reference"],
        given["genotypes"],
        given["genes"],
        given["samples"],
        *given["gene_sources"],
    ]
    return [name for name in [*single, *given["expression"].values()] if name]


INPUTS_NAMED = [] if SIMULATED else named_inputs()
INPUTS_NAMED += [MODELS[name]["table"] for name in TABLES]
FETCHED = sorted({place(name) for name in INPUTS_NAMED if name in RESOURCES})
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
    EXPRESSION = [
        place(
            config["inputs"]["expression"][axis]
            or config["inputs"]["expression"]["across_individuals"]
        )
        for axis in ("across_individuals", "across_genes")
    ]
    SAMPLES = (
        place(config["inputs"]["samples"]) if config["inputs"]["samples"] else None
    )
    REFERENCE_SOURCE, GENOTYPE_SOURCE = place(config["inputs"]["reference"]), place(
        config["inputs"]["genotypes"]
    )
REFERENCE = f"{RUN}/inputs/reference.fa"
REGION = None if SIMULATED else config["inputs"]["region"]
PER_CONTIG = "{contig}" in GENOTYPE_SOURCE


def gene_rows():
    """Genes of the run with their places; a table that the run itself makes is waited for (a checkpoint)."""
    if SIMULATED:
        number = SIMULATED["genes"]
        pairs = zip(gene_ids(number), gene_contigs(number), strict=True)
        return [
            plan.GeneRow(gene, contig, order)
            for order, (gene, contig) in enumerate(pairs, start=1)
        ]
    table = (
        GENE_TABLE
        if config["inputs"]["genes"]
        else checkpoints.gene_table.get().output.genes
    )
    if not os.path.exists(table):
        raise WorkflowError(
            f"{table}: the gene table is not there yet; run 'snakemake prepare' first."
        )
    return or_stop(plan.read_gene_rows, table)


def shards():
    """Gene ids by shard name."""
    return plan.shards(gene_rows(), config["genes_per_shard"])


def contig_parts():
    """Names of the genotype files: one per contig, or one for all."""
    return sorted({row.contig for row in gene_rows()}) if PER_CONTIG else ["all"]


def genotype_pattern():
    """Genotype files of the run as the library takes them, with {contig} where there is one per contig."""
    return f"{RUN}/inputs/genotypes/{'{contig}' if PER_CONTIG else 'all'}.vcf.gz"


def genotypes_of(wildcards):
    """The genotype file of a shard, with its index."""
    part = "all"
    if PER_CONTIG:
        first = shards()[wildcards.shard][0]
        part = next(row.contig for row in gene_rows() if row.gene_id == first)
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


def option(flag, value):
    """A command line option, or nothing where there is no value."""
    return f"{flag} {value}" if value else ""


def environment(model):
    """Environment of a model of the run."""
    card = CARDS[model]
    return or_stop(card.implementation, MODELS[model]["implementation"]).environment


def options_of(model):
    """Options of a model's adapter, as command arguments."""
    return [f"{key}={value}" for key, value in sorted(MODELS[model]["options"].items())]


def model_digest(model):
    """Digest of all code that a model's predictions depend on."""
    card = CARDS[model]
    return digest(
        [*code_files(card, MODELS[model]["implementation"]), *code.files("predict")]
    )


VARIANT_OPTIONS = " ".join(
    [f"--flank {config['variants']['flank']}"]
    + [f"--{kind}" for kind in ("indels", "multiallelics") if config["variants"][kind]]
)
GENOTYPE_OPTIONS = "--unphased {unphased} --missing {missing}".format(
    **config["variants"]
)

# Shell commands start with the launcher, which chooses the environment: Snakemake's conda environment, else .venvs/NAME.
shell.prefix(f"export PATH='{ROOT}/workflow/bin':$PATH; ")


def ports_of(model):
    """Implementations of a model whose weights are at hand; two or more can be compared."""
    names = {
        made: weight_names(model, made).values()
        for made in CARDS[model].implementations
    }
    own = {CARDS[model].implementation_name(MODELS[model]["implementation"])}
    return sorted(
        made
        for made, needed in names.items()
        if made in own
        or all(
            (
                resource_table.at_hand(RESOURCES[key], "resources", MIRROR)
                if key in RESOURCES
                else os.path.exists(key)
            )
            for key in needed
        )
    )


# The paper's reference predictions, by card, with the scale they are on. Enformer's were made from a sequence that lies
# up to one base off the personal ones (PAPER: reference interval of 393,215 bp), so they agree less closely.
PUBLISHED_AS = {
    "xpresso": "",
    "expecto": "--published-tolerance 1e-2",
    "basenji2": "--published-scale log --published-tolerance 1e-2",
    "enformer": "--published-tolerance 1.0",
}


def published(model):
    """The paper's reference predictions, for a model that is set up as the paper's, where they are at hand."""
    given = config["models"][model]
    own_network = given["network"] not in (None, CARDS[model].default_network)
    paper = not (own_network or given["options"] or given["weights"] or SIMULATED)
    entry = RESOURCES.get("published_reference")
    if not (paper and entry and CARDS[model].name in PUBLISHED_AS):
        return []
    return (
        [f"resources/{entry.file}"]
        if resource_table.at_hand(entry, "resources", MIRROR)
        else []
    )


def reference_of(wildcards):
    """Reference predictions of a sequence model, or of the model behind a control; genotype models have none."""
    if wildcards.scored in BASELINES:
        return []
    model = wildcards.scored if wildcards.scored in MODELS else CONTROL_MODEL
    return f"{RUN}/predictions/{model}.reference.tsv"


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
    return "\n".join(lines)


wildcard_constraints:
    model="|".join(NETWORKS) or "no_model",
    table="|".join(TABLES) or "no_table",
    scored="|".join(SCORED),
    shard=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    part=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    file=r"[^/]+",
