# What figures read: tables by name, and how they are told to the verb.

# By name, in the order of the report: title, caption, panel of the paper, tables that the figure needs.
FIGURES = dict(
    sorted(
        (
            (name, code.literals(f"figures.{name}", "FIGURE"))
            for name in code.submodules("figures", having="FIGURE")
        ),
        key=lambda item: (item[1].get("order", 100), item[0]),
    )
)
# Tables beyond scores and predictions; a run without networks has no effects of variants.
TABLES_OF_FIGURES = {
    "associations": "<run>/associations.tsv" if GENOTYPED else [],
    "leads": "<run>/associations.leads.parquet" if GENOTYPED else [],
    "cis": "<run>/associations.cis.parquet" if GENOTYPED else [],
    "effects": [f"<run>/variant_effects/{model}.parquet" for model in EXPLAINED],
    "lead_effects": [f"<run>/variant_effects/{model}.genes.tsv" for model in EXPLAINED],
    "direction": "<run>/direction.tsv" if EXPLAINED else [],
}
PER_MODEL = ("effects", "lead_effects")
# Remarks of figures and report on models that are left out.
NOT_RUN_NOTES = [f"not run: {entry.replace('=', ' (')})" for entry in NOT_RUN]


def tables_of(figure):
    """Tables that a figure needs and this run makes, by name."""
    return {
        name: TABLES_OF_FIGURES[name]
        for name in FIGURES[figure].get("needs", ())
        if TABLES_OF_FIGURES[name]
    }


def options_of_tables(wildcards, input):
    """Arguments that name those tables; those of models as model=path."""
    given = {
        name: input.get(name) for name in TABLES_OF_FIGURES if name in input.keys()
    }
    return [
        argument
        for name, found in given.items()
        for argument in (
            f"--{name.replace('_', '-')}",
            *(
                [f"{model}={path}" for model, path in zip(EXPLAINED, found)]
                if name in PER_MODEL
                else [found]
            ),
        )
    ]


def chosen_examples():
    """Arguments for the gene and the person that the configuration names."""
    return [
        argument
        for key in ("gene", "person")
        if config["figures"].get(key)
        for argument in (f"--example-{key}", config["figures"][key])
    ]
