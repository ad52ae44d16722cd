"""Basenji2's port against a slow float64 network written out by hand, its options, and what it says about bad files."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import basenji2_file
import xpresso_file
from pexbench.errors import InputError
from pexbench.genes import Gene
from pexbench.models import find_model, load_adapter
from pexbench.windows import window_of

torch = pytest.importorskip("torch", reason="the torch environment is not the one that runs this test")
h5py = pytest.importorskip("h5py", reason="h5py is not in the environment that runs this test")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take longer than these small networks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


ONE_PASS: dict[str, Any] = {"reverse_complement": False, "shifts": "0"}
LENGTH, BINS, TRACKS = 512, 60, 7


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slow(params: dict[str, Any], arrays: dict[str, np.ndarray], letters: np.ndarray) -> np.ndarray:
    """Letters [L, 4] to the whole output [bins, tracks], position by position in float64."""
    gelu = params["model"]["activation"] == "gelu"
    values = iter([array.astype(np.float64) for array in arrays.values()])

    def activate(x: np.ndarray) -> np.ndarray:
        return x * sigmoid(1.702 * x) if gelu else np.maximum(x, 0)

    x = before = letters.astype(np.float64)
    for kind, width, _, _, dilation, then in basenji2_file.layers(params):
        if kind == "crop":
            x = x[width:-width]
            continue
        if kind == "dense":
            return np.log1p(np.exp(activate(x) @ next(values) + next(values)))
        if then == "keep":
            before = x
        kernel, gamma, beta, mean, variance = (next(values) for _ in range(5))
        around = (width - 1) * dilation
        y = np.pad(activate(x), ((around // 2, around - around // 2), (0, 0)))
        y = np.array([np.tensordot(y[i : i + around + 1 : dilation], kernel, 2) for i in range(len(x))])
        y = (y - mean) / np.sqrt(variance + 0.001) * gamma + beta
        if then == "add":
            y = y + before
        elif then.startswith("pool"):
            y = y.reshape(-1, int(then.split()[1]), y.shape[1]).max(axis=1)
        x = y
    raise AssertionError("no head")


def letters_of(codes: np.ndarray) -> np.ndarray:
    return np.array([[float(code == letter) for letter in range(4)] for code in codes])


def random_codes(count: int, length: int = LENGTH, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.choice(5, length, p=[*(0.95 * rng.dirichlet([4, 4, 4, 4])), 0.05]) for _ in range(count)])
    return codes.astype(np.uint8)


def adapter(files: dict[str, Path], length: int = LENGTH, device: str = "cpu", **options: Any) -> Any:
    card = find_model("basenji2")
    card = dataclasses.replace(card, input=dataclasses.replace(card.input, length=length))
    return load_adapter(card, "torch", files, device, {"track": 3, **options})


def variant(name: str) -> dict[str, Any]:
    params = basenji2_file.tiny()
    block, tower, dilated = params["model"]["trunk"][:3]
    if name == "even kernels":
        block["kernel_size"], tower["kernel_size"] = 6, 4
    elif name == "relu":
        params["model"]["activation"] = "relu"
    elif name == "no residual":
        del params["model"]["trunk"][2]
    elif name == "far dilations":  # 14 and more reach past both ends of the 64 bins
        dilated["repeat"] = 11
    elif name == "one block of 4 bp":
        del params["model"]["trunk"][1]
        block["pool_size"] = 4
        params["model"]["target_length"] = LENGTH // 4
    return params


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return basenji2_file.files(tmp_path_factory.mktemp("basenji2"), basenji2_file.tiny())


VARIANTS = ["as published", "even kernels", "relu", "no residual", "far dilations", "one block of 4 bp"]


@pytest.mark.parametrize("name", VARIANTS)
def test_equals_the_network_written_out(tmp_path: Path, name: str) -> None:
    params = variant(name)
    arrays = basenji2_file.weights(params, 4)
    made = adapter(basenji2_file.files(tmp_path, params), **ONE_PASS)
    codes = random_codes(2)
    expected = np.stack([slow(params, arrays, letters_of(row)) for row in codes])
    assert expected.std() > 0.05
    assert np.abs(expected[0] - expected[1]).mean() > 0.02
    whole = expected.shape[1]
    found = made.profile(codes, (0, whole)).transpose(0, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    centre = expected[:, whole // 2 - 5 : whole // 2 + 5, 3].mean(axis=1)
    np.testing.assert_allclose(made.predict(codes), centre, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bins", [10, 9, 1, BINS])
def test_the_ensemble_is_the_mean_of_six(files: dict[str, Path], bins: int) -> None:
    params = basenji2_file.tiny()
    arrays, codes = basenji2_file.weights(params, 4), random_codes(1)
    letters = letters_of(codes[0])
    empty = np.full((1, 4), 0.25)
    outputs = []
    for given in (np.concatenate([empty, letters[:-1]]), letters, np.concatenate([letters[1:], empty])):
        outputs.append(slow(params, arrays, given))
        outputs.append(slow(params, arrays, given[::-1, ::-1])[::-1])
    expected = np.mean(outputs, axis=0)
    # Every pass counts, and the reversal along the bins is seen.
    assert all(np.abs(expected - np.mean(outputs[:i] + outputs[i + 1 :], axis=0)).max() > 0.01 for i in range(6))
    made = adapter(files, bins=bins)
    np.testing.assert_allclose(made.profile(codes, (0, BINS))[0].T, expected, rtol=0, atol=1e-5)
    first = (BINS - bins) // 2
    np.testing.assert_allclose(made.predict(codes), [expected[first : first + bins, 3].mean()], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("shifts", "moves"), [("3", [3]), ("-2", [-2]), ("0, 5", [0, 5])])
def test_shifts_are_an_option(files: dict[str, Path], shifts: str, moves: list[int]) -> None:
    params = basenji2_file.tiny()
    arrays, codes = basenji2_file.weights(params, 4), random_codes(1)
    outputs = []
    for move in moves:
        given = np.full((LENGTH, 4), 0.25)
        for i, row in enumerate(letters_of(codes[0])):
            if 0 <= i + move < LENGTH:
                given[i + move] = row
        outputs.append(slow(params, arrays, given)[25:35, 3].mean())
    found = adapter(files, shifts=shifts, reverse_complement=False).predict(codes)
    np.testing.assert_allclose(found, [np.mean(outputs)], rtol=0, atol=1e-5)


def test_any_part_is_as_in_the_whole(files: dict[str, Path]) -> None:
    made, codes = adapter(files), random_codes(1)
    whole = made.profile(codes, (0, BINS))
    for span in [(0, 1), (0, 7), (13, 14), (25, 35), (31, 60), (59, 60)]:
        np.testing.assert_allclose(made.profile(codes, span), whole[..., slice(*span)], rtol=0, atol=2e-6)
    np.testing.assert_allclose(made.profile(codes, (25, 35), slice(2, 4)), whole[:, 2:4, 25:35], rtol=0, atol=2e-6)


def test_the_published_architecture_looks_at_56_kb_around_the_tss(tmp_path: Path) -> None:
    params = copy.deepcopy(basenji2_file.SMALL)
    params["model"]["trunk"][2]["repeat"] = 11
    card = find_model("basenji2")
    made = load_adapter(card, None, basenji2_file.files(tmp_path, params), options=ONE_PASS)
    assert made.readout.bins == (443, 453)
    assert made.readout.whole == 896
    network = made.network
    first, last = network.tower.needs(network.body.needs((443, 453), 1024), 131072)
    assert (last - first, first + last) == (56070, 131072)
    codes = np.random.default_rng(3).integers(0, 4, (1, 131072)).astype(np.uint8)
    here = made.predict(codes)
    outside = codes.copy()
    outside[:, :first], outside[:, last:] = 4, 4
    assert np.array_equal(made.predict(outside), here)
    inside = codes.copy()
    inside[:, 40000:45000] = 4
    assert made.predict(inside) != here


def test_the_tss_lies_in_the_middle_of_the_bins_on_both_strands() -> None:
    card = find_model("basenji2")
    for strand, index in {"+": 65535, "-": 65536}.items():
        window = window_of(Gene("G", "G", "chr1", 1_000_000, strand), card.window_rule())
        assert (window.start, window.end) == (999_999 - index, 999_999 - index + 131072)
        assert not window.reverse
        # 128 bp bins, 64 of which are cropped: the last of the five bins left of the centre, or the first right of it.
        assert index // 128 - 64 == {"+": 447, "-": 448}[strand]


def test_both_strands_are_predicted_alike(files: dict[str, Path]) -> None:
    codes = random_codes(3)
    other = np.array([3, 2, 1, 0, 4], np.uint8)[codes[:, ::-1]]
    made, forward = adapter(files), adapter(files, **ONE_PASS)
    np.testing.assert_allclose(made.predict(other), made.predict(codes), rtol=0, atol=2e-6)
    assert np.abs(forward.predict(other) - forward.predict(codes)).max() > 1e-3


def test_results_are_the_same_to_the_last_bit_in_any_batch(files: dict[str, Path]) -> None:
    made, codes = adapter(files), random_codes(7)
    alone = np.concatenate([made.predict(row[None]) for row in codes])
    assert len(set(alone.tolist())) == 7
    assert np.array_equal(made.predict(codes), alone)
    assert np.array_equal(made.predict(codes[::-1]), alone[::-1])


def test_torch_settings_are_put_back(files: dict[str, Path]) -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        adapter(files).predict(random_codes(1))
        assert torch.backends.cuda.matmul.allow_tf32 is True
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def test_weights_only_other_names_and_cut_attributes_are_the_same_network(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    arrays = basenji2_file.weights(basenji2_file.tiny(), 4)
    names: dict[str, str] = {}
    renamed = {}
    for name, array in arrays.items():
        layer, _, kind = name.split("/")
        new = names.setdefault(layer, f"{layer.split('_')[0]}_{900 - len(names)}")  # sorted, they come backwards
        renamed[f"{new}/{new}/{kind}"] = array
    plain = basenji2_file.write(tmp_path / "weights.h5", renamed, whole=False)
    cut = basenji2_file.write(tmp_path / "cut.h5", arrays)
    with h5py.File(cut, "a") as file:
        attributes = file["model_weights"].attrs
        layers = attributes["layer_names"]
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = layers[:5], layers[5:]
    codes = random_codes(1)
    expected = adapter(files).predict(codes)
    for path in (plain, cut):
        assert np.array_equal(adapter({**files, "weights": path}).predict(codes), expected)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("track", 7, "from 0 to 6"),
        ("track", -1, "from 0 to 6"),
        ("bins", 0, "from 1 to 60"),
        ("bins", 61, "from 1 to 60"),
        ("shifts", "", "different whole numbers"),
        ("shifts", "1,,2", "different whole numbers"),
        ("shifts", "one", "different whole numbers"),
        ("shifts", "1,0,1", "different whole numbers"),
        ("shifts", "512", "different whole numbers"),
        ("shifts", 1, "type str"),
        ("reverse_complement", "yes", "type bool"),
    ],
)
def test_an_option_that_cannot_be_is_refused(files: dict[str, Path], option: str, value: Any, allowed: str) -> None:
    with pytest.raises(InputError, match=f"option {option} is .*{allowed}"):
        adapter(files, **{option: value})


@pytest.mark.parametrize(("length", "found"), [(500, "multiple of 8 bp"), (32, "gives 0 bins"), (8, "gives -3 bins")])
def test_a_length_that_gives_no_whole_bins_is_refused(files: dict[str, Path], length: int, found: str) -> None:
    with pytest.raises(InputError, match=found):
        adapter(files, length)


def test_another_length_is_another_number_of_bins(files: dict[str, Path]) -> None:
    made = adapter(files, 360, bins=41)
    assert made.profile(random_codes(1, 360), (0, 41)).shape == (1, TRACKS, 41)


def test_an_unknown_device_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        adapter(files, device="abacus")


@pytest.mark.parametrize("name", ["weights", "params"])
def test_a_file_that_is_not_given_or_absent_is_named(files: dict[str, Path], name: str) -> None:
    with pytest.raises(InputError, match=f"weights '{name}' not given"):
        adapter({key: path for key, path in files.items() if key != name})
    with pytest.raises(InputError, match=r"nowhere.x: weights of model basenji2 not found"):
        adapter({**files, name: Path("nowhere.x")})


def refusal(files: dict[str, Path], name: str, path: Path) -> str:
    with pytest.raises(InputError) as error:
        adapter({**files, name: path})
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    return basenji2_file.weights(basenji2_file.tiny(), 4)


def test_no_hdf5_file(tmp_path: Path, files: dict[str, Path]) -> None:
    path = tmp_path / "page.h5"
    path.write_text("<html>404</html>")
    assert "no whole HDF5 file" in refusal(files, "weights", path)


def test_a_truncated_file(tmp_path: Path, files: dict[str, Path]) -> None:
    whole = files["weights"].read_bytes()
    path = tmp_path / "half.h5"
    path.write_bytes(whole[: len(whole) // 2])
    assert "no whole HDF5 file" in refusal(files, "weights", path)


def test_no_keras_file(tmp_path: Path, files: dict[str, Path]) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["peaks"] = np.zeros(3)
    sentence = refusal(files, "weights", path)
    assert "the content is peaks" in sentence
    assert "layer_names" in sentence


def test_another_model(tmp_path: Path, files: dict[str, Path]) -> None:
    model = xpresso_file.config(300, [{"filters": 8, "width": 6, "pool": 5}], [5, 1])
    path = xpresso_file.write(tmp_path / "xpresso.h5", model, xpresso_file.parameters(model, 1))
    sentence = refusal(files, "weights", path)
    assert "conv1d_1/kernel:0, read as the kernel of convolution 1, is float32 [6, 4, 8]" in sentence
    assert "float32 [15, 4, 6] is expected" in sentence


WRONG = [
    ("batch_normalization_2/batch_normalization_2/beta:0", np.zeros(7, np.float32), "float32 [7]; float32 [6]"),
    ("conv1d_2/conv1d_2/kernel:0", np.zeros((6, 5, 5), np.float32), "float32 [6, 5, 5]; float32 [5, 5, 6]"),
    ("conv1d_2/conv1d_2/kernel:0", np.zeros((5, 5, 6), np.float16), "float16 [5, 5, 6]; float32 [5, 5, 6]"),
    ("conv1d_2/conv1d_2/kernel:0", np.full((5, 5, 6), np.nan, np.float32), "not finite everywhere"),
    ("conv1d/conv1d/kernel:0", np.full((15, 4, 6), np.inf, np.float32), "not finite everywhere"),
    ("batch_normalization/batch_normalization/moving_variance:0", np.full(6, -1, np.float32), "-1.0 somewhere"),
    ("dense/dense/kernel:0", np.zeros((8, 9), np.float32), "float32 [8, 9]; float32 [8, 7]"),
    ("dense/dense/bias:0", np.zeros(9, np.float32), "float32 [9]; float32 [7]"),
]


@pytest.mark.parametrize(("name", "array", "said"), WRONG)
def test_a_wrong_parameter_is_named(
    tmp_path: Path, files: dict[str, Path], arrays: Any, name: str, array: np.ndarray, said: str
) -> None:
    assert name in arrays
    arrays[name] = array
    sentence = refusal(files, "weights", basenji2_file.write(tmp_path / "wrong.h5", arrays))
    assert said in sentence
    assert name.split("/", 1)[0] in sentence


def test_a_missing_parameter_is_named(tmp_path: Path, files: dict[str, Path], arrays: Any) -> None:
    del arrays["dense/dense/bias:0"]
    sentence = refusal(files, "weights", basenji2_file.write(tmp_path / "short.h5", arrays))
    assert "bias of the head is missing; float32 [7] is expected" in sentence
    del arrays["batch_normalization_1/batch_normalization_1/moving_mean:0"]
    sentence = refusal(files, "weights", basenji2_file.write(tmp_path / "hole.h5", arrays))
    # What follows moved up by one, which shows at the next kernel.
    assert "conv1d_2/conv1d_2/kernel:0, read as the moving_variance of convolution 2," in sentence


def test_an_unexpected_parameter_is_named(tmp_path: Path, files: dict[str, Path], arrays: Any) -> None:
    arrays["dense_1/dense_1/kernel:0"] = np.zeros((8, 3), np.float32)
    sentence = refusal(files, "weights", basenji2_file.write(tmp_path / "long.h5", arrays))
    assert "array dense_1/dense_1/kernel:0 is there; nothing after the head's bias is expected" in sentence


def test_what_the_file_lists_must_be_there(tmp_path: Path, files: dict[str, Path], arrays: Any) -> None:
    path = basenji2_file.write(tmp_path / "hollow.h5", arrays)
    with h5py.File(path, "a") as file:
        del file["model_weights/conv1d_1/conv1d_1/kernel:0"]
    assert "conv1d_1/conv1d_1/kernel:0 is missing" in refusal(files, "weights", path)
    with h5py.File(path, "a") as file:
        del file["model_weights/conv1d_1"]
    assert "layer conv1d_1 is missing" in refusal(files, "weights", path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2", "\xff"])
def test_unreadable_parameters(tmp_path: Path, files: dict[str, Path], text: str) -> None:
    path = tmp_path / "params.json"
    path.write_text(text, encoding="latin-1")
    assert "no readable JSON" in refusal(files, "params", path)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ([], {"train": {}}, "model is null; a mapping"),
        ([], [], "model is null; a mapping"),
        (["model", "trunk"], None, "model.trunk is missing"),
        (["model", "trunk"], [], "model.trunk is []"),
        (["model", "trunk"], ["conv_block"], 'model.trunk[0] is "conv_block"; a mapping'),
        (["model", "trunk", 0, "name"], "transformer", "model.trunk[0].name is 'transformer'; one of conv_block"),
        (["model", "trunk", 0, "filters"], None, "model.trunk[0].filters is missing"),
        (["model", "trunk", 0, "filters"], 0, "model.trunk[0].filters is 0"),
        (["model", "trunk", 0, "pool_size"], 2.5, "model.trunk[0].pool_size is 2.5"),
        (["model", "trunk", 0, "strides"], 2, "model.trunk[0].strides is 2; no such key"),
        (["model", "trunk", 1, "filters_mult"], "1.2", "model.trunk[1].filters_mult is '1.2'"),
        (["model", "trunk", 2, "round"], 1, "model.trunk[2].round is 1; true or false"),
        (["model", "activation"], "tanh", "model.activation is 'tanh'; one of gelu, relu"),
        (["model", "batch_norm"], False, "model.batch_norm is missing or false"),
        (["model", "strand_pair"], [1], "model.strand_pair is [1]; no such key"),
        (["model", "target_length"], 1024, "model.target_length is 1024; seq_length 512 over bins of 8 bp"),
        (["model", "head_mouse"], {}, "model.head is head_human, head_mouse; exactly one"),
        (["model", "head_human"], None, "model.head_human is null; a mapping"),
        (["model", "head_human", "activation"], "linear", "model.head_human.activation is 'linear'; one of softplus"),
    ],
)
def test_parameters_of_another_network(
    tmp_path: Path, files: dict[str, Path], place: list[Any], value: Any, said: str
) -> None:
    params = basenji2_file.tiny()
    if place:
        inside: Any = params
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = value
    else:
        params = value
    assert said in refusal(files, "params", basenji2_file.write_params(tmp_path / "params.json", params))


def test_parameters_that_do_not_fit_the_weights(tmp_path: Path, files: dict[str, Path]) -> None:
    path = basenji2_file.write_params(tmp_path / "params.json", basenji2_file.tiny(tracks=8))
    with pytest.raises(
        InputError, match=r"model_human.h5: dense/dense/kernel:0, .* is float32 \[8, 7\]; float32 \[8, 8\]"
    ):
        adapter({**files, "params": path})


def test_the_published_sizes_come_out(tmp_path: Path) -> None:
    from pexbench.models.basenji2.published import Residual, read_architecture

    params = copy.deepcopy(basenji2_file.SMALL)
    trunk = params["model"]["trunk"]
    trunk[0]["filters"], trunk[1]["filters_init"] = 288, 339
    trunk[2] |= {"filters": 384, "repeat": 11}
    made = read_architecture(basenji2_file.write_params(tmp_path / "params.json", params), 131072)
    assert [step.filters for step in made.convolutions[:7]] == [288, 339, 399, 470, 554, 652, 768]
    assert (made.bin_width, made.bins(131072), made.tracks) == (128, 896, 5313)

    def dilations() -> list[int]:
        made = read_architecture(basenji2_file.write_params(tmp_path / "params.json", params), 131072)
        return [step.steps[0].dilation for step in made.steps if isinstance(step, Residual)]

    assert dilations() == [1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72]
    del trunk[2]["round"]  # then the exact rate is multiplied on, and rounded (half to even) for each layer only
    assert dilations() == [1, 2, 2, 3, 5, 8, 11, 17, 26, 38, 58]
