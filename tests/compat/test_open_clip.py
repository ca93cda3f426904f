"""seesay.compat.open_clip beyond the snippets: names, weights, the original's numbers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import seesay
from seesay.compat import open_clip
from seesay.compat.open_clip.transform import TrainPreprocess, train_crop
from seesay.errors import DownloadError, InputError, MissingCapability, ModelError, TruncatedText
from seesay.tasks.prompts import label_embeddings
from tests.hub_server import HubServer
from tests.parity.test_checkpoints import DATA, RELATIVE, open_fixture, relative, unit


@pytest.mark.parametrize("name", ["open-clip-native", "open-clip-resnet", "open-clip-eos", "open-clip-xlm-roberta"])
def test_the_originals_numbers(name: str) -> None:
    model = open_clip.create_model(f"local-dir:{DATA / name}")
    expected = open_fixture(name)[1]
    pixels, ids = torch.from_numpy(expected["pixels"]), torch.from_numpy(expected["ids"])
    assert relative(model.encode_image(pixels).detach(), expected["image"]) <= RELATIVE
    assert relative(model.encode_text(ids).detach(), expected["text"]) <= RELATIVE
    assert relative(model.encode_text(ids, normalize=True).detach(), unit(expected["text"])) <= RELATIVE
    assert relative(model.get_logits(pixels, ids)[0].detach(), expected["logits"]) <= RELATIVE
    images, texts, scale = model(pixels, ids)
    assert images is not None
    assert texts is not None
    assert relative((scale * images @ texts.T).detach(), expected["logits"]) <= RELATIVE  # type: ignore[operator]
    assert model(pixels)[1] is None
    assert model.visual.image_size == (pixels.shape[2], pixels.shape[3])


def test_names_lead_to_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_OFFLINE", "1")
    for name, tag, where in (
        ("ViT-B-32", "laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("ViT-L-14", "datacomp_xl_s13b_b90k", "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K"),
        ("ViT-B-32", "openai", "ViT-B-32.pt"),
        ("ViT-B/32", "openai", "ViT-B-32.pt"),
        ("hf-hub:laion/CLIP-ViT-B-16-laion2B-s34B-b88K", None, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"),
    ):
        with pytest.raises(DownloadError, match=where):
            open_clip.create_model_and_transforms(name, pretrained=tag)


def test_there_are_no_random_weights() -> None:
    with pytest.raises(InputError, match=r"without pretrained would have random weights\. .* laion2b_s34b_b79k"):
        open_clip.create_model_and_transforms("ViT-B-32")
    with pytest.raises(ModelError, match="no weights 'laion3b' for 'ViT-B-32': .* openai"):
        open_clip.create_model_and_transforms("ViT-B-32", pretrained="laion3b")
    with pytest.raises(InputError, match="none is known for this architecture"):
        open_clip.create_model("ViT-M-32")


def test_lists() -> None:
    pairs = open_clip.list_pretrained()
    assert ("ViT-B-32", "laion2b_s34b_b79k") in pairs
    assert ("RN50", "openai") in pairs
    assert not [name for name, _ in pairs if "cn_clip" in name]
    assert {"ViT-B-32", "RN50x64", "xlm-roberta-base-ViT-B-32"} <= set(open_clip.list_models())


def test_lists_by_model_and_by_tag() -> None:
    pairs = open_clip.list_pretrained()
    assert open_clip.list_pretrained_tags_by_model("ViT-B-32") == [tag for name, tag in pairs if name == "ViT-B-32"]
    assert open_clip.list_pretrained_tags_by_model("ViT-B/32")[-1] == "openai"
    assert open_clip.list_pretrained_tags_by_model("nonsense") == []
    assert {"RN50", "ViT-L-14-336"} <= set(open_clip.list_openai_models())
    assert open_clip.list_pretrained_models_by_tag("laion2b_s34b_b79k") == ["ViT-B-32"]
    assert open_clip.list_pretrained(as_str=True)[0] == ":".join(pairs[0])


def test_tokenize_is_the_default_tokenizer() -> None:
    assert torch.equal(open_clip.tokenize(["a dog", "a cat"]), open_clip.get_tokenizer("ViT-B-32")(["a dog", "a cat"]))
    assert open_clip.tokenize("a dog", context_length=8).tolist() == [[49406, 320, 1929, 49407, 0, 0, 0, 0]]


def test_what_pixels_are_given_in() -> None:
    kinds = {"fp32": None, "fp16": torch.float16, "pure_bf16": torch.bfloat16, "amp": None}
    assert {name: open_clip.get_input_dtype(name) for name in kinds} == kinds
    assert open_clip.get_cast_dtype("bf16") is torch.bfloat16


def test_a_zero_shot_classifier_is_the_ensemble_of_its_prompts(tiny: dict[str, Path]) -> None:
    model = open_clip.create_model(str(tiny["open_clip"]))
    tokenizer, names = open_clip.get_tokenizer("ViT-B-32"), open_clip.IMAGENET_CLASSNAMES[:23]
    columns = {
        step: open_clip.build_zero_shot_classifier(model, tokenizer, names, templates, step)
        for step, templates in (
            (10, open_clip.SIMPLE_IMAGENET_TEMPLATES),
            (1, [lambda name, t=t: t.format(name) for t in open_clip.SIMPLE_IMAGENET_TEMPLATES]),
            (None, list(map(str, open_clip.SIMPLE_IMAGENET_TEMPLATES))),
        )
    }
    ours = seesay.load(tiny["open_clip"], engine="torch")
    expected = label_embeddings(ours, names, tuple(map(str, open_clip.SIMPLE_IMAGENET_TEMPLATES)))
    for transform in columns.values():
        assert transform.shape == (model.config.dim, 23)
        assert not transform.requires_grad
        np.testing.assert_allclose(transform.numpy().T, expected, atol=1e-5)
    for odd in ((names, []), ([], ["{}"]), ("cat", ["{}"]), (names, "{}")):
        with pytest.raises(InputError, match="at least one class name"):
            open_clip.build_zero_shot_classifier(model, tokenizer, *odd)  # type: ignore[arg-type]


def test_templates_and_class_names_are_the_originals() -> None:
    assert len(open_clip.IMAGENET_CLASSNAMES) == len(set(open_clip.IMAGENET_CLASSNAMES)) + 2 == 1000  # crane, maillot
    assert (open_clip.IMAGENET_CLASSNAMES[0], open_clip.IMAGENET_CLASSNAMES[-1]) == ("tench", "toilet paper")
    assert (len(open_clip.OPENAI_IMAGENET_TEMPLATES), len(open_clip.SIMPLE_IMAGENET_TEMPLATES)) == (80, 7)
    assert [template("cat") for template in open_clip.SIMPLE_IMAGENET_TEMPLATES][:2] == [
        "itap of a cat.",
        "a bad photo of the cat.",
    ]


def test_a_folder_is_found_by_its_bare_name(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny["open_clip"].parent)
    model, preprocess = open_clip.create_model_from_pretrained("open_clip")
    alone = open_clip.create_model_from_pretrained("open_clip", return_transform=False)
    ids = open_clip.get_tokenizer("open_clip")(["a dog"])
    assert torch.equal(model.encode_text(ids), alone.encode_text(ids))
    assert preprocess.spec.size_px == 32


def test_sizes_and_preprocessing_are_forced(tiny: dict[str, Path]) -> None:
    name = str(tiny["open_clip"])
    model, _, preprocess = open_clip.create_model_and_transforms(
        name, force_image_size=64, force_context_length=20, image_interpolation="bilinear", image_resize_mode="squash"
    )
    assert (model.visual.image_size, model.context_length) == ((64, 64), 20)
    spec = preprocess.spec
    assert (spec.size_px, spec.interpolation, spec.resize) == (64, "bilinear", "squash")
    with pytest.raises(InputError, match="image_resize_mode is one of shortest, longest, squash, got 'odd'"):
        open_clip.create_model_and_transforms(name, image_resize_mode="odd")  # type: ignore[arg-type]


def test_a_transform_by_itself_is_the_models(tiny: dict[str, Path]) -> None:
    _, train, preprocess = open_clip.create_model_and_transforms(str(tiny["open_clip"]))
    spec = preprocess.spec
    options = {"mean": spec.mean, "std": spec.std, "resize_mode": spec.resize, "interpolation": spec.interpolation}
    transform = open_clip.image_transform(32, False, **options)  # type: ignore[arg-type]
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    assert torch.equal(transform(picture), preprocess(picture))
    assert isinstance(open_clip.image_transform((32, 32), True), type(train))
    with pytest.raises(InputError, match="expected one side for both directions"):
        open_clip.image_transform((32, 48), False)


def test_what_is_absent_says_so_by_name() -> None:
    with pytest.raises(AttributeError, match="compat.open_clip has no 'CoCa' of open_clip; it has CLIP, IMAGENET_CLASSNAMES"):
        _ = open_clip.CoCa
    with pytest.raises(TypeError, match="force_patch_dropout"):
        open_clip.create_model_and_transforms("bundled", force_patch_dropout=0.5)  # type: ignore[call-arg]


def test_a_file_of_weights_with_its_architecture(
    tiny: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The architecture says what the file does not; its own activation counts, as in the original."""
    from seesay.checkpoints import resolve
    from seesay.checkpoints.hub import catalog
    from seesay.checkpoints.reader import open_checkpoint

    description = open_checkpoint(tiny["open_clip"]).description
    small = catalog.Architecture(description.dim, description.image, description.text, "open_clip", description.tokenizer_spec)  # type: ignore[arg-type]
    monkeypatch.setattr(resolve, "architecture", lambda name, activation=None: {"ViT-B-32": small}[name])
    file = tmp_path / "open_clip_model.safetensors"
    shutil.copy(tiny["open_clip"] / file.name, file)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32", pretrained=file)
    ids = open_clip.get_tokenizer("ViT-B-32")(["a dog"])
    expected = open_clip.create_model(f"local-dir:{tiny['open_clip']}")
    torch.testing.assert_close(model.encode_text(ids), expected.encode_text(ids))
    assert preprocess.spec.mean[0] == 0.48145466
    quick = open_clip.create_model("ViT-B-32", file, force_quick_gelu=True)
    assert not torch.allclose(quick.encode_text(ids), expected.encode_text(ids))


def test_a_folder_by_its_path(tiny: dict[str, Path]) -> None:
    model, named = (open_clip.create_model(f"{start}{tiny['open_clip']}") for start in ("", "local-dir:"))
    ids = open_clip.get_tokenizer(str(tiny["open_clip"]))(["a dog"])
    torch.testing.assert_close(model.encode_text(ids), named.encode_text(ids))


def test_a_repository_on_the_hub(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        hub.add("somebody/clip", tiny["open_clip"])
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        model, preprocess = open_clip.create_model_from_pretrained("hf-hub:somebody/clip")
        ids = open_clip.get_tokenizer("hf-hub:somebody/clip")(["a dog"])
    assert model.encode_text(ids).shape == (1, 24)
    assert preprocess.spec == model.preprocess.spec


def test_a_vocabulary_that_comes_with_weights_is_fetched_without_them(
    tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer() as hub:
        hub.add("laion/CLIP-ViT-B-32-roberta-base-laion2B-s12B-b32k", tiny["hf"])
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        ids = open_clip.get_tokenizer("roberta-ViT-B-32")("a dog")
        assert ids.tolist()[0][:5] == [49406, 320, 1929, 49407, 1]  # this stand-in's pieces, the architecture's padding
        assert not [path for _, path, _ in hub.asked if path.endswith(".safetensors")]
    with pytest.raises(ModelError, match="comes with its weights, and the catalogue has none"):
        open_clip.get_tokenizer("ViT-L-14-worldwide")


def test_tokenizers() -> None:
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    ids = tokenizer(["a diagram", "a dog"])
    assert (ids.shape, ids.dtype) == ((2, 77), torch.int64)
    assert torch.equal(open_clip.get_tokenizer()("a dog"), ids[1:])
    assert tokenizer("a dog", context_length=5).tolist() == [[49406, 320, 1929, 49407, 0]]
    assert open_clip.get_tokenizer("ViT-B-32", context_length=5)("a dog").shape == (1, 5)
    with pytest.warns(TruncatedText, match="1 of 2 texts are longer than 4 tokens"):
        cut = tokenizer(["a dog", "a dog on grass"], context_length=4)
    assert cut[0].tolist() == cut[1].tolist() == [49406, 320, 1929, 49407]
    with pytest.raises(ModelError, match="no architecture 'ViT-B-33'; near: ViT-B-32"):
        open_clip.get_tokenizer("ViT-B-33")
    with pytest.raises(MissingCapability, match="encodes pictures only"):
        open_clip.get_tokenizer(f"local-dir:{DATA / 'hf-vision-projection-5'}")


def test_another_models_ids_are_refused() -> None:
    model = open_clip.create_model("bundled")
    with pytest.raises(InputError, match="got 0 to 49407. Make the ids for model 'bundled' with get_tokenizer"):
        model.encode_text(open_clip.get_tokenizer("ViT-B-32")("a dog"))
    padded = open_clip.create_model(f"local-dir:{DATA / 'open-clip-clipa'}")
    with pytest.raises(InputError, match="takes exactly 16 tokens, padding included, got 5"):
        padded.encode_text(torch.ones((1, 5), dtype=torch.int64))


def test_preprocessing_for_training_is_random_and_repeats_with_its_seed(photos: list[Path]) -> None:
    _, train, after = open_clip.create_model_and_transforms("bundled", image_mean=(0.5, 0.5, 0.5), image_std=(0.5, 0.5, 0.5))
    assert isinstance(train, TrainPreprocess)
    with Image.open(photos[0]) as opened:
        image = opened.resize((640, 480))
    torch.manual_seed(1)
    first, second = train(image), train(image)
    torch.manual_seed(1)
    again = train(image)
    plain = after(image)
    assert first.shape == plain.shape == (3, 280, 280)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert plain.min() >= -1
    assert plain.max() <= 1
    long = opened.resize((900, 100))
    assert torch.equal(train(long), train(long.crop((383, 0, 516, 100))))
    with pytest.raises(InputError, match="three numbers"):
        open_clip.create_model_and_transforms("bundled", image_mean=(0.5,))


@pytest.mark.parametrize("size", [(640, 480), (1, 1), (1000, 3), (3, 1000), (224, 224)])
def test_a_part_for_training_lies_inside_and_is_most_of_the_picture(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    for _ in range(200):
        left, top, right, bottom = train_crop(*size)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        if min(size) > 100:
            assert (right - left) * (bottom - top) >= 0.89 * size[0] * size[1]
            assert 0.74 <= (right - left) / (bottom - top) <= 1.35


def test_precision_and_options_that_change_nothing(tiny: dict[str, Path]) -> None:
    name = f"local-dir:{tiny['open_clip']}"
    assert open_clip.create_model(name, precision="bf16").dtype == torch.bfloat16
    with pytest.raises(InputError, match="precision is one of fp32, fp16, bf16, got 'int8'"):
        open_clip.create_model(name, precision="int8")
    with pytest.warns(UserWarning, match="SEESAY_CACHE"):
        open_clip.create_model(name, cache_dir="elsewhere")
    with pytest.raises(TypeError, match="force_patch_dropout"):
        open_clip.create_model(name, force_patch_dropout=0.5)  # type: ignore[call-arg]


def test_the_space_is_seesays(tiny: dict[str, Path], photos: list[Path]) -> None:
    """What compat encodes can be compared with what the library encoded."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny['open_clip']}")
    ours = seesay.load(tiny["open_clip"], engine="torch")
    with Image.open(photos[3]) as image:
        vector = model.encode_image(preprocess(image)[None], normalize=True).detach().numpy()
    np.testing.assert_allclose(vector, ours.encode_image(photos[3]), atol=1e-6)
    assert model.config.space_id == ours.space_id
    assert json.loads((tiny["open_clip"] / "open_clip_config.json").read_text())["model_cfg"]["embed_dim"] == ours.dim
