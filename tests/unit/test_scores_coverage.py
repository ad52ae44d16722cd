"""Everything asked for is used or dropped, with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from pexbench.scores.coverage import COLUMNS, coverage
from unit.test_scores_metrics import GENES, PEOPLE, example, score_model


def test_counts_add_up() -> None:
    counts = {
        "genes_asked": 11,
        "genes": 10,
        "genes_personal": 9,
        "genes_with_expression_across_individuals": 7,
        "people_asked": None,
        "people_genotyped": 25,
        "people_with_expression": 22,
        "people": 21,
        "variants_used": 500,
    }
    rows = [
        ("gene", "x", 1, "no usable expression in any table"),
        *(("sample", f"s{number}", 1, "no expression") for number in range(4)),
        ("sample", "t", 1, "no genotypes"),
        ("variants", "indel on 21", 30, "kind not used (settings 'variants')"),
        ("variants", "indel on 22", 12, "kind not used (settings 'variants')"),
        ("personal prediction", "more1", 1, "no genotypes for contig Y: reference prediction only"),
    ]
    dropped = pd.DataFrame(rows, columns=["kind", "id", "count", "reason"])
    names = [*GENES, "more1", "more2"]
    genes = pd.DataFrame({"gene_id": names, "personal": [name != "more1" for name in names]})
    inputs = example()
    expression = inputs.expression_individuals.drop(index=GENES[1])
    expression.iloc[0, :6] = np.nan
    scores = score_model(replace(inputs, expression_individuals=expression))
    report = {"a_model": {"left_out_by_reason": {"gene: not in the table": 3, "people: nobody of the run": 2}}}
    table = coverage(counts, dropped, genes, scores, report)
    assert tuple(table.columns) == COLUMNS
    found = {(*row[:3], row[4]): row[3] for row in table.itertuples(index=False)}
    assert len(found) == len(table)
    assert found["people", "dropped", "", "no expression"] == 4
    assert found["people", "dropped", "", "no genotypes"] == 1
    assert found["people", "used", "", ""] == len(PEOPLE) == 21
    assert found["variants", "dropped", "", "indel: kind not used (settings 'variants')"] == 42
    assert found["genes", "asked", "", ""] == found["genes", "used", "", ""] + 1
    model = {key[1:]: value for key, value in found.items() if key[2] == "a_model" and key[0] == "genes"}
    assert model.pop(("left out", "a_model", "not in the table")) == 3
    predicted = model["predicted", "a_model", ""]
    assert predicted == 8
    assert predicted + sum(value for key, value in model.items() if key[0] == "not predicted") == len(names)
    assert model["scored", "a_model", ""] + model["not scored", "a_model", "no expression in the matrix"] == predicted
    assert model["scored as 0", "a_model", "constant prediction"] == 1
    assert found["people", "scored", "a_model", "most for one gene"] == 21
    assert found["people", "scored", "a_model", "fewest for one gene"] == 15
    assert found["people", "left out", "a_model", "nobody of the run"] == 2
