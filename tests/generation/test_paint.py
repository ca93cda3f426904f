"""examples/paint.py, with whole pipelines: what it paints, and what it refuses before it opens anything."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file, save_file

from seesay.errors import CheckpointError, InputError, SeeSayError
from tests.conftest import PHOTOS
from tests.generation.conftest import Generators

EXAMPLE = PHOTOS.parent / "paint.py"
PHOTO = PHOTOS / "vehicles" / "sailing-boat.jpg"
Painter = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("paint", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def paints(example: ModuleType, tmp_path: Path) -> Painter:
    """paints("a cat", checkpoint=...) -> pixels; an error of the command is raised."""

    def run(*texts: str, size: str = "16", **options: object) -> np.ndarray:
        output = tmp_path / "made.png"
        values = {"steps": 2, "size": size, "o": output} | options
        named = [
            word for name, value in values.items() for word in (f"-{'-' * (len(name) > 1)}{name.replace('_', '-')}", str(value))
        ]
        done = CliRunner().invoke(example.paint, [*texts, *named])
        if done.exception is not None:
            raise done.exception
        with Image.open(str(values["o"])) as picture:
            return np.asarray(picture)

    return run


@pytest.mark.parametrize("name", ["stable_diffusion_1", "stable_diffusion_2", "stable_diffusion_xl"])
def test_folder_and_file_paint_what_the_pipeline_paints(name: str, paints: Painter, generators: Generators) -> None:
    import torch

    made, prompt = generators[name], "a cat in sunglasses"
    made.pipeline.set_progress_bar_config(disable=True)
    size = {"height": 16, "width": 24, "num_inference_steps": 2, "guidance_scale": 7.5}
    seed = torch.Generator().manual_seed(3)
    expected = np.asarray(made.pipeline(prompt, negative_prompt="fog", generator=seed, **size).images[0]).astype(int)
    folder = paints(prompt, checkpoint=made.folder, negative="fog", seed=3, size="24x16")
    file = paints(prompt, checkpoint=made.file, config=made.folder, negative="fog", seed=3, size="24x16")
    assert np.abs(folder - expected).max() <= 1
    np.testing.assert_array_equal(folder, file)


def test_what_is_asked_for_changes_the_picture(paints: Painter, generators: Generators) -> None:
    folder = generators["stable_diffusion_1"].folder
    plain = paints("a cat", checkpoint=folder)
    for changed in ({"clip_skip": 1}, {"seed": 1}, {"negative": "fog"}, {"guidance": 2}):
        assert (paints("a cat", checkpoint=folder, **changed) != plain).any(), changed
    assert (paints("a (cat:1.5)", checkpoint=folder) != plain).any()


def test_new_words_and_lora_change_the_picture(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    folder, plain = generators["stable_diffusion_1"].folder, paints("a cat", checkpoint=generators["stable_diffusion_1"].folder)
    width = generators["stable_diffusion_1"].pipeline.text_encoder.config.hidden_size
    word, lora = tmp_path / "mystyle.safetensors", tmp_path / "lora.safetensors"
    save_file({"emb_params": torch.randn(2, width, generator=torch.Generator().manual_seed(0))}, word)
    at = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    save_file({f"{at}.lora_down.weight": torch.ones(1, width), f"{at}.lora_up.weight": torch.ones(width, 1)}, lora)
    assert (paints("a mystyle", checkpoint=folder, embedding=word) != paints("a mystyle", checkpoint=folder)).any()
    assert (paints("a cat", checkpoint=folder, lora=lora) != plain).any()
    np.testing.assert_array_equal(paints("a cat", checkpoint=folder, lora=f"{lora}:0"), plain)
    with pytest.raises(InputError, match="expected a number after the file"):
        paints("a cat", checkpoint=folder, lora=f"{lora}:much")


def test_nothing_else_is_printed(generators: Generators, tmp_path: Path) -> None:
    made, output = generators["image_variation"].folder, tmp_path / "made.png"
    named = ("--checkpoint", made, "--like", PHOTO, "--steps", "1", "--size", "16", "-o", output)
    command = [sys.executable, *map(str, (EXAMPLE, *named))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.count("\n"), done.stderr.startswith("Painted ")) == ("", 1, True), done.stderr


def test_a_ckpt_is_refused_and_converted_as_the_docs_say(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    made = generators["stable_diffusion_1"]
    torch.save({"state_dict": load_file(made.file), "global_step": 1}, tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="From .ckpt to .safetensors"):
        paints("a cat", checkpoint=tmp_path / "model.ckpt", config=made.folder)
    page = (EXAMPLE.parent.parent / "docs" / "generation.md").read_text(encoding="utf-8")
    code = page.split("### From .ckpt to .safetensors")[1].split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(
        paints("a cat", checkpoint=tmp_path / "model.safetensors", config=made.folder),
        paints("a cat", checkpoint=made.file, config=made.folder),
    )


def test_a_picture_is_varied_with_stable_unclip(paints: Painter, generators: Generators) -> None:
    folder = generators["image_variation"].folder
    boat, again = (paints(checkpoint=folder, like=PHOTO) for _ in range(2))
    other = paints(checkpoint=folder, like=next((PHOTOS / "food").glob("*.jpg")))
    np.testing.assert_array_equal(boat, again)
    assert (boat != other).any()


def test_an_ip_adapter_paints_in_the_manner_of_a_picture(paints: Painter, generators: Generators) -> None:
    folder, adapter = (
        generators["stable_diffusion_1"].folder,
        generators["ip_adapter"].folder / "models" / "ip-adapter.safetensors",
    )
    boat = paints("a cat", checkpoint=folder, like=PHOTO, adapter=adapter)
    assert (boat != paints("a cat", checkpoint=folder)).any()
    with pytest.raises(CheckpointError, match="does not fit this generator"):
        paints("a cat", checkpoint=generators["stable_diffusion_xl"].folder, like=PHOTO, adapter=adapter)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ((), {}, "nothing to paint"),
        (("a cat",), {"size": "20"}, "--size: expected pixels such as 512"),
        (("a cat",), {"size": "axb"}, "--size: expected pixels"),
        (("a cat",), {"o": "cat.bmp"}, "expected a name that ends with .png"),
        (("a cat",), {"adapter": "a.safetensors"}, "--adapter needs a picture"),
        (("a (cat",), {}, "never closed"),
        (("a cat",), {"clip_skip": 9}, "clip_skip: expected 0 to 3"),
    ],
)
def test_arguments_that_cannot_be(
    texts: tuple[str, ...], options: dict[str, object], message: str, paints: Painter, generators: Generators
) -> None:
    with pytest.raises(InputError, match=message):
        paints(*texts, checkpoint=generators["stable_diffusion_1"].folder, **options)


def test_checkpoints_that_cannot_paint(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    made = generators["stable_diffusion_1"]
    with pytest.raises(SeeSayError, match="nowhere"):
        paints("a cat", checkpoint=tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match=r"model_index\.json is missing"):
        paints("a cat", checkpoint=tmp_path)
    with pytest.raises(CheckpointError, match="StableUnCLIPImg2ImgPipeline, or an IP-Adapter"):
        paints("a cat", checkpoint=made.folder, like=PHOTO)
    with pytest.raises(CheckpointError, match="paints from texts"):
        paints("a cat", checkpoint=made.file, like=PHOTO)


def test_no_code_of_a_folder_is_run(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    folder = shutil.copytree(generators["stable_diffusion_1"].folder, tmp_path / "folder")
    index = folder / "model_index.json"
    text = index.read_text(encoding="utf-8").replace('"diffusers",\n    "UNet2DConditionModel"', '"painter",\n    "Painter"')
    assert "Painter" in text
    index.write_text(text, encoding="utf-8")
    for place in (folder, folder / "unet"):
        (place / "painter.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Painter: pass\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match="takes its unet from .* may be any code"):
        paints("a cat", checkpoint=folder)
    assert not (tmp_path / "ran").exists()


def test_no_pickle_is_opened(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    folder = shutil.copytree(generators["stable_diffusion_1"].folder, tmp_path / "folder")
    weights = next((folder / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(CheckpointError, match="could not be opened by diffusers"):
        paints("a cat", checkpoint=folder)


def test_the_picture_to_vary_is_not_written_over(paints: Painter, generators: Generators, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    shutil.copy(PHOTO, photo)
    with pytest.raises(InputError, match="name another file"):
        paints(checkpoint=generators["image_variation"].folder, like=photo, o=photo)
    assert photo.read_bytes() == PHOTO.read_bytes()
