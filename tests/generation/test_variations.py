"""Picture embeddings for generators: equal to what diffusers' own pipelines make, and refused where they belong elsewhere."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from seesay.errors import CheckpointError, InputError, MissingCapability
from seesay.generation.image_generator import read_generator
from seesay.generation.variations import lengthened, level_embedding, remaining_variance, variations
from seesay.model import Model
from tests.generation.conftest import Generators
from tests.generation.test_pipelines import painted, picture


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))


def own_embeds(pipeline: Any, image: Image.Image) -> torch.Tensor:
    """A picture's embedding (1, D) as a pipeline makes it itself."""
    with torch.no_grad():
        pixels = pipeline.feature_extractor(images=image, return_tensors="pt").pixel_values
        embeds: torch.Tensor = pipeline.image_encoder(pixels).image_embeds
    return embeds


def test_the_image_encoder_is_read_with_its_preprocessing(generators: Generators) -> None:
    made = generators["image_variation"]
    encoder = read_generator(made.folder).open_encoder()
    for image in (picture("red"), Image.linear_gradient("L").resize((90, 33)).convert("RGB")):
        ours = encoder.encode_image(image, normalize=False)
        np.testing.assert_allclose(ours, own_embeds(made.pipeline, image).numpy(), atol=1e-5)


def test_the_preprocessing_is_that_of_the_pipeline(generators: Generators, tmp_path: Path) -> None:
    folder = shutil.copytree(generators["image_variation"].folder, tmp_path / "odd")
    file = folder / "feature_extractor" / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_mean": [0.1, 0.2, 0.3], "resample": 2, "size": 40}))
    from diffusers import StableUnCLIPImg2ImgPipeline

    theirs = own_embeds(StableUnCLIPImg2ImgPipeline.from_pretrained(folder), picture("red")).numpy()
    np.testing.assert_allclose(
        read_generator(folder).open_encoder().encode_image(picture("red"), normalize=False), theirs, atol=1e-5
    )


@pytest.mark.parametrize("level", [0, 1, 10, 250, 999])
def test_noised_embeddings_equal_the_pipelines(generators: Generators, level: int) -> None:
    made = generators["image_variation"]
    generator = read_generator(made.folder)
    embeds = torch.cat([own_embeds(made.pipeline, picture(colour)) for colour in ("red", "blue")])
    seed = torch.Generator().manual_seed(5)
    with torch.no_grad():
        theirs = made.pipeline.noise_image_embeddings(embeds, noise_level=level, generator=seed)
    found = variations(generator, embeds.numpy(), noise_level=level, seed=5)
    assert found.tensors["class_labels"].shape == (2, 2 * generator.dim)
    np.testing.assert_allclose(found.tensors["class_labels"], theirs.numpy(), atol=1e-5)


def test_stable_unclip_paints_the_same_from_our_embedding(generators: Generators) -> None:
    made = generators["image_variation"]
    embeds = read_generator(made.folder).open_encoder().encode_image(picture("red"), normalize=False)
    given = variations(read_generator(made.folder), embeds).tensors["image_embeds"]
    ours = painted(made.pipeline, prompt="a cat", image_embeds=torch.from_numpy(given))
    np.testing.assert_allclose(ours, painted(made.pipeline, prompt="a cat", image=picture("red")), atol=1e-4)


@pytest.fixture(scope="module")
def adapted(generators: Generators) -> Any:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(generators["stable_diffusion_1"].folder)
    pipeline.load_ip_adapter(str(generators["ip_adapter"].folder), subfolder="models", weight_name="ip-adapter.safetensors")
    return pipeline


def test_an_ip_adapter_paints_the_same_from_our_embedding(generators: Generators, adapted: Any) -> None:
    generator = read_generator(generators["ip_adapter"].folder / "models" / "ip-adapter.safetensors")
    assert (generator.kind, generator.dim) == ("ip-adapter", 64)
    embeds = generator.open_encoder().encode_image([picture("red"), picture("blue")], normalize=False)
    theirs = adapted.prepare_ip_adapter_image_embeds(picture("red"), None, "cpu", 1, True)
    ours = variations(generator, embeds[:1]).tensors["ip_adapter_image_embeds"]
    assert ours.shape == theirs[0].shape == (2, 1, 64)
    np.testing.assert_allclose(ours, theirs[0].detach().numpy(), atol=1e-5)
    given = painted(adapted, prompt="a cat", ip_adapter_image_embeds=[torch.from_numpy(ours)])
    np.testing.assert_allclose(given, painted(adapted, prompt="a cat", ip_adapter_image=picture("red")), atol=1e-4)

    both = torch.from_numpy(variations(generator, embeds).tensors["ip_adapter_image_embeds"])
    assert both.shape == (4, 1, 64)
    together = painted(adapted, prompt=["a cat", "a cat"], ip_adapter_image_embeds=[both])
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_pipeline_with_an_image_encoder_and_no_normalizer_takes_ip_adapter_embeds(
    generators: Generators, adapted: Any, tmp_path: Path
) -> None:
    adapted.save_pretrained(tmp_path / "saved")
    generator = read_generator(tmp_path / "saved")
    assert (generator.kind, generator.dim) == ("ip-adapter", 64)
    embeds = generator.open_encoder().encode_image(picture("red"), normalize=False)
    np.testing.assert_allclose(embeds, own_embeds(adapted, picture("red")).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"beta_schedule": "squaredcos_cap_v2"},
        {"beta_schedule": "linear"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 500},
    ],
)
def test_schedules_equal_those_of_diffusers(settings: dict[str, Any]) -> None:
    from diffusers import DDPMScheduler

    theirs = DDPMScheduler(**settings)
    config = theirs.config
    ours = remaining_variance(config.beta_schedule, config.num_train_timesteps, config.beta_start, config.beta_end)
    np.testing.assert_allclose(ours, theirs.alphas_cumprod.numpy(), atol=1e-6)


@pytest.mark.parametrize("dim", [64, 7])
def test_level_embeddings_equal_those_of_diffusers(dim: int) -> None:
    from diffusers.models.embeddings import get_timestep_embedding

    for level in (0, 3, 999):
        theirs = get_timestep_embedding(torch.tensor([level]), dim, flip_sin_to_cos=True, downscale_freq_shift=0)
        np.testing.assert_allclose(level_embedding(level, dim), theirs[0].numpy(), atol=1e-5)


def test_no_noise_is_nearly_the_picture_and_much_is_nearly_none(generators: Generators) -> None:
    generator = read_generator(generators["image_variation"].folder)
    embeds = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    first, last = (variations(generator, embeds, noise_level=level).tensors["class_labels"][:, :64] for level in (0, 999))
    assert np.abs(first - embeds).max() < 0.1
    assert np.abs(last - embeds).max() > 0.5


def test_another_space_is_refused_and_both_are_named(generators: Generators, tmp_path: Path, bundled: Model) -> None:
    folder = generators["image_variation"].folder
    generator = read_generator(folder)
    with pytest.raises(InputError, match=r"image_variation was trained on embeddings of 64 .* model 'bundled' have 512"):
        generator.check_space(bundled)
    generator.check_space(generator.open_encoder())

    other = shutil.copytree(folder, tmp_path / "other")
    file = other / "image_encoder" / "model.safetensors"
    state = load_file(file)
    save_file({name: tensor.half() for name, tensor in state.items()}, file, metadata={"format": "pt"})
    generator.check_space(read_generator(other).open_encoder())  # float16 is the same space
    torch.manual_seed(1)
    name = "visual_projection.weight"
    save_file(state | {name: state[name] + torch.randn_like(state[name])}, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"trained on another space than that of model 'image_encoder'.* cosine"):
        generator.check_space(read_generator(other).open_encoder())
    with pytest.raises(InputError, match="takes embeddings of 64 dimensions"):
        variations(generator, np.ones((1, 32)))


def test_an_adapter_as_its_authors_publish_it(generators: Generators, tmp_path: Path) -> None:
    made = generators["ip_adapter"].folder / "models"
    models = shutil.copytree(made, tmp_path / "models")
    parts: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(models / "ip-adapter.safetensors").items():
        part, _, inner = name.partition(".")
        parts[part][inner] = tensor
    torch.save(parts, models / "ip-adapter_sd15.bin")
    generator = read_generator(models / "ip-adapter_sd15.bin")
    assert (generator.dim, generator.encoder) == (64, models / "image_encoder")
    (models / "ip-adapter.safetensors").unlink()
    assert read_generator(models).path == models / "ip-adapter_sd15.bin", "the only file of a folder"


def test_an_adapter_without_its_encoder(generators: Generators, tmp_path: Path, bundled: Model) -> None:
    shutil.copy(generators["ip_adapter"].folder / "models" / "ip-adapter.safetensors", tmp_path / "alone.safetensors")
    generator = read_generator(tmp_path / "alone.safetensors")
    with pytest.raises(MissingCapability, match="no folder image_encoder beside it"):
        generator.open_encoder()
    with pytest.raises(InputError, match="by an image encoder that is not beside it"):
        generator.check_space(bundled)


def test_noise_and_embeddings_that_cannot_be(generators: Generators) -> None:
    generator = read_generator(generators["image_variation"].folder)
    for level in (-1, 1000):
        with pytest.raises(InputError, match=rf"expected 0 \(the picture as it is\) to 999, got {level}"):
            variations(generator, np.ones((1, 64)), noise_level=level)
    with pytest.raises(InputError, match="no finite numbers"):
        variations(generator, np.full((1, 64), np.nan))


def test_what_takes_no_picture_embedding(generators: Generators, tmp_path: Path) -> None:
    def refused(path: Path, match: str) -> None:
        with pytest.raises(CheckpointError, match=match):
            read_generator(path)

    def adapter(**shapes: tuple[int, ...]) -> Path:
        file = tmp_path / "adapter.safetensors"
        save_file({name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}, file)
        return file

    refused(tmp_path / "none", "there is no file or folder")
    refused(generators["stable_diffusion_1"].folder, r"\(StableDiffusionPipeline\) paints from texts")
    refused(adapter(image_proj__latents=(1, 16, 8)), "a plus adapter, which takes the image encoder's hidden states")
    refused(adapter(image_proj__proj__0__weight=(8, 8)), "a full-face or FaceID adapter")
    refused(adapter(something=(8, 8)), r"is no IP-Adapter: expected image_proj\.proj\.weight, got something")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "name its one file; got none")


@pytest.mark.parametrize(
    ("file", "change", "match"),
    [
        ("unet/config.json", {"projection_class_embeddings_input_dim": 96}, "its unet takes 96 numbers"),
        ("image_noising_scheduler/scheduler_config.json", {"beta_schedule": "sigmoid"}, "got 'sigmoid'"),
        ("image_noising_scheduler/scheduler_config.json", {"num_train_timesteps": 1e12}, "whole number from 1 to"),
        ("image_noising_scheduler/scheduler_config.json", {"trained_betas": [0.1]}, "trained betas"),
    ],
)
def test_a_generator_that_contradicts_itself(
    generators: Generators, tmp_path: Path, file: str, change: dict[str, Any], match: str
) -> None:
    folder = shutil.copytree(generators["image_variation"].folder, tmp_path / "odd")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    with pytest.raises(CheckpointError, match=match):
        read_generator(folder)


def test_parts_of_a_generator_that_are_missing(generators: Generators, tmp_path: Path) -> None:
    folder = shutil.copytree(generators["image_variation"].folder, tmp_path / "odd")
    (folder / "image_noising_scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"scheduler_config\.json is missing"):
        read_generator(folder)
    (folder / "image_normalizer" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        read_generator(folder)


def test_a_file_of_tensors_says_how_they_were_made(generators: Generators, tmp_path: Path) -> None:
    generator = read_generator(generators["image_variation"].folder)
    variations(generator, np.ones((2, 64)), noise_level=3).save(tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", framework="np") as file:
        assert set(file.keys()) == {"image_embeds", "class_labels"}
        assert file.get_tensor("class_labels").shape == (2, 128)
        assert file.metadata()["noise_level"] == "3"


def test_points_get_the_lengths_of_pictures() -> None:
    found = lengthened(np.eye(3)[:2], np.array([2.0, 5.0]))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [2, 5])
