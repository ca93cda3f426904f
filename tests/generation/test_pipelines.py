"""The pipelines of these tests are what they stand for: diffusers runs them, and the single files equal the folders."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.generation.conftest import Generators

PAINTERS = ("stable_diffusion_1", "stable_diffusion_2", "stable_diffusion_xl")


def painted(pipeline: Any, **inputs: Any) -> np.ndarray:
    """(B, 4, H, W): what a pipeline paints in two steps from seed 0, before it is decoded."""
    import torch

    pipeline.set_progress_bar_config(disable=True)
    seed = torch.Generator().manual_seed(0)
    found = pipeline(**inputs, num_inference_steps=2, height=16, width=16, generator=seed, output_type="latent")
    return np.asarray(found.images)


@pytest.mark.parametrize("name", PAINTERS)
def test_what_is_painted_depends_on_the_prompt(name: str, generators: Generators) -> None:
    pipeline = generators[name].pipeline
    cat, dog = (painted(pipeline, prompt=f"a {animal} in sunglasses") for animal in ("cat", "dog"))
    assert np.isfinite(cat).all()
    assert np.abs(cat - dog).max() > 0.01


@pytest.mark.parametrize("name", PAINTERS)
def test_a_single_file_paints_what_its_folder_paints(name: str, generators: Generators) -> None:
    made = generators[name]
    single = type(made.pipeline).from_single_file(str(made.file), config=str(made.folder), local_files_only=True)
    np.testing.assert_array_equal(painted(single, prompt="a cat"), painted(made.pipeline, prompt="a cat"))


def picture(colour: str) -> Image.Image:
    image = Image.linear_gradient("L").resize((48, 40)).convert("RGB")
    image.paste(colour, (10, 10, 30, 25))
    return image


def test_an_image_variation_depends_on_its_picture(generators: Generators) -> None:
    pipeline = generators["image_variation"].pipeline
    red, blue = (painted(pipeline, image=picture(colour), prompt="") for colour in ("red", "blue"))
    assert np.abs(red - blue).max() > 0.01


def test_an_ip_adapter_depends_on_its_picture_by_its_scale(generators: Generators) -> None:
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline.from_pretrained(generators["stable_diffusion_1"].folder)
    plain = painted(pipeline, prompt="a cat")
    adapter = generators["ip_adapter"].folder
    pipeline.load_ip_adapter(str(adapter), subfolder="models", weight_name="ip-adapter.safetensors")
    red, blue = (painted(pipeline, prompt="a cat", ip_adapter_image=picture(colour)) for colour in ("red", "blue"))
    assert np.abs(red - blue).max() > 0.01
    pipeline.set_ip_adapter_scale(0.0)
    np.testing.assert_allclose(painted(pipeline, prompt="a cat", ip_adapter_image=picture("red")), plain, atol=1e-4)


def test_img2img_looks_at_its_picture_with_the_autoencoder_alone(generators: Generators) -> None:
    from diffusers import StableDiffusionImg2ImgPipeline

    parts = generators["stable_diffusion_1"].pipeline.components
    pipeline = StableDiffusionImg2ImgPipeline(**parts, requires_safety_checker=False)
    assert pipeline.image_encoder is None
    looked: list[Any] = []
    hook = pipeline.vae.encoder.register_forward_hook(lambda _module, inputs, _output: looked.append(inputs[0].shape))
    pipeline.set_progress_bar_config(disable=True)
    pipeline("a cat", image=picture("red").resize((16, 16)), num_inference_steps=2, output_type="latent")
    hook.remove()
    assert looked == [(1, 3, 16, 16)]
