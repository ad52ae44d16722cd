"""Cards whose window is chosen in the configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.haplotypes import encode
from pexbench.models import built_in_models, find_model, load_adapter, read_card
from pexbench.windows import WindowRule, window_of

CARD = Path(find_model("kipoi").path)
ADAPTER = """
import numpy as np
from pexbench.models.base import Adapter


class Model(Adapter):
    def forward(self, codes):
        return np.full(len(codes), codes.shape[1], np.float32)
"""


def write(folder: Path, **options: object) -> Path:
    """A model's folder with the card of the Kipoi models, some options removed (None) or with another default."""
    card = yaml.safe_load(CARD.read_text())
    card["name"] = "chosen"
    for name, default in options.items():
        if default is None:
            del card["options"][name]
        else:
            card["options"][name]["default"] = default
    folder.mkdir()
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    (folder / "adapter.py").write_text(ADAPTER)
    return folder


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({}, WindowRule(1000, 500, 499, True)),
        ({"length": 600}, WindowRule(600, 300, 299, True)),
        ({"length": 601}, WindowRule(601, 300, 300, True)),
        ({"length": 600, "tss_index": 0}, WindowRule(600, 0, 599, True)),
        ({"length": 600, "tss_index": 450}, WindowRule(600, 450, 149, True)),
        ({"length": 600, "strand": "plus"}, WindowRule(600, 300, 300, False)),
        ({"length": 600, "tss_index": 10, "strand": "plus"}, WindowRule(600, 10, 10, False)),
        ({"length": 1}, WindowRule(1, 0, 0, True)),
    ],
)
def test_options_set_the_window(options: dict[str, object], rule: WindowRule) -> None:
    card = find_model("kipoi").with_options(options)
    assert card.window_rule() == rule
    assert card.with_options({}) == card
    assert card.with_options(options) == card
    assert card.settings({}) == find_model("kipoi").settings(options)


@pytest.mark.parametrize(("strand", "index"), [("oriented", 3), ("oriented", -1), ("plus", 3), ("plus", -1)])
@pytest.mark.parametrize("sign", ["+", "-"])
def test_the_tss_is_where_the_option_says(strand: str, index: int, sign: str) -> None:
    """Oracle: the only G (C on the other strand) of a made chromosome is the TSS."""
    chromosome = bytearray(b"A" * 50)
    chromosome[24] = ord("G" if sign == "+" else "C")
    rule = find_model("kipoi").with_options({"length": 12, "tss_index": index, "strand": strand}).window_rule()
    window = window_of(Gene("G1", "G1", "1", 25, sign), rule)
    codes = encode(np.frombuffer(bytes(chromosome[window.start : window.end]), np.uint8)[None, :], window.reverse)
    letter = 2 if sign == "+" or strand == "oriented" else 1
    assert np.flatnonzero(codes[0] == letter).tolist() == [6 if index == -1 else index]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 0}, "option length is 0; a whole number of at least 1"),
        ({"length": 600, "tss_index": 600}, "option tss_index is 600; 0 to 599, or -1 for the centre"),
        ({"tss_index": -2}, "option tss_index is -2"),
        ({"strand": "minus"}, "option strand is 'minus'; one of oriented, plus"),
        ({"length": "600"}, "type int"),
        ({"lenght": 600}, "lenght"),
    ],
)
def test_windows_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_model("kipoi").with_options(options)


@pytest.mark.parametrize("name", [name for name in built_in_models() if name != "kipoi"])
def test_other_models_keep_their_window(name: str) -> None:
    card = find_model(name)
    assert card.with_options({}) == card
    with pytest.raises(InputError, match="no option 'length'"):
        card.with_options({"length": 600})


def test_options_become_defaults() -> None:
    card = find_model("kmer_ridge").with_options({"k": 4})
    assert card.settings({})["k"] == 4
    assert card.window_rule() == find_model("kmer_ridge").window_rule()


def test_an_adapter_takes_sequences_of_the_chosen_length(tmp_path: Path) -> None:
    card = find_model(str(write(tmp_path / "m")))
    for given in (card, card.with_options({"length": 40})):
        adapter = load_adapter(given, None, {}, options={"length": 40})
        assert adapter.predict(np.zeros((2, 40), np.uint8)).tolist() == [40, 40]
        with pytest.raises(InputError, match=r"uint8 \[N, 40\]"):
            adapter.predict(np.zeros((2, 1000), np.uint8))


@pytest.mark.parametrize(
    "options", [{"length": None}, {"strand": None}, {"length": 600}, {"tss_index": "centre"}, {"strand": "both"}]
)
def test_a_card_whose_options_do_not_fit_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        read_card(write(tmp_path / "m", **options))
