"""models list, info, choose, architectures, inspect, convert: on tiny checkpoints and on the catalogue."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import seesay
from seesay.checkpoints.hub.catalog import find
from tests.checkpoints.fuzz import spelling
from tests.cli.conftest import Run
from tests.conftest import PHOTOS
from tests.parity.test_checkpoints import DATA

ARCHIVE = DATA / "openai-vit-archive" / "model.pt"
TRAINED = DATA / "open-clip-training" / "epoch_2.pt"
SAID = ("--activation", "gelu", "--image-heads", "4", "--text-heads", "3", "--preprocessing", "openai")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))


def test_list_and_info_know_published_models(run: Run) -> None:
    listed = json.loads(run("models", "list", "--json").out)["models"]
    assert len(listed) > 60
    assert listed[0]["name"] == "bundled"
    chinese = json.loads(run("models", "list", "--language", "zh", "--json").out)["models"]
    assert {"chinese-clip/RN50", "chinese-clip/ViT-H-14"} <= {model.get("id") for model in chinese}
    assert "openai/RN50" not in {model.get("id") for model in chinese}
    out = run("models", "info", "ViT-B/32").out
    for part in ("openai/ViT-B-32", "quick_gelu", "63.3%", "openclip_results.csv", "licence not stated"):
        assert part in out
    assert "ViT-B-32-quickgelu" in run("models", "architectures").out


def test_choose_fits_language_and_memory_and_says_what_is_estimated(run: Run) -> None:
    result = json.loads(run("models", "choose", "--language", "zh", "--ram", "2G", "--json").out)
    assert result["ram_mb"] == 2000
    assert result["models"][0]["id"] == "chinese-clip/ViT-L-14-336"
    assert all(model["estimated_memory_mb"] <= 2000 for model in result["models"])
    assert all(model["estimated_images_per_s"] > 0 for model in result["models"])
    assert "estimates" in run("models", "choose", "--ram", "1G").out
    assert result["models"][0]["score"]["task"] == "COCO-CN text to image"
    assert all(model["licence_source"] for model in result["models"] if model["licence"])
    values = [model["score"]["value"] for model in result["models"] if model["score"]["task"] == "COCO-CN text to image"]
    assert values == sorted(values, reverse=True)
    assert result["machine"]["bundled_measured_images_per_s"] > 0
    named = json.loads(run("models", "choose", "--task", "zero-shot", "--json").out)["models"]
    assert {model["score"]["task"] for model in named} == {"ImageNet-1k zero-shot"}
    without = json.loads(run("models", "choose", "--no-torch", "--json").out)["models"]
    assert without
    assert all(model["id"].startswith("hf:") for model in without)  # none is prepared here
    nothing = run("models", "choose", "--no-torch", "--language", "xx", "--ram", "0.5G")
    assert (nothing.code, "without torch" in nothing.err or "no published model" in nothing.err) == (2, True)
    for bad in ("lots", "1M"):
        refused = run("models", "choose", "--ram", bad)
        assert refused.code == 2
        assert "Traceback" not in refused.err


def test_inspect_says_what_a_file_is(run: Run) -> None:
    result = run("models", "inspect", ARCHIVE)
    assert result.code == 0
    for part in ("TorchScript archive", "activation quick_gelu", "heads 2", "none beside the weights", "accounted for"):
        assert part in result.out
    result = json.loads(run("models", "inspect", DATA / "hf-chinese-clip-5", "--json").out)
    assert (result["format"], result["text"]["kind"], result["dim"]) == ("Hugging Face ChineseCLIPModel", "bert", 24)


def test_inspect_says_what_a_file_leaves_open(run: Run) -> None:
    result = run("models", "inspect", TRAINED)
    assert result.code == 1
    assert "width 32" in result.out
    assert "activation gelu" not in result.out
    assert "nothing says activation, image_heads, text_heads, preprocessing" in result.err
    assert run("models", "inspect", TRAINED, *SAID).code == 0


def test_inspect_of_other_files(run: Run, tmp_path: Path, photos: list[Path]) -> None:
    assert "SeeSay folder" in run("models", "inspect", Path(seesay.__file__).parent / "bundled").out
    for bad in (photos[0], tmp_path / "none"):
        result = run("models", "inspect", bad)
        assert result.code == 2
        assert "Traceback" not in result.err
    assert "seesay models info openai/ViT-B-32" in run("models", "inspect", "openai/ViT-B-32").err
    assert f"seesay models inspect {ARCHIVE}" in run("models", "info", ARCHIVE).err


def test_convert_and_use(run: Run, tmp_path: Path, album: Path) -> None:
    result = run("models", "convert", TRAINED, tmp_path / "made", *SAID)
    assert result.code == 0, result.err
    assert "from torch" in result.out
    assert run("similarity", album / "red/red.png", album / "blue/blue.png", "--model", tmp_path / "made").code == 0
    speechless = run("classify", album / "red/red.png", "--labels", "a,b", "--model", tmp_path / "made")
    assert (speechless.code, f"{tmp_path / 'made'} came without its vocabulary" in speechless.err) == (2, True)
    assert f"{TRAINED} has no vocabulary beside it" in result.err
    again = run("models", "convert", TRAINED, tmp_path / "made", *SAID)
    assert again.code == 2
    assert "exists already" in again.err
    (tmp_path / "file").touch()
    unwritable = run("models", "convert", TRAINED, tmp_path / "file" / "made", *SAID)
    assert (unwritable.code, "cannot write" in unwritable.err) == (2, True)
    there = run("models", "convert", TRAINED, tmp_path / "hf", "--to", "transformers", *SAID)
    assert there.code == 0
    assert "crop floored (was rounded)" in there.err
    assert (tmp_path / "hf" / "preprocessor_config.json").is_file()
    refused = run("models", "convert", "bundled", tmp_path / "x", "--to", "open_clip")
    assert refused.code == 2
    assert "its image tower is efficientnet-lite" in refused.err


def test_convert_reports_what_eight_bits_cost(run: Run, tmp_path: Path, photos: list[Path]) -> None:
    """On real photos: the bundled model's own weights, narrowed once more."""
    chosen = photos[:12]
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\ttext\n" + "".join(f"{p}\ta photo of a {p.stem.split('_')[0]}\n" for p in chosen))
    labels = tmp_path / "labels.tsv"
    labels.write_text("image\tlabel\n" + "".join(f"{p}\t{p.stem.split('_')[0]}\n" for p in chosen))
    done = run(
        "models",
        "convert",
        "bundled",
        tmp_path / "made",
        "--int8",
        "dynamic",
        "--report",
        captions,
        "--report",
        labels,
        "--json",
    )
    assert done.code == 0, done.err
    first, second = json.loads(done.out)["reports"]
    assert first["images"]["count"] == 12
    assert 0.99 < first["images"]["least"] <= 1.0
    assert [change["metric"] for change in first["changes"]] == ["text to image R@1", "image to text R@1"]
    assert "zero-shot top-1" in second["changes"][0]["metric"]
    assert run("models", "convert", "bundled", tmp_path / "b", "--report", captions).code == 2
    missing = run("models", "convert", "bundled", tmp_path / "b", "--int8", "weights", "--report", tmp_path / "none.tsv")
    assert (missing.code, (tmp_path / "b").exists()) == (2, False)


@pytest.mark.parametrize("name", ["hf-vision-5", "hf-vision-projection-4"])
def test_an_image_tower_alone(run: Run, album: Path, tmp_path: Path, name: str) -> None:
    source, folder = DATA / name, tmp_path / "converted"
    assert run("models", "convert", source, folder).code == 0
    assert "build onnx/float32/exact" in run("models", "info", folder).out
    for engine in ("onnx", "torch"):
        assert f"build {engine}/float32/exact" in repr(seesay.load(source, engine=engine))
    assert run("models", "convert", source, tmp_path / "theirs", "--to", "transformers").code == 0
    assert seesay.load(tmp_path / "theirs").space_id == seesay.load(folder).space_id
    assert run("embed", album, "--model", source, "-o", tmp_path / "vectors.npz").code == 0
    assert run("index", album, "--model", source).code == 0
    result = run("search", "--image", album / "red" / "red.png", "--model", source)
    assert result.code == 0
    assert "red.png" in result.out.splitlines()[0]
    for refused in (("search", "red"), ("classify", album / "red" / "red.png", "--labels", "a,b"), ("map", "-o", "map.html")):
        result = run(*refused, "--model", source)
        assert result.code == 2
        assert "has no text tower: it encodes pictures only" in result.err


@pytest.mark.filterwarnings("ignore::seesay.errors.TruncatedText")  # its vocabulary spells, and its context is short
@pytest.mark.parametrize("name", ["hf-text-5", "hf-text-projection-4"])
def test_a_text_tower_alone(run: Run, album: Path, tmp_path: Path, name: str) -> None:
    source, folder, texts = tmp_path / name, tmp_path / "converted", tmp_path / "texts.txt"
    shutil.copytree(DATA / name, source)
    (source / "tokenizer.json").write_bytes(spelling(300))
    texts.write_text("a dog\ntwo cats\n")
    assert run("models", "convert", source, folder).code == 0
    assert "build onnx/float32/exact" in run("models", "info", folder).out
    for engine in ("onnx", "torch"):
        assert f"build {engine}/float32/exact" in repr(seesay.load(source, engine=engine))
    assert run("embed", "--text", "a dog", "--model", source, "-o", tmp_path / "vectors.npz").code == 0
    assert run("index", texts, "--model", source).code == 0
    assert "two cats" in run("search", "two cats", "--in", "texts", "--model", source).out.splitlines()[0]
    result = run("index", album, "--model", source)
    assert result.code == 2
    assert "has no image tower: it encodes texts only" in result.err


def test_how_pictures_are_prepared_is_said_in_a_shell(run: Run, album: Path, tmp_path: Path) -> None:
    source = tmp_path / "bare"
    shutil.copytree(DATA / "hf-vision-5", source)
    (source / "preprocessor_config.json").unlink()
    picture = album / "red" / "red.png"
    refused = run("embed", picture, "--model", source, "-o", tmp_path / "a.npz")
    assert refused.code == 2
    assert "in a shell, --preprocessing openai, chinese-clip or siglip" in refused.err
    vectors = {}
    for how in ("openai", "chinese-clip"):
        assert run("embed", picture, "--model", source, "--preprocessing", how, "-o", tmp_path / f"{how}.npz").code == 0
        vectors[how] = np.load(tmp_path / f"{how}.npz")
        assert str(vectors[how]["space_id"]) == seesay.load(source, preprocessing=how).space_id
    assert str(vectors["openai"]["space_id"]) != str(vectors["chinese-clip"]["space_id"])
    options = ("--model", source, "--preprocessing", "openai")
    assert run("index", album, *options).code == 0
    assert run("search", "--image", picture, *options).code == 0
    assert run("duplicates", *options).code == 0
    assert "says everything itself; leave out preprocessing" in run("search", "red", "--preprocessing", "openai").err
    assert "is not one of 'openai', 'chinese-clip'" in run("search", "red", "--preprocessing", "x").err


def test_what_is_kept_is_listed_and_removed(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("models", "list", "--local", "--json").out) == {"models": [], "megabytes": 0}
    cache, copy = tmp_path / "cache", tmp_path / "copy.pt"
    shutil.copy(ARCHIVE, copy)
    first, second = seesay.load(ARCHIVE), seesay.load(copy)
    fetched = find("ViT-B/32").source.url.split("/")[-2:]  # type: ignore[union-attr]
    (cache / "files").mkdir()
    (cache / "files" / "-".join(fetched)).write_bytes(bytes(3_000_000))
    (cache / "models" / "0123.part-99").mkdir()
    listed = json.loads(run("models", "list", "--local", "--json").out)
    kinds = [("0123.part-99", "unfinished"), ("copy", "prepared"), ("model", "prepared"), ("openai/ViT-B-32", "file")]
    assert [(one["name"], one["kind"]) for one in listed["models"]] == kinds
    assert listed["megabytes"] == pytest.approx(sum(one["megabytes"] for one in listed["models"]), abs=0.2)
    assert listed["megabytes"] > 3
    shown = run("models", "list", "--local").out
    assert shown.splitlines()[-1].split() == ["in", "all", str(listed["megabytes"]), "MB"]

    refused = run("models", "remove", "model", "nothing")
    assert refused.code == 2
    assert "the cache has no nothing; it has 0123.part-99, copy, model, openai/ViT-B-32" in refused.err
    assert first.folder is not None
    assert first.folder.is_dir()

    assert run("models", "remove", "vit-b/32", "model", "0123.part-99").code == 0
    assert [one["name"] for one in json.loads(run("models", "list", "--local", "--json").out)["models"]] == ["copy"]
    assert second.folder is not None
    assert [path.name for path in (cache / "models").iterdir() if path.is_dir()] == [second.folder.name]
    assert seesay.load(ARCHIVE).space_id == first.space_id  # made again


def test_graphs_that_others_exported_are_described_and_used(run: Run, tmp_path: Path) -> None:
    graphs = DATA / "graphs"
    shown = run("models", "inspect", graphs / "immich")
    assert shown.code == 0
    for part in ("ONNX graphs as immich uses them", "text int32 (1, 20)", "16 dimensions", "what the files beside them say"):
        assert part in shown.out
    described = json.loads(run("models", "inspect", graphs / "clip", "--variant", "quantized", "--json").out)
    assert described["image"]["file"] == "onnx/vision_model_quantized.onnx"
    refused = run("models", "convert", graphs / "immich", tmp_path / "new")
    assert (refused.code, "cannot be trained, run in torch or converted" in refused.err) == (2, True)
    written = run(
        "embed", "--text", "a", "-o", tmp_path / "a.npz", "--model", graphs / "clip", "--variant", "quantized", "--json"
    )
    assert json.loads(written.out)["dim"] == 16
    assert "immich-app/ViT-B-32__openai" in run("models", "info", "openai/ViT-B-32").out
    (folder,) = (path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir())
    info = json.loads(run("models", "info", folder, "--json").out)
    assert (info["graphs"], info["logit_scale"]) == (
        ["onnx/vision_model_quantized.onnx", "onnx/text_model_quantized.onnx"],
        None,
    )
    assert "no torch, no training" in run("models", "info", folder).out


def test_blend_writes_a_model_that_opens_and_says_what_it_is(run: Run, tmp_path: Path) -> None:
    vit = DATA / "hf-clip-4"
    made = json.loads(run("models", "blend", vit, vit, "--weight", "0.3", tmp_path / "blend", "--json").out)
    assert [round(model["share"], 6) for model in made["models"]] == [0.7, 0.3]
    assert made["space_id"] == seesay.load(tmp_path / "blend").space_id
    shown = run("models", "blend", vit, vit, vit, tmp_path / "soup").out
    assert "seesay eval zero-shot" in shown
    assert "0.333333 of hf-clip-4" in run("models", "info", tmp_path / "soup").out


def test_blend_refuses_what_does_not_fit(run: Run, tmp_path: Path) -> None:
    vit, folder = DATA / "hf-clip-4", tmp_path / "blend"
    for arguments, message in (
        ((vit, folder), "at least two models"),
        ((vit, vit, vit, folder, "--weight", "0.5"), "--weight is for two models, these are 3"),
        ((vit, vit, folder, "--weight", "2"), "0<=x<=1"),
        ((vit, DATA / "open-clip-resnet", folder), "image is vit in"),
        ((vit, tmp_path / "absent", folder), "no model"),
        ((vit, vit, tmp_path), "exists already"),
    ):
        refused = run("models", "blend", *arguments)
        assert refused.code == 2
        assert message in refused.err
        assert "Traceback" not in refused.err
    assert not folder.exists()


def test_an_adapter_goes_on_the_model_that_it_was_trained_on(run: Run, tmp_path: Path) -> None:
    from tests.checkpoints.test_adapters import trained

    vit, photo = DATA / "hf-clip-4", PHOTOS / "animals" / "cow.jpg"
    trained(vit, tmp_path / "adapter")
    plain = json.loads(run("embed", photo, "-o", tmp_path / "a.npz", "--model", vit, "--json").out)
    with_adapter = ("--model", vit, "--adapter", tmp_path / "adapter", "--json")
    adapted = json.loads(run("embed", photo, "-o", tmp_path / "b.npz", *with_adapter).out)
    assert plain["space_id"] != adapted["space_id"]
    for arguments, message in (
        (("--model", DATA / "hf-clip-gelu-4", "--adapter", tmp_path / "adapter"), "was trained on 'hf-clip-4', space"),
        (("--model", tmp_path / "adapter"), "is a LoRA adapter, no model; load it beside"),
        (("--adapter", tmp_path), "is no LoRA adapter: expected adapter_config.json and adapter_model.safetensors"),
    ):
        refused = run("embed", photo, "-o", tmp_path / "c.npz", *arguments)
        assert refused.code == 2
        assert message in refused.err
        assert "Traceback" not in refused.err
