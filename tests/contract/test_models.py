"""The contract of every registered model, in every implementation that can be run here.

A new model is tried without a line here, unless it needs weights: then ``drawn_weights`` says how to draw some.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import adapter_contract
from pexbench.models import built_in_models, find_model, load_training

ROOT = Path(__file__).resolve().parents[2]
#: Environments whose packages the test environment has (where torch is installed); others run as processes of theirs.
HERE = {"base": "numpy", "torch": "torch"}
#: Models whose published network takes too long for hundreds of sequences: the module whose ``files`` writes a small
#: one in the published layout.
SMALL = {"basenji2": "basenji2_file", "enformer": "enformer_file", "expecto": "expecto_file"}
#: Of a prediction's size: what the paths that share may differ from the plain one by.
ROUNDING = 2e-6
#: The folder that people copy is a model outside the package.
TEMPLATE = str(ROOT / "workflow" / "lib" / "pexbench" / "models" / "_template")
EVERY = [
    pytest.param(name, made, marks=[pytest.mark.original] if card.implementations[made].environment not in HERE else [])
    for name in [*built_in_models(), TEMPLATE]
    for card in [find_model(name)]
    for made in card.implementations
]


def weights(model: str, folder: Path) -> dict[str, str]:
    """Weight files by the adapter's name: trained here, or the published ones of the mirror, or drawn at random."""
    card = find_model(model)
    if card.trained:
        codes = adapter_contract.sequences(card.input.length, seed=9, count=40)
        names = [f"G{i}" for i in range(len(codes))]
        places = [("1", 10_000 * i, 10_000 * i + card.input.length) for i in range(len(codes))]
        arrays = load_training(card)(codes, names, places, (codes == 2).mean(axis=1), 1)
        np.savez(folder / "trained.npz", **arrays)
        return {"trained": str(folder / "trained.npz")}
    mirror = os.environ.get("PEXBENCH_MIRROR")
    if mirror and model not in SMALL:
        found = {key: next(Path(mirror).rglob(file), None) for key, file in card.weights().items()}
        if all(found.values()):
            return {key: str(path) for key, path in found.items()}
    return drawn_weights(model, folder)


def drawn_weights(model: str, folder: Path) -> dict[str, str]:
    """Untrained weights in the published format."""
    if model in SMALL:
        pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")
        return {key: str(path) for key, path in importlib.import_module(SMALL[model]).files(folder).items()}
    if model == "xpresso":
        pytest.importorskip("h5py", reason="h5py, which writes the drawn weights, is not installed here")
        import xpresso_file

        drawn = xpresso_file.parameters(xpresso_file.PUBLISHED, seed=4)
        return {"network": str(xpresso_file.write(folder / "network.h5", xpresso_file.PUBLISHED, drawn))}
    if find_model(model).networks:
        pytest.fail(f"model {model} needs weights: say in drawn_weights how to draw some in the published format")
    return {}


def drawn_options(model: str, folder: Path) -> dict[str, object]:
    """Options without which a model cannot run: the Kipoi adapter needs a Kipoi model."""
    if model != "kipoi":
        return {}
    import kipoi_folder

    shape = (4, 1, find_model(model).input.length)
    made = kipoi_folder.write(folder / "kipoi_model", shape, channels_first=True)
    return {"model": str(made), "source": "dir", "track": 2}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take longer than these small networks."""
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    before = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory):
    """What an implementation did with the sequences, computed once."""

    @cache
    def files(model: str) -> dict[str, str]:
        return weights(model, tmp_path_factory.mktemp(f"weights_{Path(model).name}"))

    @cache
    def run(model: str, implementation: str) -> dict[str, np.ndarray]:
        card = find_model(model)
        environment = card.implementations[implementation].environment
        codes = adapter_contract.sequences(card.input.length)
        if environment in HERE:
            module = HERE[environment]
            pytest.importorskip(module, reason=f"{module} is not installed here; run in an environment that has it")
            return adapter_contract.exercise(model, implementation, files(model), codes)
        python = ROOT / ".venvs" / environment / "bin" / "python"
        if not python.exists():
            pytest.skip(f"environment {environment} is not built: python3 workflow/bin/environments.py {environment}")
        folder = tmp_path_factory.mktemp(f"{Path(model).name}_{implementation}")
        (folder / "weights.json").write_text(json.dumps(files(model)))
        (folder / "options.json").write_text(json.dumps(drawn_options(model, folder)))
        np.save(folder / "codes.npy", codes)
        done = subprocess.run(
            [
                *(python, adapter_contract.__file__, model, implementation),
                *("weights.json", "codes.npy", "out.npz", "options.json"),
            ],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT / "workflow" / "lib")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(folder / "out.npz", allow_pickle=False) as made:
            return {name: made[name] for name in made.files}

    return run


@pytest.mark.parametrize(("model", "implementation"), EVERY)
class TestContract:
    def test_one_float32_per_sequence(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        assert made["by_64"].dtype == np.float32
        assert made["by_64"].shape == (len(made["codes_after"]),)
        assert made["empty"].shape == made["empty_gene"].shape == (0,)
        assert made["empty"].dtype == made["empty_gene"].dtype == made["gene"].dtype == np.float32

    def test_sequences_differ(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)["by_64"]
        assert len(set(made.tolist())) > 0.9 * len(made)

    @pytest.mark.parametrize("other", ["by_1", "by_3", "by_3_mixed", "by_64_mixed"])
    def test_the_batch_does_not_matter(self, outcome, model: str, implementation: str, other: str) -> None:
        made = outcome(model, implementation)
        np.testing.assert_allclose(made[other], made["by_64"], rtol=0, atol=1e-6)

    def test_repeats_exactly(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        assert np.array_equal(made["again"], made["by_64"])

    def test_a_second_load_is_the_same_model(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        np.testing.assert_allclose(made["loaded_again"], made["by_64"][:4], rtol=0, atol=1e-6)

    def test_memory_layout_does_not_matter(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        np.testing.assert_allclose(made["not_contiguous"], made["by_64"][:4], rtol=0, atol=1e-6)
        # NumPy calls a view of one row with a negative stride contiguous; PyTorch refuses it.
        np.testing.assert_allclose(made["backwards_view"], made["by_64"][:1], rtol=0, atol=1e-6)

    def test_n_is_a_letter_of_its_own(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        assert np.isfinite(made["by_64"]).all()
        assert made["by_64"][1] != made["by_64"][2]

    def test_an_unknown_gene_is_predicted(self, outcome, model: str, implementation: str) -> None:
        made = outcome(model, implementation)
        np.testing.assert_allclose(made["gene"], made["by_64"][:4], rtol=0, atol=1e-6)

    def test_haplotypes_are_predicted_as_each_sequence_is(self, outcome, model: str, implementation: str) -> None:
        """Bit for bit where a model shares nothing; else up to the rounding of float32, far below people's spread."""
        made = outcome(model, implementation)
        plain, found = made["haplotypes_plain"], made["haplotypes"]
        assert found.dtype == np.float32
        assert found.shape == plain.shape == (14,)
        assert made["haplotypes_empty"].shape == (0,)
        assert made["haplotypes_empty"].dtype == np.float32
        if made["shares"]:
            np.testing.assert_allclose(found, plain, rtol=0, atol=ROUNDING * np.abs(plain).max())
            assert np.abs(found - plain).max() < 0.01 * plain.std()
        else:
            assert np.array_equal(found, plain)
        assert len(set(plain.tolist())) > 4  # some sites tell some models nothing

    @pytest.mark.parametrize("other", ["few", "one", "whole"])
    def test_the_company_of_a_haplotype_does_not_matter(
        self, outcome, model: str, implementation: str, other: str
    ) -> None:
        """Where pieces are shared at most by a last bit or two; whole sequences in batches round as the framework does."""
        made = outcome(model, implementation)
        found, wanted = made[f"haplotypes_{other}"], made["haplotypes"]
        here = ~np.isnan(found)
        assert here.sum() == {"few": 4, "one": 1}.get(other, 14)
        if made["shares"]:
            np.testing.assert_allclose(found[here], wanted[here], rtol=3e-7, atol=0)
        else:
            np.testing.assert_allclose(found[here], wanted[here], rtol=0, atol=1e-6)

    def test_effects_of_single_variants_are_the_same_both_ways(self, outcome, model: str, implementation: str) -> None:
        """As exact as the predictions that they are differences of."""
        made = outcome(model, implementation)
        fast, plain = made["effects"], made["effects_plain"]
        rounding = ROUNDING * np.abs(plain).max() if made["shares"] else 1e-6
        np.testing.assert_allclose(fast, plain, rtol=0, atol=rounding)
        np.testing.assert_allclose(fast[1:] - fast[0], plain[1:] - plain[0], rtol=0, atol=2 * rounding)
        assert np.ptp(plain) > 0

    def test_the_gradient_is_a_first_guess_of_single_variants(self, outcome, model: str, implementation: str) -> None:
        """One number per site; where a variant changes nothing, because the model does not read it, it is 0."""
        made = outcome(model, implementation)
        guess, effects = made["first_order"], made["effects_plain"][1:] - made["effects_plain"][0]
        environment = find_model(model).implementations[implementation].environment
        assert (len(guess) > 0) == (environment == "torch" or model == "kmer_ridge")
        if len(guess):
            assert guess.shape == effects.shape
            assert np.isfinite(guess).all()
            assert np.corrcoef(guess, effects)[0, 1] > 0.3

    def test_the_input_is_left_alone(self, outcome, model: str, implementation: str) -> None:
        after = outcome(model, implementation)["codes_after"]
        assert np.array_equal(after, adapter_contract.sequences(after.shape[1]))
        after = outcome(model, implementation)["haplotypes_codes_after"]
        assert np.array_equal(after, adapter_contract.haplotypes(after.shape[1]).codes(np.arange(14)))

    def test_misuse_is_refused_in_words(self, outcome, model: str, implementation: str) -> None:
        refused = json.loads(str(outcome(model, implementation)["refused"]))
        assert {name for name, sentence in refused.items() if not sentence} == set()
        length = find_model(model).input.length
        for name in ("short", "long", "one axis", "int64", "list", "value 5", "gene, short"):
            assert f"uint8 [N, {length}]" in refused[name], name
        assert f"uint8 [2, {length - 1}]" in refused["short"]
        for name in ("reference", "letter", "whole one"):
            sentence = refused[next(key for key in refused if name in key)]
            assert "the value 5 found" in sentence, name
        assert f"uint8 [1, {length - 1}]" in refused["haplotypes, short"]
        assert "no_such_option" in refused["option"]
        assert "precision 'float17'; float32" in refused["precision"]
        assert "set inference.precision to one of them" in refused["precision"]


@pytest.mark.original
@pytest.mark.parametrize("model", [name for name in built_in_models() if len(find_model(name).implementations) > 1])
def test_implementations_agree(outcome, model: str) -> None:
    card = find_model(model)
    first, *others = (outcome(model, made)["by_64"] for made in card.implementations)
    for other in others:
        np.testing.assert_allclose(other, first, rtol=0, atol=card.tolerance)


@pytest.mark.parametrize("model", built_in_models())
def test_the_folder_is_the_name_and_the_environments_exist(model: str) -> None:
    card = find_model(model)
    assert card.name == card.folder.name == model
    for made in card.implementations.values():
        assert (ROOT / "envs" / f"{made.environment}.yaml").is_file()
