"""What ExPecto's adapter says about files that are damaged or belong to another model."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import expecto_file
from expecto_file import load, random_codes
from pexbench.errors import InputError

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other cost more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return expecto_file.files(tmp_path_factory.mktemp("expecto"))


class Settings:
    """Turned into a call of ``os.mkdir`` by any reader that executes what a file says."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


class TestBelugaFile:
    @pytest.fixture
    def arrays(self) -> dict[str, np.ndarray]:
        return expecto_file.parameters(expecto_file.shapes(), seed=1)

    @pytest.fixture
    def refusal(self, files: dict[str, Path]) -> Any:
        def of(path: Path) -> str:
            with pytest.raises(InputError) as error:
                load({**files, "beluga": path})
            assert str(path) in str(error.value)
            return str(error.value)

        return of

    def test_both_formats_of_pytorch(self, files: dict[str, Path], tmp_path: Path, arrays: Any) -> None:
        codes = random_codes(2)
        new = expecto_file.write_beluga(tmp_path / "new.pth", arrays)
        old = expecto_file.write_beluga(tmp_path / "old.pth", arrays, old_format=True)
        assert new.read_bytes()[:2] == b"PK" != old.read_bytes()[:2]
        found = [load({**files, "beluga": path}).predict(codes) for path in (new, old)]
        assert np.array_equal(*found)

    @pytest.mark.parametrize("old_format", [True, False])
    @pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.99])
    def test_a_truncated_file(self, tmp_path: Path, arrays: Any, refusal: Any, old_format: bool, share: float) -> None:
        whole = expecto_file.write_beluga(tmp_path / "whole.pth", arrays, old_format=old_format).read_bytes()
        path = tmp_path / "part.pth"
        path.write_bytes(whole[: int(len(whole) * share)])
        assert "no whole PyTorch weights file" in refusal(path)

    def test_another_kind_of_file(self, tmp_path: Path, refusal: Any) -> None:
        path = tmp_path / "page.pth"
        path.write_text("<html>404</html>")
        assert "no whole PyTorch weights file" in refusal(path)

    @pytest.mark.parametrize("old_format", [True, False])
    def test_code_in_the_file_is_not_executed(self, tmp_path: Path, refusal: Any, old_format: bool) -> None:
        path, folder = tmp_path / "code.pth", tmp_path / "executed"
        torch.save({"model.0.0.weight": Settings(folder)}, path, _use_new_zipfile_serialization=not old_format)
        assert "no whole PyTorch weights file" in refusal(path)
        assert not folder.exists()

    @pytest.mark.parametrize("content", [[1, 2], {1: torch.zeros(1)}, torch.zeros(3)])
    def test_no_arrays_by_name(self, tmp_path: Path, refusal: Any, content: Any) -> None:
        path = tmp_path / "other.pth"
        torch.save(content, path)
        assert "the content is" in refusal(path)

    def test_another_model(self, tmp_path: Path, refusal: Any) -> None:
        path = expecto_file.write_beluga(tmp_path / "other.pth", {"stem.0.weight": np.zeros((8, 4, 15), np.float32)})
        sentence = refusal(path)
        assert "parameter model.0.0.weight is missing" in sentence
        assert "stem.0.weight" in sentence

    @pytest.mark.parametrize(
        "name", ["model.0.0.weight", "model.0.4.weight", "model.0.8.bias", "model.1.2.1.weight", "model.1.4.1.bias"]
    )
    def test_a_missing_parameter(self, tmp_path: Path, arrays: Any, refusal: Any, name: str) -> None:
        del arrays[name]
        sentence = refusal(expecto_file.write_beluga(tmp_path / "part.pth", arrays))
        assert f"parameter {name} is missing; an array float32 [" in sentence

    def test_a_missing_layer(self, tmp_path: Path, arrays: Any, refusal: Any) -> None:
        del arrays["model.0.4.weight"], arrays["model.0.4.bias"]
        sentence = refusal(expecto_file.write_beluga(tmp_path / "part.pth", arrays))
        assert "the layer after model.0.0 is model.0.8; model.0.2 or model.0.4 is expected" in sentence

    def test_a_missing_last_layer(self, tmp_path: Path, arrays: Any, refusal: Any) -> None:
        del arrays["model.0.8.weight"], arrays["model.0.8.bias"]
        sentence = refusal(expecto_file.write_beluga(tmp_path / "part.pth", arrays))
        assert "parameter model.1.2.1.weight is float32 [12, 944]; an array float32 [any, 2946]" in sentence

    @pytest.mark.parametrize("name", ["model.0.8.running_mean", "model.1.6.1.weight", "conv.weight"])
    def test_an_unexpected_parameter(self, tmp_path: Path, arrays: Any, refusal: Any, name: str) -> None:
        arrays[name] = np.zeros(3, np.float32)
        sentence = refusal(expecto_file.write_beluga(tmp_path / "more.pth", arrays))
        assert f"parameter {name} is unexpected" in sentence

    @pytest.mark.parametrize(
        ("name", "array", "found", "allowed"),
        [
            ("model.0.0.weight", np.zeros((4, 5, 1, 8), np.float32), "float32 [4, 5, 1, 8]", "[any, 4, 1, any]"),
            ("model.0.0.weight", np.zeros((4, 4, 8), np.float32), "float32 [4, 4, 8]", "[any, 4, 1, any]"),
            ("model.0.4.weight", np.zeros((6, 4, 2, 8), np.float32), "float32 [6, 4, 2, 8]", "[any, 4, 1, any]"),
            ("model.0.4.weight", np.zeros((0, 4, 1, 8), np.float32), "float32 [0, 4, 1, 8]", "[any, 4, 1, any]"),
            ("model.0.4.bias", np.zeros(5, np.float32), "float32 [5]", "[6]"),
            ("model.0.4.bias", np.zeros(6, np.float16), "float16 [6]", "float32 [6]"),
            ("model.0.4.bias", np.full(6, np.nan, np.float32), "not finite", "finite"),
            ("model.1.4.1.weight", np.full((10, 12), np.inf, np.float32), "not finite", "finite"),
            ("model.1.4.1.weight", np.zeros((10, 13), np.float32), "float32 [10, 13]", "[any, 12]"),
        ],
    )
    def test_a_wrong_parameter(
        self, tmp_path: Path, arrays: Any, refusal: Any, name: str, array: Any, found: str, allowed: str
    ) -> None:
        arrays[name] = array
        sentence = refusal(expecto_file.write_beluga(tmp_path / "wrong.pth", arrays))
        assert f"parameter {name} is {found}" in sentence
        assert allowed in sentence

    def test_a_network_for_longer_windows(self, tmp_path: Path, refusal: Any) -> None:
        arrays = expecto_file.parameters(expecto_file.shapes(length=2400), seed=1)
        sentence = refusal(expecto_file.write_beluga(tmp_path / "long.pth", arrays))
        assert "parameter model.1.2.1.weight is float32 [12, 1144]; an array float32 [any, 944]" in sentence

    def test_a_network_of_other_features(self, files: dict[str, Path], tmp_path: Path, refusal: Any) -> None:
        arrays = expecto_file.parameters(expecto_file.shapes(features=9), seed=1)
        sentence = refusal(expecto_file.write_beluga(tmp_path / "nine.pth", arrays))
        assert str(files["booster"]) in sentence
        assert "110 features found; 100 = 10 x (1 + the 9 chromatin features" in sentence


class TestBoosterFile:
    GOOD = expecto_file.booster_bytes(np.arange(110) / 110, -0.5)

    @pytest.fixture
    def refusal(self, files: dict[str, Path], tmp_path: Path) -> Any:
        def of(content: bytes) -> str:
            path = tmp_path / "booster.save"
            path.write_bytes(content)
            with pytest.raises(InputError) as error:
                load({**files, "booster": path})
            assert str(path) in str(error.value)
            return str(error.value)

        return of

    def test_coefficients(self, tmp_path: Path) -> None:
        from pexbench.models.expecto.booster import read_booster

        path = tmp_path / "booster.save"
        path.write_bytes(expecto_file.booster_bytes(np.array([1, -2, 0.1]), 0.5, base_score=3))
        booster = read_booster(path)
        assert booster.weights.tolist() == [1, -2, float(np.float32(0.1))]
        assert (booster.bias, booster.base_score) == (0.5, 3)
        features = np.array([[1, 1, 1], [0, 0, 0], [2, 0.5, -10]], np.float64)
        np.testing.assert_allclose(booster.predict(features), [2.6, 3.5, 3.5], rtol=0, atol=1e-7)

    @pytest.mark.parametrize("size", [0, 3, 4, 100, 140, 150, 160, 170, 300, 316, 318, 500, -1])
    def test_a_truncated_file(self, refusal: Any, size: int) -> None:
        sentence = refusal(self.GOOD[:size])
        assert "no linear XGBoost model in the old binary format" in sentence
        assert "cut off after" in sentence or "the length after the header" in sentence

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (b'{"learner": {}}' * 30, "the format's mark is b'{\"le'"),
            (b"bs64" + GOOD[4:], "the format's mark is b'bs64'"),
            (GOOD + b"more", "the length after the header is 448; 444"),
            (GOOD.replace(b"gblinear", b"dart----"), "the kind of model is 'dart----'"),
            (expecto_file.booster_bytes(np.zeros(110), 0, objective=b"reg:logistic"), "the objective is 'reg:logistic'"),
            (GOOD[:140] + struct.pack("<Q", 1 << 40) + GOOD[148:], "the length of the objective is 1099511627776"),
            (GOOD[:8] + struct.pack("<I", 109) + GOOD[12:], "the number of features is 109; 110"),
            (GOOD[:12] + struct.pack("<i", 3) + GOOD[16:], "the number of classes is 3; 0"),
            (GOOD[:16] + struct.pack("<i", 1) + GOOD[20:], "the flags for further sections is [1, 0]"),
            (GOOD[:178] + struct.pack("<i", 2) + GOOD[182:], "the number of outputs is 2; 1"),
            (GOOD[:310] + struct.pack("<Q", 110) + GOOD[318:], "the number of coefficients is 110; 111"),
            (GOOD[:-4] + struct.pack("<f", np.nan), "the coefficients is not finite"),
            (GOOD[:4] + struct.pack("<f", np.inf) + GOOD[8:], "the coefficients is not finite"),
        ],
    )  # fmt: skip
    def test_another_file(self, refusal: Any, content: bytes, what: str) -> None:
        assert what in refusal(content)

    def test_another_number_of_features(self, files: dict[str, Path], refusal: Any) -> None:
        sentence = refusal(expecto_file.booster_bytes(np.zeros(20030), 0))
        assert "20030 features found; 110 = 10 x (1 + the 10 chromatin features of" in sentence
        assert str(files["beluga"]) in sentence
