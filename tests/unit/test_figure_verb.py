"""The verb of figures: tables come from files, and of big ones only what is shown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from figure_example import NOTE, PEOPLE, TITLE, example
from pexbench.cli import main
from pexbench.errors import InputError
from pexbench.figures import FigureData, figures, write_figure
from pexbench.files import write_table
from pexbench.verbs.figures import gene_called


def written(data: FigureData, folder: Path) -> list[str]:
    """The run of the example as files, and the arguments that name them."""
    models = [model for model in data.models if model in data.effects]
    tables = {
        "summary": data.summary,
        **{f"scores/{model}": data.scores[data.scores["model"] == model] for model in data.models},
        "genes": pd.DataFrame(
            {
                "gene_id": list(data.genes),
                "symbol": list(data.genes.values()),
                "contig": "1",
                "tss": range(1, 1 + len(data.genes)),
                "strand": "+",
            }
        ),
        "samples": pd.DataFrame({"sample": PEOPLE}),
        "associations": data.associations,
        "direction": data.direction,
        **{f"lead_effects/{model}": data.lead_effects[model] for model in models},
        "individuals": data.expression_individuals.rename_axis("gene_id").reset_index(),
        "levels": data.expression_genes.rename_axis("gene_id").reset_index(),
    }
    for name, table in tables.items():
        write_table(table, folder / f"{name}.tsv")
    # Another gene's rows, which must not reach the figure.
    foreign = {"gene_id": "ENSG00000000000"}
    parquet = {
        "leads": data.leads,
        "cis": pd.concat([data.cis.assign(**foreign, r=0.99, p=1e-30), data.cis]),
        **{f"predictions/{model}": data.predictions[model] for model in data.models},
        **{
            f"effects/{model}": pd.concat([data.effects[model].assign(**foreign), data.effects[model]])
            for model in models
        },
    }
    for name, table in parquet.items():
        write_table(table, folder / f"{name}.parquet")
    each = {name: [str(folder / name / f"{model}.tsv") for model in data.models] for name in ("scores",)}
    return [
        *("--models", *data.models, "--scores", *each["scores"]),
        *("--predictions", *(str(folder / "predictions" / f"{model}.parquet") for model in data.models)),
        *("--expression", str(folder / "individuals.tsv"), str(folder / "levels.tsv")),
        *(
            part
            for name in ("summary", "genes", "samples", "associations", "direction")
            for part in (f"--{name}", str(folder / f"{name}.tsv"))
        ),
        *("--leads", str(folder / "leads.parquet"), "--cis", str(folder / "cis.parquet")),
        *("--effects", *(f"{model}={folder / 'effects' / model}.parquet" for model in models)),
        *("--lead-effects", *(f"{model}={folder / 'lead_effects' / model}.tsv" for model in models)),
        *("--windows", *(f"{model}={length}" for model, length in data.windows.items())),
        *("--title", TITLE, "--notes", NOTE, "--controls", *data.controls),
    ]


#: Between them, these figures read every table.
READERS = ("fig1a_scheme", "fig2a_gene", "sign_agreement")


@pytest.mark.parametrize("name", READERS)
def test_figures_from_files_are_the_figures_from_tables(name: str, tmp_path: Path) -> None:
    data = example()
    arguments = written(data, tmp_path)
    main(["figure", "--figure", name, *arguments, "--output", str(tmp_path / "out")])
    for path in write_figure(name, data, tmp_path / "direct"):
        if path.suffix in (".svg", ".tsv"):
            assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes(), path.name


def test_a_gene_is_called_by_id_or_symbol() -> None:
    labels = {"G1": "AAA", "G2": "BBB", "G3": "BBB"}
    assert gene_called("G2", labels) == "G2"
    assert gene_called("AAA", labels) == "G1"
    with pytest.raises(InputError, match="symbol of 2 genes"):
        gene_called("BBB", labels)
    with pytest.raises(InputError, match="'CCC' is not among the run's 3 genes"):
        gene_called("CCC", labels)


def test_a_person_who_is_not_scored_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="person 'nobody' is not among the 25 people"):
        figures()["fig1c_across_genes"].draw(replace(example(), example_person="nobody"))
    named = replace(example(), example_person="NA003")
    assert set(figures()["fig1c_across_genes"].table(named)["sample"]) == {"NA003"}
