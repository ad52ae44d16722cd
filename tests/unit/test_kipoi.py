"""The Kipoi adapter without Kipoi: shapes, options, and models in folders run through a stand-in for the package."""

from __future__ import annotations

import os
import sys
from importlib import util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

import kipoi_folder
from pexbench.errors import InputError
from pexbench.models import find_model, load_adapter
from pexbench.models.base import one_hot
from pexbench.models.kipoi.shapes import Readout, input_layout, letter_order

LENGTH = 30


def shaped(*shape: int | None) -> SimpleNamespace:
    return SimpleNamespace(shape=shape, name="seq")


def codes(count: int = 5, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 5, (count, length)).astype(np.uint8)


class TestInput:
    @pytest.mark.parametrize(
        ("shape", "letter_axis", "position_axis"),
        [
            ((LENGTH, 4), 1, 0),
            ((4, LENGTH), 0, 1),
            ((4, 1, LENGTH), 0, 2),
            ((4, LENGTH, 1), 0, 1),
            ((1, LENGTH, 4), 2, 1),
            ((LENGTH, 1, 4), 2, 0),
            ((None, 4), 1, 0),
            ((4, None), 0, 1),
            ((LENGTH, None), 1, 0),
            ((1, 4, 1, None), 1, 3),
        ],
    )
    def test_every_base_lands_where_the_shape_says(self, shape, letter_axis: int, position_axis: int) -> None:
        given = codes()
        layout = input_layout("m", shaped(*shape), LENGTH)
        array = layout.arrange(one_hot(given))
        assert array.dtype == np.float32
        assert array.flags["C_CONTIGUOUS"]
        full = {letter_axis: 4, position_axis: LENGTH}
        assert array.shape == (5, *[full.get(axis, 1) for axis in range(len(shape))])
        for row in range(5):
            for position in range(LENGTH):
                for letter in range(4):
                    place = [0] * len(shape)
                    place[letter_axis], place[position_axis] = letter, position
                    assert array[(row, *place)] == (given[row, position] == letter)

    def test_inputs_by_name_and_in_lists(self) -> None:
        sequences = one_hot(codes())
        by_name = input_layout("m", {"dna": shaped(LENGTH, 4)}, LENGTH).arrange(sequences)
        assert list(by_name) == ["dna"]
        (listed,) = input_layout("m", [shaped(LENGTH, 4)], LENGTH).arrange(sequences)
        assert np.array_equal(by_name["dna"], sequences)
        assert np.array_equal(listed, sequences)

    @pytest.mark.parametrize(
        "shape",
        [(), (LENGTH,), (4,), (1, 1), (LENGTH + 1, 4), (LENGTH, 5), (None, None), (2, LENGTH, 4), (4, 4), ("a", 4)],
    )
    def test_a_shape_that_is_no_sequence_is_shown(self, shape) -> None:
        with pytest.raises(InputError) as error:
            input_layout("model kipoi (x)", shaped(*shape), LENGTH)
        assert str(list(shape)) in str(error.value)
        assert f"by {LENGTH} bp" in str(error.value)

    def test_four_bases_by_four_letters_is_not_guessed(self) -> None:
        with pytest.raises(InputError, match=r"\[4, 4\]"):
            input_layout("m", shaped(4, 4), 4)
        with pytest.raises(InputError, match="shape None"):
            input_layout("m", SimpleNamespace(), 4)

    def test_several_inputs_are_named(self) -> None:
        with pytest.raises(InputError, match=r"2 inputs \(dna, dist\)"):
            input_layout("m", {"dna": shaped(LENGTH, 4), "dist": shaped(1)}, LENGTH)

    def test_the_order_of_letters(self) -> None:
        loader = SimpleNamespace(default_args={"alphabet": "AGCT"})
        assert letter_order("m", "auto", ".") == "ACGT"
        assert letter_order("m", "auto", SimpleNamespace(default_args={"alphabet_axis": 0})) == "ACGT"
        assert letter_order("m", "auto", loader) == "AGCT"
        assert letter_order("m", "auto", SimpleNamespace(default_args={"alphabet": list("TGCA")})) == "TGCA"
        assert letter_order("m", "TGCA", loader) == "TGCA"
        for asked, given in (("ACG", "."), ("acgt", "."), ("auto", SimpleNamespace(default_args={"alphabet": "ACGU"}))):
            with pytest.raises(InputError, match="A, C, G, T"):
                letter_order("m", asked, given)


class TestOutput:
    def test_one_number_per_sequence(self) -> None:
        values = np.arange(3.0)
        for result in (values, values[:, None], [values], {"y": values}, (values[:, None],), values.astype(np.int64)):
            for track in (-1, 0):
                made = Readout(track, 0, "bins,tracks").select("m", result, 3)
                assert made.dtype == np.float32
                assert made.tolist() == [0, 1, 2]

    def test_a_track(self) -> None:
        result = np.arange(12, dtype=np.float32).reshape(3, 4)
        assert Readout(2, 0, "bins,tracks").select("m", result, 3).tolist() == [2, 6, 10]

    @pytest.mark.parametrize(
        ("found", "bins", "first", "last"),
        [(5, 1, 2, 3), (5, 3, 1, 4), (6, 2, 2, 4), (6, 3, 1, 4), (6, 1, 2, 3), (4, 4, 0, 4)],
    )
    def test_bins_in_the_centre(self, found: int, bins: int, first: int, last: int) -> None:
        result = np.random.default_rng(1).normal(size=(3, found, 2)).astype(np.float32)
        wanted = [np.mean([float(result[n, b, 1]) for b in range(first, last)]) for n in range(3)]
        made = Readout(1, bins, "bins,tracks").select("m", result, 3)
        np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-6)
        other = Readout(1, bins, "tracks,bins").select("m", np.swapaxes(result, 1, 2), 3)
        assert np.array_equal(made, other)

    def test_ten_of_896_bins_are_those_of_enformer(self) -> None:
        result = np.tile(np.arange(896.0)[None, :, None], (1, 1, 2))
        assert Readout(0, 10, "bins,tracks").select("m", result, 1).tolist() == [np.mean(range(443, 453))]

    @pytest.mark.parametrize(
        ("readout", "result", "said"),
        [
            ((-1, 0), np.zeros((3, 4)), "option track is -1, its output has 4 tracks; 0 to 3"),
            ((4, 0), np.zeros((3, 4)), "option track is 4"),
            ((1, 0), np.zeros(3), "option track is 1, its output has 1 tracks"),
            ((0, 2), np.zeros((3, 4)), "no bins"),
            ((0, 0), np.zeros((3, 5, 4)), "5 bins, option bins is 0"),
            ((0, 6), np.zeros((3, 5, 4)), "5 bins, option bins is 6"),
            ((4, 1), np.zeros((3, 5, 4)), "option track is 4"),
            ((0, 0), np.zeros((2, 4)), r"float64 \[2, 4\] for 3 sequences"),
            ((0, 0), np.zeros((3, 0)), r"float64 \[3, 0\]"),
            ((0, 0), np.zeros((3, 1, 1, 1)), r"\[3, 1, 1, 1\]"),
            ((0, 0), np.zeros(()), r"float64 \[\] for 3"),
            ((0, 0), np.array(["a"] * 3), "<U1"),
            ((0, 0), np.zeros(3, bool), "bool"),
            ((0, 0), np.zeros(3, complex), "complex"),
            ((0, 0), "abc", "str None for 3"),
            ((0, 0), None, "NoneType"),
            ((0, 0), [np.zeros(3), np.zeros(3)], "2 outputs"),
            ((0, 0), {"mean": 0, "count": 1}, r"2 outputs \(mean, count\)"),
        ],
    )
    def test_another_output_is_told_in_words(self, readout, result: Any, said: str) -> None:
        with pytest.raises(InputError, match=said):
            Readout(*readout, "bins,tracks").select("m", result, 3)

    @pytest.mark.parametrize("wrong", [(-2, 0, "bins,tracks"), (0, -1, "bins,tracks"), (0, 0, "tracks")])
    def test_settings_that_fit_no_model(self, wrong) -> None:
        with pytest.raises(InputError, match="option"):
            Readout(*wrong).check("m")


def stand_in() -> tuple[ModuleType, ModuleType]:
    """The few functions of the package ``kipoi`` that the adapter calls, for models of the type 'custom'."""
    package, model = ModuleType("kipoi"), ModuleType("kipoi.model")

    class BaseModel:
        pass

    def description(folder: str) -> dict[str, Any]:
        return yaml.safe_load(Path(folder, "model.yaml").read_text())

    def one(entry: dict[str, Any]) -> SimpleNamespace:
        shape = tuple(
            None if size.strip() == "None" else int(size) for size in entry["shape"].strip("()").split(",") if size
        )
        return SimpleNamespace(shape=shape, name=entry["name"])

    def parsed(inputs: Any) -> Any:
        if isinstance(inputs, list):
            return [one(entry) for entry in inputs]
        return one(inputs) if "shape" in inputs else {name: one(entry) for name, entry in inputs.items()}

    def loader(folder: str) -> Any:
        said = description(folder)["default_dataloader"]
        return SimpleNamespace(**said) if isinstance(said, dict) else said

    def get_model(folder: str, source: str, with_dataloader: bool) -> Any:
        assert source == "dir"
        assert not with_dataloader
        spec = util.spec_from_file_location("loaded", Path(folder, "model.py"))
        assert spec is not None
        module = util.module_from_spec(spec)
        assert spec.loader is not None
        spec.loader.exec_module(module)
        made = module.Tracks()
        made.schema = SimpleNamespace(inputs=parsed(description(folder)["schema"]["inputs"]))
        return made

    local = SimpleNamespace(
        pull_model=lambda folder: folder,
        get_model_dir=lambda folder: folder,
        get_model_descr=lambda folder: SimpleNamespace(default_dataloader=loader(folder)),
    )
    model.BaseModel = BaseModel  # type: ignore[attr-defined]
    package.model, package.get_model = model, get_model  # type: ignore[attr-defined]
    package.config = SimpleNamespace(model_sources=lambda: {"kipoi": None, "dir": local})  # type: ignore[attr-defined]
    package.get_source = {"dir": local}.__getitem__  # type: ignore[attr-defined]
    return package, model


@pytest.fixture
def kipoi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, model = stand_in()
    monkeypatch.setitem(sys.modules, "kipoi", package)
    monkeypatch.setitem(sys.modules, "kipoi.model", model)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # put back after the test


def adapter(folder: Path, **options: object):  # type: ignore[no-untyped-def]
    given = {"model": str(folder), "source": "dir", "length": LENGTH, **options}
    return load_adapter(find_model("kipoi"), None, {}, options=given)


@pytest.mark.usefixtures("kipoi")
class TestAdapter:
    @pytest.mark.parametrize(("shape", "first"), [((LENGTH, 4), False), ((4, LENGTH), True), ((4, 1, LENGTH), True)])
    @pytest.mark.parametrize("inputs", ["array", "mapping", "list"])
    def test_known_output(self, tmp_path: Path, shape, first: bool, inputs: str) -> None:
        folder = kipoi_folder.write(tmp_path / "m", shape, channels_first=first, inputs=inputs)
        for track, letter in enumerate("ACGT"):
            made = adapter(folder, track=track).predict(codes())
            np.testing.assert_allclose(made, kipoi_folder.expected(codes(), letter), rtol=1e-6)

    @pytest.mark.parametrize("result", ["tracks", "squeezed", "mapping"])
    def test_one_sequence_is_predicted_as_in_a_batch(self, tmp_path: Path, result: str) -> None:
        made = adapter(kipoi_folder.write(tmp_path / "m", (LENGTH, 4), result), track=3)
        whole = made.predict(codes())
        assert [made.predict(codes()[n : n + 1]).tolist() for n in range(5)] == [[value] for value in whole.tolist()]
        assert made.predict(codes()[:0]).shape == (0,)

    @pytest.mark.parametrize("result", ["scalar", "column"])
    def test_a_single_track_needs_no_option(self, tmp_path: Path, result: str) -> None:
        made = adapter(kipoi_folder.write(tmp_path / "m", (LENGTH, 4), result)).predict(codes())
        np.testing.assert_allclose(made, kipoi_folder.expected(codes(), "C"), rtol=1e-6)

    @pytest.mark.parametrize(("result", "layout"), [("bins", "bins,tracks"), ("channels", "tracks,bins")])
    def test_bins(self, tmp_path: Path, result: str, layout: str) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4), result, bins=6)
        made = adapter(folder, track=2, bins=2, layout=layout).predict(codes())
        np.testing.assert_allclose(made, kipoi_folder.expected(codes(), "G", 10, 20) / 2, rtol=1e-6)

    def test_the_order_of_letters_is_the_data_loaders(self, tmp_path: Path) -> None:
        loader = "{defined_as: kipoiseq.dataloaders.SeqIntervalDl, default_args: {alphabet: AGCT}}"
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4), loader=loader)
        for options, letter in (({}, "G"), ({"alphabet": "ACGT"}, "C"), ({"alphabet": "CTAG"}, "T")):
            made = adapter(folder, track=1, **options).predict(codes())
            np.testing.assert_allclose(made, kipoi_folder.expected(codes(), letter), rtol=1e-6)

    def test_n_may_be_a_quarter(self, tmp_path: Path) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4), "scalar")
        unknown = np.full((2, LENGTH), 4, np.uint8)
        assert adapter(folder).predict(unknown).tolist() == [0, 0]
        whole = (LENGTH + 1) / 2 / LENGTH
        np.testing.assert_allclose(adapter(folder, unknown="quarter").predict(unknown), whole / 4, rtol=1e-6)

    def test_any_length_where_the_model_takes_any(self, tmp_path: Path) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (None, 4), "scalar")
        for length in (17, 200):
            given = codes(length=length)
            made = adapter(folder, length=length).predict(given)
            np.testing.assert_allclose(made, kipoi_folder.expected(given, "C"), rtol=1e-6)

    def test_sequences_of_another_length_are_refused(self, tmp_path: Path) -> None:
        made = adapter(kipoi_folder.write(tmp_path / "m", (LENGTH, 4), "scalar"))
        with pytest.raises(InputError, match=rf"uint8 \[N, {LENGTH}\]"):
            made.predict(codes(length=LENGTH + 1))

    def test_two_models_keep_their_own_code(self, tmp_path: Path) -> None:
        """Both folders hold modules called model and arithmetic; so does the rest of the program."""
        once = adapter(kipoi_folder.write(tmp_path / "a", (LENGTH, 4), "scalar"))
        other = sys.modules["arithmetic"] = ModuleType("arithmetic")
        try:
            twice = adapter(kipoi_folder.write(tmp_path / "b", (LENGTH, 4), "scalar", factor=2))
            assert sys.modules["arithmetic"] is other
        finally:
            del sys.modules["arithmetic"]
        np.testing.assert_allclose(twice.predict(codes()), 2 * once.predict(codes()), rtol=1e-6)
        np.testing.assert_allclose(once.predict(codes()), kipoi_folder.expected(codes(), "C"), rtol=1e-6)
        assert not [path for path in sys.path if path.startswith(str(tmp_path))]

    def test_modules_imported_while_predicting_are_the_models(self, tmp_path: Path) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4), "scalar")
        late = (folder / "model.py").read_text().replace("from arithmetic import weighted\n", "")
        late = late.replace("        pass\n", "        from arithmetic import weighted\n")
        (folder / "model.py").write_text(late)
        made = adapter(folder)
        for _ in range(2):
            np.testing.assert_allclose(made.predict(codes()), kipoi_folder.expected(codes(), "C"), rtol=1e-6)
        assert "arithmetic" not in sys.modules

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"model": ""}, "option model is not given"),
            ({"model": "nowhere"}, r"nowhere: no folder with model\.yaml"),
            ({"source": "kippoi"}, "knows the sources kipoi, dir"),
            ({"length": LENGTH + 1}, rf"\[{LENGTH}, 4\] per sequence; 4 letters by {LENGTH + 1} bp"),
            ({"length": 0}, "option length is 0"),
            ({"unknown": "skipped"}, "zero or quarter"),
            ({"alphabet": "ACGU"}, "option alphabet is 'ACGU'"),
            ({"layout": "bins"}, "option layout"),
            ({"track": "3"}, "type int"),
            ({"trak": 3}, "trak"),
        ],
    )
    def test_wrong_options_are_told(self, tmp_path: Path, options: dict[str, object], said: str) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4))
        with pytest.raises(InputError, match=said):
            adapter(folder, **options)

    @pytest.mark.parametrize(
        ("result", "said"),
        [("two", "2 outputs"), ("text", "list"), ("fails", "failed to predict.*IndexError"), ("bins", "1 bins")],
    )
    def test_outputs_that_cannot_be_read_are_told(self, tmp_path: Path, result: str, said: str) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4), result)
        with pytest.raises(InputError, match=rf"^model kipoi \({folder}\): .*{said}"):
            adapter(folder, track=1).predict(codes())

    def test_code_that_fails_to_load_is_told(self, tmp_path: Path) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4))
        (folder / "model.py").write_text("import no_such_framework\n")
        with pytest.raises(InputError, match=r"ModuleNotFoundError.*no_such_framework.*envs/kipoi\.yaml"):
            adapter(folder)
        (folder / "model.py").write_text("raise OSError('weights not found')\n")
        with pytest.raises(InputError, match=r"could not be loaded.*OSError: weights not found"):
            adapter(folder)
        two = kipoi_folder.write(tmp_path / "two", (LENGTH, 4), inputs="two")
        with pytest.raises(InputError, match="2 inputs"):
            adapter(two)

    def test_no_gpu(self, tmp_path: Path) -> None:
        folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4))
        with pytest.raises(InputError, match="run on cpu"):
            load_adapter(find_model("kipoi"), None, {}, "cuda", {"model": str(folder), "source": "dir"})
        adapter(folder, track=0)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"

    def test_a_home_that_cannot_be_written_is_warned_of(self, tmp_path: Path, caplog) -> None:  # type: ignore[no-untyped-def]
        (tmp_path / ".kipoi").write_text("a file")
        adapter(kipoi_folder.write(tmp_path / "m", (LENGTH, 4)), track=0)
        assert "no other job" in caplog.text


def test_without_the_package_the_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kipoi", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    folder = kipoi_folder.write(tmp_path / "m", (LENGTH, 4))
    with pytest.raises(InputError, match=r"kipoi.*does not have.*envs/kipoi\.yaml"):
        adapter(folder)


def test_the_card_warns_of_foreign_code() -> None:
    """Whoever reads the card, the adapter or the loader must learn that a Kipoi model is a program."""
    card = find_model("kipoi")
    assert "only models that you trust" in card.description
    for name in ("adapter.py", "loading.py"):
        assert "only models that you trust" in (card.folder / name).read_text()
