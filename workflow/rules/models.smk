# The models of a run: which there are, their weights, environments, names, and the code they depend on.


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


LABELS = [f"{name}={label(name)}" for name in MODELS]
LABELS += [
    f"{name}={name.replace('_', ' ').replace('snp', 'SNP')}" for name in BASELINES
]
REMARKS = [f"{name}={model['note']}" for name, model in MODELS.items() if model["note"]]


def environment(model):
    """Environment of a model of the run."""
    card = CARDS[model]
    return or_stop(card.implementation, MODELS[model]["implementation"]).environment


def options_of(model):
    """Options of a model's adapter, as command arguments."""
    return [
        f"{key}={json.dumps(value)}"
        for key, value in sorted(MODELS[model]["options"].items())
    ]


def adapter_options(model):
    """Arguments that name a model of the run, its implementation, weights and options; quoted one by one in a shell."""
    given = MODELS[model]
    implementation = or_stop(CARDS[model].implementation_name, given["implementation"])
    weights = [f"{key}={path}" for key, path in weight_files(model).items()]
    return [
        *("--card", given["card"], "--implementation", implementation),
        *("--weights", *weights, "--options", *options_of(model)),
    ]


def inference_options(model, sampled=True):
    """Method and precision of a model, with what measures a faster precision; only PyTorch models have one."""
    given = config["inference"]
    precision = given["precision"] if environment(model) == "torch" else "float32"
    sample = (
        f" --sample {given['sampled_haplotypes']} --seed {config['seed']}"
        if sampled and precision != "float32"
        else ""
    )
    return f"--method {given['method']} --precision {precision}{sample}"


def model_digest(model, stage="predict"):
    """Digest of all code that a model's predictions, or another stage of its, depend on."""
    card = CARDS[model]
    return digest(
        [*code_files(card, MODELS[model]["implementation"]), *code.files(stage)]
    )


def ports_of(model):
    """Implementations of a model whose weights are at hand; two or more can be compared."""
    own = CARDS[model].implementation_name(MODELS[model]["implementation"])
    given = set(config["models"][model]["weights"])
    found = []
    for made in CARDS[model].implementations:
        # Weights that the configuration gives suit the implementations that call them so.
        suits = not given or given == set(CARDS[model].weights(None, made))
        needed = [key for key in weight_names(model, made).values() if key in RESOURCES]
        if made == own or (
            suits
            and all(
                resource_table.at_hand(RESOURCES[key], "resources", MIRROR)
                for key in needed
            )
        ):
            found.append(made)
    return sorted(found)


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


def only_differences(scored):
    """Whether predictions are on a scale of each gene's own, so that genes cannot be compared."""
    return scored in BASELINES or (
        scored in MODELS and MODELS[scored]["differences_only"]
    )


def reference_of(wildcards):
    """Reference predictions of a sequence model, or of the model behind a control; genotype models have none."""
    if wildcards.scored in BASELINES:
        return []
    model = wildcards.scored if wildcards.scored in MODELS else CONTROL_MODEL
    return f"{RUN}/predictions/{model}.reference.tsv"


def combined(model):
    """How a person's prediction is made from two, which decides the scale of effects."""
    return MODELS[model]["combine_haplotypes"]


def numerical_error(wildcards):
    """The numerical error of a sequence model, or of the model behind a control; baselines and tables have none."""
    control = wildcards.scored in CONTROLS
    model = CONTROL_MODEL if control else wildcards.scored
    return (
        f"--numerical-error {CARDS[model].numerical_error} --combine {combined(model)}"
        if model in CARDS
        else ""
    )
