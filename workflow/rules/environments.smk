# Environments of the models: looked at before any model runs, on the kind of node that the models will run on.


def wants_gpu(model, implementation=None):
    """Whether a model's jobs ask a cluster for a GPU."""
    card = CARDS[model]
    made = implementation or MODELS[model]["implementation"]
    asked = config["inference"]["device"]
    # Where 'auto' uses a GPU: see models/device.py.
    used = asked == "cuda" or card.implementation(made).environment == "torch"
    return asked != "cpu" and (
        card.gpu == "required" or (card.gpu == "optional" and used)
    )


def gpu_or_not(wanted):
    """How an input is called that says where its job runs: profiles/slurm asks for a GPU for 'gpu_environment'.

    The files are the same either way, so that another device reruns nothing.
    """
    return "gpu_environment" if wanted else "environment"


def checked_environment(model, implementation=None):
    """The check that a model's jobs wait for, as an input; a later check reruns no prediction."""
    made = CARDS[model].implementation(
        implementation or MODELS[model]["implementation"]
    )
    path = f"{RUN}/environments/{made.environment}.json"
    return {gpu_or_not(wants_gpu(model, implementation)): ancient(path)}


# Whether some model needs a GPU there, by environment; implementations that are only compared are among them.
ENVIRONMENTS = {}
for model in NETWORKS:
    for made in ports_of(model):
        name = CARDS[model].implementation(made).environment
        ENVIRONMENTS[name] = ENVIRONMENTS.get(name, False) or wants_gpu(model, made)

for name, wanted in ENVIRONMENTS.items():

    rule:
        name:
            f"check_environment_{name}"
        input:
            **{gpu_or_not(wanted): str(ROOT / "envs" / f"{name}.yaml")},
        output:
            f"<run>/environments/{name}.json",
        log:
            f"<logs>/check_environment/{name}.log",
        conda:
            f"../../envs/{name}.yaml"
        resources:
            gpu_jobs=int(wanted),
            device=config["inference"]["device"] if wanted else "cpu",
        params:
            environment=name,
        shell:
            "pexbench {params.environment} --log {log} check_environment --environment {params.environment} "
            "--pins {input} --device {resources.device} --output {output}"
