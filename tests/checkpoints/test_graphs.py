"""Folders of graphs that others exported: what is chosen, what is refused, and that nothing of torch is needed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

import seesay
from seesay.checkpoints.graphs.cut import cut
from seesay.checkpoints.graphs.header import read_header
from seesay.checkpoints.graphs.selection import find_graphs
from seesay.checkpoints.hub.catalog import find
from seesay.checkpoints.hub.files import DESCRIPTIONS, WEIGHTS, repository_files
from seesay.checkpoints.hub.graphs import graphs, graphs_of, published_scale
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.reader import open_checkpoint
from seesay.engines.foreign import ForeignEngine, attention_mask
from seesay.errors import CheckpointError, DownloadError, InputError, MissingCapability, ModelError
from seesay.models.config import read_config
from seesay.models.signature import Mask, Signature
from seesay.system.cache import cache_dir
from tests.parity.test_graphs import GRAPHS, NAMES, pixels

Change = Callable[[Path], object]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        return Path(shutil.copytree(GRAPHS / name, tmp_path / name))

    return make


def edit(file: Path, **changes: Any) -> None:
    """Changes values of a JSON file; "a.b" is inside "a", and None removes."""
    values = json.loads(file.read_text())
    for key, value in changes.items():
        *outer, last = key.split(".")
        inside = values
        for part in outer:
            inside = inside[part]
        inside.pop(last) if value is None else inside.update({last: value})
    file.write_text(json.dumps(values))


def rewrite(file: Path, change: Callable[[Any], None]) -> None:
    graph = onnx.load(file)
    change(graph)
    onnx.save(graph, file)


def edited(file: str, **changes: Any) -> Change:
    return lambda folder: edit(folder / file, **changes)


def rewritten(file: str, change: Callable[[Any], None]) -> Change:
    return lambda folder: rewrite(folder / file, change)


def removed(file: str) -> Change:
    return lambda folder: (folder / file).unlink()


def opset(number: int) -> Callable[[Any], None]:
    return lambda graph: setattr(graph.opset_import[0], "version", number)


def shape(axis: int, length: int) -> Callable[[Any], None]:
    return lambda graph: setattr(graph.graph.input[0].type.tensor_type.shape.dim[axis], "dim_value", length)


def bytes_of_pictures(graph: Any) -> None:
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8


def other_output(graph: Any) -> None:
    name = graph.graph.output[0].name
    for node in graph.graph.node:
        node.output[:] = ["last_hidden_state" if output == name else output for output in node.output]
    graph.graph.output[0].name = "last_hidden_state"


def types_beside(graph: Any) -> None:
    graph.graph.input.append(helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["b", "n"]))


def zeros(graph: Any) -> None:
    for tensor in graph.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.raw_data = bytes(len(tensor.raw_data))


def larger_pictures(folder: Path) -> None:
    edit(folder / "visual/preprocess_cfg.json", size=48)
    edit(folder / "config.json", **{"vision_cfg.image_size": 48})


def huge_pictures(folder: Path) -> None:
    edit(folder / "preprocessor_config.json", size={"shortest_edge": 4096}, crop_size={"height": 4096, "width": 4096})
    edit(folder / "config.json", **{"vision_config.image_size": 4096})


def huge_texts(folder: Path) -> None:
    edit(folder / "config.json", **{"text_config.max_position_embeddings": 9_000_000})
    edit(folder / "tokenizer_config.json", model_max_length=None)


BAD: dict[str, tuple[str, Change, str]] = {
    "no preprocessing": ("clip", removed("preprocessor_config.json"), "preprocessor_config.json, which says how pictures are"),
    "no preprocessing (immich)": (
        "immich",
        removed("visual/preprocess_cfg.json"),
        "preprocess_cfg.json, which says how pictures",
    ),
    "no configuration": ("immich", removed("config.json"), "has no config.json, which says what its graphs are"),
    "no tokenizer": ("clip", removed("tokenizer.json"), "has no tokenizer that can be read: put tokenizer.json"),
    "no padding": ("immich", edited("textual/tokenizer_config.json", pad_token=None), "does not say which token pads a text"),
    "opset": (
        "immich",
        rewritten("visual/model.onnx", opset(99)),
        "need opset 99 of ONNX's operators.*pip install -U onnxruntime",
    ),
    "context": ("clip", edited("tokenizer_config.json", model_max_length=16), "cuts texts at 16 ids, and .* the text tower 20"),
    "context of the graph": (
        "immich",
        edited("config.json", **{"text_cfg.context_length": 19}),
        "takes exactly 20 ids, and .* 19",
    ),
    "vocabulary": (
        "clip",
        edited("config.json", **{"text_config.vocab_size": 99}),
        "has 516 pieces, and .* gives the text tower 99",
    ),
    "image size": (
        "clip",
        edited("config.json", **{"vision_config.image_size": 64}),
        "pictures of 32 pixels, .*config.json says 64",
    ),
    "image size of the graph": (
        "immich",
        larger_pictures,
        r"expected one input of pictures, float32 \(any, 3, 48, 48\), got image float32 \(1, 3, 32, 32\)",
    ),
    "huge pictures": ("clip", huge_pictures, "pictures of 4096 pixels, expected at most 2048"),
    "huge texts": (
        "siglip",
        huge_texts,
        "texts of 9000000 ids, expected at most 10000",
    ),
    "width": ("immich", edited("config.json", embed_dim=24), "gives vectors of 16 numbers, .*config.json says 24"),
    "bytes": (
        "immich",
        rewritten("visual/model.onnx", bytes_of_pictures),
        "expected one input of pictures, .* got image uint8",
    ),
    "projection": (
        "clip",
        rewritten("onnx/vision_model.onnx", other_output),
        "expected an output image_embeds or pooler_output, got last",
    ),
    "another input": ("clip", rewritten("onnx/text_model.onnx", types_beside), "expected an input of ids, .* token_type_ids"),
    "no vectors": ("immich", rewritten("visual/model.onnx", zeros), "gives no vectors"),
    "a language for each text": (
        "immich",
        edited("config.json", **{"text_cfg.hf_tokenizer_name": "facebook/nllb-200-distilled-600M"}),
        "begins every text with a token for its language \\(NLLB\\)",
    ),
    "another family": ("clip", edited("config.json", model_type="clap"), "'clap' is not one of 'clip'"),
    "no graph": (
        "clip",
        lambda folder: (folder / "onnx/text_model.onnx").write_bytes(b"no graph"),
        "is not a graph that can be read",
    ),
    "a pointer": ("clip", lambda f: (f / "onnx/text_model.onnx").write_text("version https://git-lfs.github"), "git lfs pull"),
    "one tower": ("immich", removed("textual/model.onnx"), "visual/model.onnx without the graph of the other tower"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_contradicts_itself_is_refused(name: str, copy: Callable[[str], Path]) -> None:
    fixture, change, message = BAD[name]
    change(folder := copy(fixture))
    with pytest.raises(ModelError, match=message):
        seesay.load(folder)
    assert not [path for path in (cache_dir() / "models").glob("*") if path.suffix != ".lock"]


def test_a_context_is_chosen_by_the_caller_where_files_contradict_each_other(copy: Callable[[str], Path]) -> None:
    edit((folder := copy("clip")) / "tokenizer_config.json", model_max_length=16)
    assert seesay.load(folder, context_length=16).tokenizer.spec.context_length == 16
    with pytest.raises(CheckpointError, match="context_length=21 is more than the 20 positions"):
        seesay.load(folder, context_length=21)


def test_preprocessing_may_be_stated_where_there_is_no_file(copy: Callable[[str], Path]) -> None:
    (folder := copy("immich")).joinpath("visual/preprocess_cfg.json").unlink()
    spec = seesay.load(folder, preprocessing="openai").image_spec
    assert (spec.size_px, spec.resize, spec.mean[0]) == (32, "shortest", 0.48145466)


def outside(folder: Path, location: str) -> Path:
    """Moves the first large weight of the text graph into a file of this name, as the graph states it."""
    file = folder / "textual/model.onnx"
    graph = onnx.load(file)
    tensor = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    data = tensor.raw_data
    target = Path(os.path.normpath(file.parent / location))
    target.write_bytes(data)
    set_external_data(tensor, location, offset=0, length=len(data))
    tensor.ClearField("raw_data")
    onnx.save(graph, file)
    return target


def test_weights_beside_their_graph_are_used(copy: Callable[[str], Path]) -> None:
    whole = seesay.load(GRAPHS / "immich").encode_text("a red dog")
    outside(folder := copy("immich"), "Constant_12")
    model = seesay.load(folder)
    np.testing.assert_allclose(model.encode_text("a red dog"), whole, atol=1e-6)
    assert (Path(str(model.folder)) / "textual/Constant_12").is_file()


def test_weights_as_a_hub_keeps_them_are_used(copy: Callable[[str], Path], tmp_path: Path) -> None:
    """Every file is a link to contents under another name."""
    outside(folder := copy("immich"), "Constant_12")
    store = tmp_path / "models--owner--name"
    snapshot = store / "snapshots" / ("0" * 40)
    (store / "blobs").mkdir(parents=True)
    for number, file in enumerate(path for path in folder.rglob("*") if path.is_file()):
        (link := snapshot / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, store / "blobs" / str(number))
        link.symlink_to(os.path.relpath(store / "blobs" / str(number), link.parent))
    model = seesay.load(snapshot)
    assert model.name == "owner/name"
    np.testing.assert_allclose(model.encode_text("a"), seesay.load(GRAPHS / "immich").encode_text("a"), atol=1e-6)


@pytest.mark.parametrize("location", ["../secret", "/tmp/secret", "a/../../secret"])
def test_weights_outside_the_folder_are_not_opened(copy: Callable[[str], Path], location: str, tmp_path: Path) -> None:
    folder = copy("immich")
    if location.startswith("/"):
        location = str(tmp_path / "secret")
    outside(folder, location)
    with pytest.raises(ModelError, match=r"keeps a weight in .*secret': expected the name of a file in its own folder"):
        seesay.load(folder)


def test_a_link_out_of_the_folder_is_not_followed(copy: Callable[[str], Path], tmp_path: Path) -> None:
    target = outside(folder := copy("immich"), "weights")
    shutil.move(target, tmp_path / "elsewhere")
    target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="it is a link out of its folder"):
        seesay.load(folder)
    target.unlink()
    with pytest.raises(ModelError, match="there is no such file in its folder"):
        seesay.load(folder)


@pytest.mark.parametrize("file", ["../x.onnx", "/x.onnx", "C:\\x.onnx", "\\\\host\\x.onnx", "a/../../x.onnx", ""])
def test_a_signature_names_no_file_outside_the_folder(file: str) -> None:
    with pytest.raises(InputError, match="expected file: a name within the model's folder"):
        Signature(file, "x", "float32", "y", 4)


# Which graphs


def test_a_variant_is_chosen_by_name(copy: Callable[[str], Path]) -> None:
    folder = copy("clip")
    full, quantized = seesay.load(folder), seesay.load(folder, variant="quantized")
    assert (full.name, quantized.name) == ("clip", "clip (quantized)")
    assert full.space_id != quantized.space_id
    assert seesay.load(folder / "onnx" / "text_model_quantized.onnx").space_id == quantized.space_id
    with pytest.raises(CheckpointError, match="chooses among a folder's graphs; .*text_model.onnx is a file"):
        seesay.load(folder / "onnx" / "text_model.onnx", variant="quantized")
    with pytest.raises(CheckpointError, match=r"no variant 'q4'; it has fp32 \(onnx/vision_model.onnx, .*quantized"):
        seesay.load(folder, variant="q4")
    with pytest.raises(CheckpointError, match=r"no variant '\.\./x'"):
        seesay.load(folder, variant="../x")
    for name in ("vision_model", "text_model"):
        (folder / f"onnx/{name}.onnx").unlink()
    assert seesay.load(folder).space_id == quantized.space_id  # the only one
    for name in ("vision_model", "text_model"):
        shutil.copy(folder / f"onnx/{name}_quantized.onnx", folder / f"onnx/{name}_uint8.onnx")
    with pytest.raises(CheckpointError, match="several graphs to choose from: quantized .*uint8 .*--variant quantized"):
        seesay.load(folder)


def test_a_pair_is_preferred_to_a_graph_of_both_and_weights_to_graphs() -> None:
    pair = ["onnx/vision_model.onnx", "onnx/text_model.onnx"]
    described = ["config.json", "tokenizer.json", "README.md"]
    found = find_graphs([*pair, "onnx/model.onnx", "onnx/vision_model.onnx_data", "onnx/model.onnx_data", *described])
    assert found is not None
    assert found.names == sorted([*pair, "onnx/vision_model.onnx_data", "config.json", "tokenizer.json"])
    single = find_graphs(["onnx/model.onnx", "onnx/vision_model.onnx", "onnx/model_quantized.onnx", *described])
    assert single is not None
    assert (single.image, single.text) == ("onnx/model.onnx", "onnx/model.onnx")
    names = [*pair, "model.safetensors", *described]
    assert "model.safetensors" in repository_files(names, DESCRIPTIONS, WEIGHTS, "o/r")
    chosen = ("onnx/vision_model.onnx",)  # a file that the caller names
    assert repository_files(names, DESCRIPTIONS, chosen, "o/r") == sorted([*pair, "config.json", "tokenizer.json"])
    assert repository_files(names, DESCRIPTIONS, WEIGHTS, "o/r", "fp32") == sorted([*pair, "config.json", "tokenizer.json"])


def test_of_a_repository_of_immich_only_what_onnx_runtime_needs_is_fetched() -> None:
    wanted = ["config.json", "textual/model.onnx", "textual/tokenizer.json", "visual/Constant_7", "visual/model.onnx"]
    wanted += ["visual/preprocess_cfg.json", "textual/tokenizer_config.json"]
    others = ["README.md", "visual/model.armnn", "textual/fp16/model.armnn", "visual/rknpu/rk3588/model.rknn", "../x", "/etc/x"]
    assert repository_files([*wanted, *others], DESCRIPTIONS, WEIGHTS, "o/r") == sorted(wanted)


def test_a_repository_without_any_known_file_says_what_is_expected() -> None:
    with pytest.raises(
        DownloadError, match=r"o/r has no weights .* no graphs \(onnx/vision_model.onnx and .* it has README.md"
    ):
        repository_files(["README.md", "whisper.onnx"], DESCRIPTIONS, WEIGHTS, "o/r")
    with pytest.raises(DownloadError, match="o/r has no graphs of which 'fp16' could be a variant"):
        repository_files(["model.safetensors"], DESCRIPTIONS, WEIGHTS, "o/r", "fp16")


# What such a model is


def test_graphs_need_no_torch_and_open_from_the_cache(tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules |= dict.fromkeys(("torch", "onnx", "safetensors", "transformers"))
import seesay
for name in {NAMES}:
    model = seesay.load({str(GRAPHS)!r} + "/" + name)
    print(model.encode_text("a").shape, model.encode_image({str(Path(__file__).parents[2] / "examples" / "icon.png")!r}).shape)
"""
    photo = next((Path(__file__).parents[2] / "examples" / "photos").rglob("*.jpg"))
    program = program.replace(str(Path(__file__).parents[2] / "examples" / "icon.png"), str(photo))
    environment = {**os.environ, "SEESAY_CACHE": str(tmp_path / "cache")}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
        assert (done.stdout.splitlines(), done.stderr) == (["(1, 16) (1, 16)"] * len(NAMES), "")
    assert len([path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]) == len(NAMES)


def test_what_only_weights_can_do_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("immich")
    model = seesay.load(folder)
    with pytest.raises(CheckpointError, match="cannot be trained, run in torch or converted"):
        seesay.load(folder, engine="torch")
    assert model.folder is not None
    with pytest.raises(CheckpointError, match="no weights for torch, but visual/model.onnx"):
        open_checkpoint(model.folder)
    with pytest.raises(MissingCapability, match="no features per patch"):
        model.encode_dense(np.zeros((40, 40, 3), dtype=np.uint8))
    with pytest.raises(CheckpointError, match="which compute as they were exported; leave out activation, image_heads"):
        seesay.load(folder, activation="gelu", image_heads=3)
    with pytest.raises(CheckpointError, match="scale and bias are for graphs"):
        seesay.load(GRAPHS.parent / "hf-clip-5", scale=100)


def test_the_device_of_graphs_is_the_cpu(copy: Callable[[str], Path]) -> None:
    folder = copy("immich")
    assert seesay.load(folder, device="auto").similarity("a dog", "a dog") == pytest.approx(1)
    pytest.importorskip("openvino")
    with pytest.raises(InputError, match="run in ONNX Runtime on the CPU only, got device 'openvino'"):
        seesay.load(folder, engine="openvino")


def test_without_a_scale_there_are_cosines_and_no_probabilities(copy: Callable[[str], Path]) -> None:
    folder, picture = copy("immich"), np.zeros((40, 40, 3), dtype=np.uint8)
    model = seesay.load(folder)
    assert model.similarity(picture, "a dog").shape == (1, 1)
    with pytest.raises(MissingCapability, match=r"do not hold the scale of its cosines.*Pass scale=NUMBER, in a shell --scale"):
        model.classify(picture, ["a", "b"], "{}")
    assert seesay.load(folder, scale=100).classify(picture, ["a", "b"], "{}").sum() == pytest.approx(1)
    assert seesay.load(folder, scale=100).scale == pytest.approx(100)
    wrongs: list[dict[str, Any]] = [{"scale": 0.0}, {"scale": 3.0, "bias": 1.0}, {"bias": 1.0}]
    for wrong in wrongs:
        with pytest.raises(CheckpointError, match="expected a positive scale alone"):
            seesay.load(folder, **wrong)
    with pytest.raises(CheckpointError, match="a positive scale and a bias, which go together"):
        seesay.load(copy("siglip"), scale=3.0)


@pytest.mark.parametrize("name", NAMES)
def test_inspection_says_what_graphs_are_without_running_them(name: str) -> None:
    inspection = inspect(GRAPHS / name)
    assert inspection.faults is None
    assert inspection.format is not None
    assert inspection.format.startswith("ONNX graphs as ")
    assert inspection.image is not None
    assert (inspection.image["kind"], inspection.dim) == ("graph", 16)
    assert inspection.parameters > 10_000
    assert not (cache_dir() / "models").exists()


def test_inspection_says_why_graphs_cannot_be_used(copy: Callable[[str], Path]) -> None:
    edit((folder := copy("immich")) / "config.json", embed_dim=24)
    assert "gives vectors of 16 numbers" in str(inspect(folder).faults)


def test_the_space_changes_with_the_graphs_and_not_with_their_place(copy: Callable[[str], Path]) -> None:
    original = seesay.load(GRAPHS / "immich")
    assert seesay.load(copy("immich")).space_id == original.space_id
    rewrite((folder := copy("siglip")) / "onnx/text_model.onnx", lambda graph: setattr(graph, "producer_name", "another"))
    assert seesay.load(folder).space_id != seesay.load(GRAPHS / "siglip").space_id
    assert original.folder is not None
    config = read_config(original.folder)
    assert [source.name for source in config.provenance] == ["textual/model.onnx", "visual/model.onnx"]


def test_changed_files_are_prepared_anew(copy: Callable[[str], Path]) -> None:
    folder = copy("immich")
    before = seesay.load(folder)
    edit(folder / "visual/preprocess_cfg.json", mean=[0.1, 0.1, 0.1])
    after = seesay.load(folder)
    assert after.image_spec.mean == (0.1, 0.1, 0.1)
    assert after.space_id != before.space_id


@pytest.mark.parametrize("name", ["immich", "chinese-clip"])
def test_damaged_graphs_are_refused_or_run(name: str, copy: Callable[[str], Path]) -> None:
    """Whatever a file holds, the error is a ModelError."""
    random, folder = np.random.default_rng(9), copy(name)
    file = folder / ("onnx/model.onnx" if name == "chinese-clip" else "textual/model.onnx")
    whole = file.read_bytes()
    refused = 0
    for number in range(40):
        data = bytearray(whole)
        if number % 2:
            del data[int(random.integers(1, len(data))) :]
        else:
            for place in random.integers(0, len(data), 20):
                data[place] = random.integers(0, 256)
        file.write_bytes(data)
        try:
            inspect(folder)
            if number % 4 == 1:  # cut off: never opened
                seesay.load(folder)
        except ModelError:
            refused += 1
    assert refused >= 10


# Parts


def test_a_tower_is_cut_out_of_a_graph_of_both(tmp_path: Path) -> None:
    whole = GRAPHS / "chinese-clip" / "onnx" / "model.onnx"
    for output, inputs in (("image_embeds", {"pixel_values"}), ("text_embeds", {"input_ids", "attention_mask"})):
        cut(whole, output, tmp_path / "part.onnx")
        onnx.checker.check_model(tmp_path / "part.onnx", full_check=True)
        header = read_header(tmp_path / "part.onnx")
        assert {port.name for port in header.inputs} == inputs
        assert [port.name for port in header.outputs] == [output]
        assert (tmp_path / "part.onnx").stat().st_size < 0.8 * whole.stat().st_size


def test_a_header_is_what_onnx_reads() -> None:
    for file in GRAPHS.rglob("*.onnx"):
        header, graph = read_header(file), onnx.load(file)
        assert header.opset == next(each.version for each in graph.opset_import if each.domain == "")
        assert {node.op_type for node in graph.graph.node} == header.operators
        assert sum(header.numbers.values()) == sum(int(np.prod(tensor.dims)) for tensor in graph.graph.initializer)
        for port, value in zip(header.inputs, graph.graph.input, strict=True):
            tensor = value.type.tensor_type
            assert port.name == value.name
            assert port.shape == tuple(dim.dim_value or None for dim in tensor.shape.dim)
            assert port.dtype == np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name


def test_a_mask_ends_with_the_text() -> None:
    ids = np.array([[5, 1, 6, 1, 1], [5, 6, 7, 8, 1], [5, 6, 7, 8, 9]])
    expected = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(attention_mask(ids, Mask("m", "int64", pad_id=1)), expected)
    expected = [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(attention_mask(ids, Mask("m", "int64", pad_id=1, ends_with_pad=True)), expected)


def test_graphs_of_a_fixed_batch_take_any_number_of_rows(copy: Callable[[str], Path]) -> None:
    file = (folder := copy("clip")) / "onnx" / "vision_model.onnx"
    signature = Signature("onnx/vision_model.onnx", "pixel_values", "float32", "image_embeds", 16)
    free = ForeignEngine(folder, {"image": signature}).encode_pixels(pixels())
    rewrite(file, shape(0, 2))
    fixed = ForeignEngine(folder, {"image": Signature(signature.file, "pixel_values", "float32", "image_embeds", 16, batch=2)})
    np.testing.assert_allclose(fixed.encode_pixels(pixels()), free, atol=1e-5)
    assert fixed.encode_pixels(pixels()[:0]).shape == (0, 16)
    assert fixed.sharing(2).encode_pixels(pixels()[:1]).shape == (1, 16)


def test_every_listed_repository_is_of_a_model_in_the_catalogue() -> None:
    assert len(graphs().repositories) > 25
    for each in graphs().repositories:
        assert find(each.model) is not None, each.repo
    model = find("openai/ViT-B-32")
    assert model is not None
    assert graphs_of(model) == ("immich-app/ViT-B-32__openai", "Xenova/clip-vit-base-patch32")
    assert published_scale(model) == 100
    other = find("open_clip/ViT-B-32/laion2b_s34b_b79k")
    assert other is not None
    assert published_scale(other) is None
