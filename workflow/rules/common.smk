# What the rule files share; the configuration, paths, and options of many verbs.
import json
import math
import os
import sys
from functools import cache
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


config["models"] = plan.spelled_out(config["models"])


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
    os.environ.update(PEXBENCH_MIRROR=MIRROR)
RESOURCES = or_stop(resource_table.read_resources, ROOT / config["resources"])
RUN = Path("results") / config["run"]
SIMULATED = config.get("simulation")
BASELINES = config["baselines"]
CONTROLS = config["controls"]


def place(name):
    """Path of an input that the configuration names: a resource's place, else the path itself."""
    return f"resources/{RESOURCES[name].file}" if name in RESOURCES else name


def option(flag, value):
    """A command line option, or nothing where there is no value."""
    return f"{flag} {value}" if value else ""


VARIANT_OPTIONS = " ".join(
    [f"--flank {config['variants']['flank']}"]
    + [f"--{kind}" for kind in ("indels", "multiallelics") if config["variants"][kind]]
)
GENOTYPE_OPTIONS = "--unphased {unphased} --missing {missing}".format(
    **config["variants"]
)


def growing(amount, per_gene=0):
    """A resource of a job: a fixed part and one for each gene of a shard; a job that is tried again gets more."""
    whole = math.ceil(amount + per_gene * config["genes_per_shard"])
    return lambda wildcards, attempt: whole * attempt


# Shell commands start with the launcher, which chooses the environment: Snakemake's conda environment, else .venvs/NAME.
shell.prefix(f"export PATH='{ROOT}/workflow/bin':$PATH; ")
