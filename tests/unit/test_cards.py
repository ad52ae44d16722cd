"""Model cards: the shipped ones satisfy the schema, faults are told in words, folders outside the package work."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pexbench.errors import InputError
from pexbench.models import (
    built_in_models,
    code_files,
    digest,
    find_model,
    load_adapter,
    load_training,
    read_card,
    training_files,
)
from pexbench.windows import WindowRule

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/model_card.schema.yaml").read_text())

CARD: dict[str, Any] = {
    "name": "mine",
    "title": "Mine",
    "description": "A model.",
    "citation": "Me (2024).",
    "doi": "10.1000/xyz",
    "licence": "MIT",
    "input": {
        "length": 10,
        "tss_index_plus": 4,
        "tss_index_minus": 5,
        "strand": "oriented",
        "alphabet": "AGCT",
        "unknown": "zero",
    },
    "output": {"description": "Level.", "unit": "none", "scale": "linear"},
    "networks": {
        "one": {"description": "First.", "weights": {"network": "one.h5"}},
        "two": {"description": "Second.", "weights": {"network": "two.h5", "head": "head.npz"}},
    },
    "default_network": "one",
    "implementations": {
        "numpy": {"environment": "base", "module": "adapter"},
        "other": {"environment": "torch", "module": "adapter_other"},
    },
    "default_implementation": "numpy",
    "batch_size": 8,
    "memory_mb": 100,
    "gpu": "none",
    "trained": False,
    "tolerance": 1.0e-6,
    "options": {
        "factor": {"description": "Multiplies.", "default": 2.0},
        "mode": {"description": "M.", "default": "a"},
    },
}
ADAPTER = """
import numpy as np
from pexbench.models.base import Adapter
from .helper import count_g

class Model(Adapter):
    def forward(self, codes):
        return np.float32(self.options["factor"]) * count_g(codes)
"""
HELPER = """
import numpy as np

def count_g(codes):
    return (codes == 2).sum(axis=1).astype(np.float32)
"""


def changed(path: str, value: Any = None, card: dict[str, Any] = CARD) -> dict[str, Any]:
    """A copy of the card with one key (dotted) set, or removed where the value is None."""
    card = copy.deepcopy(card)
    *parents, last = path.split(".")
    inside = card
    for parent in parents:
        inside = inside[parent]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return card


def write(folder: Path, card: Any = CARD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.yaml").write_text(card if isinstance(card, str) else yaml.safe_dump(card))
    (folder / "adapter.py").write_text(ADAPTER)
    (folder / "adapter_other.py").write_text(ADAPTER)
    (folder / "helper.py").write_text(HELPER)
    return folder


def refusal(folder: Path, card: Any) -> str:
    with pytest.raises(InputError) as error:
        read_card(write(folder, card))
    assert str(folder / "card.yaml") in str(error.value)
    return str(error.value)


FAULTS = [
    ("name", "a b", "'a b'"),
    ("name", None, "missing"),
    ("name", 3, "is 3"),
    ("title", " ", "text"),
    ("doi", "https://doi.org/10.1000/xyz", "a DOI"),
    ("citation", None, "missing"),
    ("input", [1], "a mapping"),
    ("input.length", 0, "at least 1"),
    ("input.length", "10", "a whole number"),
    ("input.length", True, "a whole number"),
    ("input.tss_index_plus", -1, "from 0 to 9"),
    ("input.tss_index_plus", 4.5, "a whole number"),
    ("input.strand", "both", "oriented, plus"),
    ("input.alphabet", "ACG", "each once"),
    ("input.alphabet", "ACGG", "each once"),
    ("input.unknown", "random", "zero, quarter, skipped"),
    ("input.lenght", 10, "did you mean length?"),
    ("output.scale", "log2", "linear, log"),
    ("output.units", "x", "did you mean unit?"),
    ("networks", {}, "at least one"),
    ("networks.one.weights", {}, "at least one"),
    ("networks.one.weights.network", "a/b.h5", "without a folder"),
    ("networks.one.weights", {"Net Work": "a.h5"}, "lower case"),
    ("networks.one.size", 3, "unknown"),
    ("networks.one.description", None, "missing"),
    ("networks", None, "unknown"),
    ("default_network", None, "missing"),
    ("implementations", {}, "at least one"),
    ("implementations.numpy.module", "adapter.py", "without .py"),
    ("implementations.numpy.environment", None, "missing"),
    ("implementations.numpy.gpu", True, "unknown"),
    ("batch_size", 0, "at least 1"),
    ("memory_mb", "2G", "a whole number"),
    ("minutes_per_gene", 0, "a whole number of at least 1"),
    ("gpu", "yes", "none, optional, required"),
    ("gpu", True, "none, optional, required"),
    ("trained", "no", "true or false"),
    ("trained", True, "trained: true"),
    ("tolerance", 0, "above 0"),
    ("tolerance", "1e-6", "1.0e-5"),
    ("numerical_error", 0, "above 0"),
    ("options.factor.default", [1], "text, a number"),
    ("options.factor.description", None, "missing"),
    ("options.factor.unit", "bp", "unknown"),
    ("batchsize", 3, "did you mean batch_size?"),
]


@pytest.mark.parametrize(("key", "value", "said"), FAULTS)
def test_a_fault_is_told_with_file_and_key(tmp_path: Path, key: str, value: Any, said: str) -> None:
    sentence = refusal(tmp_path / "m", changed(key, value))
    assert key.split(".")[-1] in sentence or key == "networks"
    assert said in sentence


@pytest.mark.parametrize(("key", "value", "said"), FAULTS)
def test_the_schema_refuses_the_same(key: str, value: Any, said: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert validator.is_valid(CARD)
    # A schema cannot compare two keys: an index within the length is the code's to check.
    assert not validator.is_valid(changed(key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input.tss_index_minus", 10),
        ("default_network", "three"),
        ("default_implementation", "torch"),
    ],
)
def test_keys_that_must_fit_each_other(tmp_path: Path, key: str, value: Any) -> None:
    sentence = refusal(tmp_path / "m", changed(key, value))
    assert key in sentence
    assert repr(value) in sentence


@pytest.mark.parametrize("text", ["", "- a", "a: [", "a: b: c", "name: x\nname: y"])
def test_no_mapping(tmp_path: Path, text: str) -> None:
    refusal(tmp_path / "m", text)


def test_a_missing_module_or_card_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "adapter_other.py").unlink()
    with pytest.raises(InputError, match=r"adapter_other\.py"):
        read_card(folder)
    with pytest.raises(InputError, match=r"card\.yaml: not found"):
        read_card(tmp_path / "nothing")
    folder = write(
        tmp_path / "t", changed("default_network", None, changed("networks", None, changed("trained", True)))
    )
    with pytest.raises(InputError, match=r"train\.py"):
        read_card(folder)


def test_shipped_cards_satisfy_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert {"xpresso", "kmer_ridge"} <= set(built_in_models())
    for name in built_in_models():
        jsonschema.validate(yaml.safe_load(find_model(name).path.read_text()), SCHEMA)


def test_every_object_of_the_schema_is_closed_and_every_key_described() -> None:
    def walk(part: dict[str, Any], where: str) -> None:
        assert part.get("description"), where
        if part.get("type") == "object":
            assert part.get("additionalProperties") is False or isinstance(part["additionalProperties"], dict), where
            for name, inner in part.get("properties", {}).items():
                walk(inner, f"{where}.{name}")
            if isinstance(part["additionalProperties"], dict):
                walk(part["additionalProperties"], f"{where}.*")

    walk(SCHEMA, "card")


def test_what_a_card_says(tmp_path: Path) -> None:
    card = read_card(write(tmp_path / "m"))
    assert card.window_rule() == WindowRule(10, 4, 5, True)
    assert card.weights() == {"network": "one.h5"}
    assert card.weights("two") == {"network": "two.h5", "head": "head.npz"}
    assert card.implementation().module == "adapter"
    assert card.implementation("other").environment == "torch"
    assert card.implementation_name() == "numpy"
    assert card.settings({}) == {"factor": 2.0, "mode": "a"}
    assert card.settings({"factor": 3}) == {"factor": 3.0, "mode": "a"}
    assert not read_card(write(tmp_path / "p", changed("input.strand", "plus"))).window_rule().oriented
    for call in (lambda: card.weights("three"), lambda: card.implementation("tf"), lambda: card.settings({"x": 1})):
        with pytest.raises(InputError, match="model mine has no"):
            call()
    for wrong in ({"factor": "3"}, {"factor": True}, {"mode": 1}):
        with pytest.raises(InputError, match="option"):
            card.settings(wrong)


def test_xpresso_reads_the_window_of_the_paper() -> None:
    # Gene on +: t-6999 .. t+3500, on -: t-3500 .. t+6999, both 1-based and inclusive; 10,500 bp.
    rule = find_model("xpresso").window_rule()
    assert (rule.tss_index_plus, rule.length - 1 - rule.tss_index_plus) == (6999, 3500)
    assert (rule.tss_index_minus, rule.length - 1 - rule.tss_index_minus) == (3500, 6999)
    assert rule.oriented


@pytest.mark.parametrize("name", built_in_models())
def test_an_oriented_model_sees_the_tss_at_one_place(name: str) -> None:
    card = find_model(name)
    if card.input.strand == "oriented":
        # ExPecto counts its even windows from base 999 of the + strand, so its oriented TSS lie one base apart.
        apart = card.input.length - 1 - card.input.tss_index_minus - card.input.tss_index_plus
        assert apart == (1 if name == "expecto" else 0)


def test_models_are_found_by_name_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model("xpresso").name == "xpresso"
    assert find_model(str(write(tmp_path / "m"))).name == "mine"
    monkeypatch.chdir(tmp_path)
    assert find_model("./m").folder == tmp_path / "m"
    with pytest.raises(InputError, match=r"did you mean xpresso\?"):
        find_model("expresso")
    write(tmp_path / "copy", changed("name", "xpresso"))
    with pytest.raises(InputError, match="rename the model"):
        find_model("copy")


def test_a_folder_outside_the_package_predicts(tmp_path: Path) -> None:
    codes = np.array([[2] * 10, [0] * 9 + [2]], np.uint8)
    card = find_model(str(write(tmp_path / "m")))
    assert load_adapter(card, None, {}).predict(codes).tolist() == [20, 2]
    assert load_adapter(card, "other", {}, options={"factor": 0.5}).predict(codes).tolist() == [5, 0.5]
    # A second folder with modules of the same names is another model.
    other = write(tmp_path / "n", changed("name", "other"))
    (other / "helper.py").write_text(HELPER.replace("codes == 2", "codes == 0"))
    assert load_adapter(find_model(str(other)), None, {}).predict(codes).tolist() == [0, 18]
    assert load_adapter(card, None, {}).predict(codes).tolist() == [20, 2]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("codes.sum(axis=1)", "uint64"),
        ("np.zeros((len(codes), 1), np.float32)", r"float32 \[2, 1\]"),
        ("np.zeros(1, np.float32)", r"float32 \[1\]"),
        ("[0.0] * len(codes)", "list"),
        ("np.full(len(codes), np.nan, np.float32)", "no finite number for 2 of 2"),
    ],
)
def test_an_adapter_that_gives_something_else_is_told(tmp_path: Path, result: str, said: str) -> None:
    folder = write(tmp_path / "m")
    text = "import numpy as np\nfrom pexbench.models.base import Adapter\n\n\nclass Model(Adapter):\n"
    (folder / "adapter.py").write_text(f"{text}    def forward(self, codes):\n        return {result}\n")
    adapter = load_adapter(find_model(str(folder)), None, {})
    for call in (adapter.predict, lambda codes: adapter.predict_gene("G", codes)):
        with pytest.raises(InputError, match=f"model mine gave.*{said}|model mine gave {said}"):
            call(np.zeros((2, 10), np.uint8))


def test_a_module_without_model_is_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "adapter.py").write_text("class Model:\n    pass\n")
    with pytest.raises(InputError, match="class Model, a subclass of"):
        load_adapter(find_model(str(folder)), None, {})


def test_a_package_that_is_not_installed_is_told_with_the_environment(tmp_path: Path) -> None:
    folder = write(tmp_path / "m")
    (folder / "adapter_other.py").write_text("import no_such_framework\n")
    with pytest.raises(InputError, match=r"imports no_such_framework.*envs/torch\.yaml"):
        load_adapter(find_model(str(folder)), "other", {})


def test_training_is_for_trained_models(tmp_path: Path) -> None:
    assert callable(load_training(find_model("kmer_ridge")))
    with pytest.raises(InputError, match="not trained in the run"):
        load_training(find_model("xpresso"))
    folder = write(
        tmp_path / "t", changed("default_network", None, changed("networks", None, changed("trained", True)))
    )
    (folder / "train.py").write_text("")
    with pytest.raises(InputError, match="function train not found"):
        load_training(find_model(str(folder)))


def test_the_digest_follows_the_code_that_predicts(tmp_path: Path) -> None:
    card = read_card(write(tmp_path / "m"))
    files = code_files(card, "numpy")
    assert [path.name for path in files] == ["card.yaml", "adapter.py", "helper.py", "base.py", "incremental.py"]
    assert [path.name for path in code_files(card, "other")] == [
        "card.yaml",
        "adapter_other.py",
        "helper.py",
        "base.py",
        "incremental.py",
        "torch_batches.py",  # "other" computes in PyTorch
        "torch_exact.py",
        "torch_model.py",
        "torch_spans.py",
    ]
    before = digest(files)
    assert digest(code_files(read_card(write(tmp_path / "elsewhere")), "numpy")) == before
    for name, counts in (("adapter_other.py", False), ("helper.py", True), ("adapter.py", True), ("card.yaml", True)):
        whole = (tmp_path / "m" / name).read_text()
        (tmp_path / "m" / name).write_text(f"{whole}\n# changed\n")
        assert (digest(code_files(card, "numpy")) != before) is counts, name
        (tmp_path / "m" / name).write_text(whole)
    with pytest.raises(InputError, match=r"absent\.py"):
        digest([tmp_path / "absent.py"])


def test_training_has_files_of_its_own() -> None:
    card = find_model("kmer_ridge")
    names = [path.name for path in training_files(card)]
    assert "train.py" in names
    assert "train.py" not in [path.name for path in code_files(card)]
    assert {"adapter.py", "card.yaml"} <= set(names)


def test_the_registry_is_light() -> None:
    """It is used while the Snakefile is parsed, in an environment with PyYAML and no numpy."""
    program = (
        "import sys\n"
        "from pexbench import models\n"
        "for name in models.built_in_models():\n"
        "    card = models.find_model(name)\n"
        "    models.digest([*models.code_files(card), *([] if not card.trained else models.training_files(card))])\n"
        "    card.weights(), card.implementation_name()\n"
        "print(sorted({'numpy', 'pandas', 'torch', 'h5py', 'scipy', 'pysam'} & set(sys.modules)))\n"
    )
    lib = str(ROOT / "workflow" / "lib")
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": lib}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
