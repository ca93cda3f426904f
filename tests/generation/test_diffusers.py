"""What SeeSay gives for a prompt is what diffusers' own pipelines make of it, and paints the same picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seesay.generation.conditioner import Conditioner
from tests.generation.conftest import Generator, Generators
from tests.generation.test_pipelines import PAINTERS, painted

EXACT = 1e-5
PROMPTS = (
    ("a cat in sunglasses", None),
    ("a cat in sunglasses, on a red sofa; photo (85mm)", "blurry, low quality"),
    ("", "text"),
    ("Ein Café in Zürich, 1920s, naïve painting", ""),
    ("the sea " * 36 + "at night", "people"),  # fills the 75 tokens of a context but one
)
POOLED = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")


@pytest.fixture(scope="module", params=[f"{name}-{kind}" for name in PAINTERS for kind in ("folder", "file")])
def opened(request: pytest.FixtureRequest, generators: Generators) -> tuple[Generator, Conditioner]:
    name, kind = request.param.split("-")
    made = generators[name]
    return made, made.conditioners[kind]


def encoded(pipeline: Any, prompt: str | list[str], negative: str | list[str] | None, **settings: Any) -> dict[str, Any]:
    """What the pipeline's own path makes of prompts."""
    settings |= {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": True}
    found = pipeline.encode_prompt(prompt, negative_prompt=negative, **settings)
    return dict(zip(("prompt_embeds", "negative_prompt_embeds", *POOLED), found, strict=False))


def check_equal(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert set(ours) == set(theirs)
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype, name
        np.testing.assert_allclose(ours[name].numpy(), tensor.detach().numpy(), atol=EXACT, rtol=0, err_msg=name)


@pytest.mark.filterwarnings("ignore:the prompt is empty")
@pytest.mark.parametrize(("prompt", "negative"), PROMPTS)
def test_embeds_equal_the_pipelines_own(prompt: str, negative: str | None, opened: tuple[Generator, Conditioner]) -> None:
    made, conditioner = opened
    check_equal(conditioner(prompt, negative, rule="none").tensors, encoded(made.pipeline, prompt, negative))


def test_several_prompts_equal_a_batch(opened: tuple[Generator, Conditioner]) -> None:
    import torch

    made, conditioner = opened
    prompts, negatives = ["a cat", "two dogs on a long beach"], ["rain", "people, text"]
    each = [conditioner(*pair).tensors for pair in zip(prompts, negatives, strict=True)]
    ours = {name: torch.cat([tensors[name] for tensors in each]) for name in each[0]}
    check_equal(ours, encoded(made.pipeline, prompts, negatives))


def test_the_picture_is_the_one_that_the_prompt_paints(opened: tuple[Generator, Conditioner]) -> None:
    made, conditioner = opened
    prompt, negative = "a cat in sunglasses", "blurry"
    by_prompt = painted(made.pipeline, prompt=prompt, negative_prompt=negative)
    by_embeds = painted(made.pipeline, **conditioner(prompt, negative).tensors)
    assert np.abs(by_prompt).max() > 0.1
    np.testing.assert_allclose(by_embeds, by_prompt, atol=1e-4 * np.abs(by_prompt).max())


def test_a_long_prompt_paints(opened: tuple[Generator, Conditioner]) -> None:
    made, conditioner = opened
    tensors = conditioner("a red house by the sea, " * 30, "people").tensors
    assert tensors["prompt_embeds"].shape[1] % 77 == 0
    assert tensors["prompt_embeds"].shape == tensors["negative_prompt_embeds"].shape
    assert tensors["prompt_embeds"].shape[1] > 77
    short = painted(made.pipeline, **conditioner("a red house by the sea", "people").tensors)
    assert np.abs(painted(made.pipeline, **tensors) - short).max() > 0.01


def test_saved_tensors_paint_the_same(opened: tuple[Generator, Conditioner], tmp_path: Path) -> None:
    from safetensors.torch import load_file

    made, conditioner = opened
    found = conditioner("a (red:1.3) house", "fog")
    found.save(tmp_path / "prompt.safetensors")
    read = load_file(tmp_path / "prompt.safetensors")
    np.testing.assert_array_equal(painted(made.pipeline, **read), painted(made.pipeline, **found.tensors))
