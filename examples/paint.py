"""Paints a prompt with Stable Diffusion: SeeSay reads the prompt, diffusers paints.

    python examples/paint.py "a cat in sunglasses" --checkpoint FOLDER|FILE -o cat.png
    python examples/paint.py "in the snow" --checkpoint FOLDER --like photo.jpg [--adapter FILE]

The checkpoint is a diffusers folder of Stable Diffusion 1, 2 or XL, or one safetensors file of such a model, as web interfaces
use them. Weights like (word:1.3), BREAK, --embedding, --lora and prompts of any length work as in `seesay condition`.

With --like, a folder of Stable unCLIP paints variations of a picture; any other paints the prompt in a picture's manner, by an
IP-Adapter. Needs the extra `generation`. Nothing that lies in a folder is run, and no pickle is given to diffusers.
"""

import inspect
import math
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from seesay.errors import CheckpointError, InputError, MissingExtra, SeeSayError, UnusualPrompt
from seesay.generation.conditioner import Conditioner
from seesay.generation.lora import Lora, read_lora
from seesay.system.files import atomic_write
from seesay.system.schema import read_object

FAMILIES = {"sd1": "StableDiffusionPipeline", "sd2": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}
VARIATION = "StableUnCLIPImg2ImgPipeline"
LIBRARIES = (None, "diffusers", "transformers", "stable_diffusion", "stable_diffusion_xl")  # of a folder's parts
DONE_BY_SEESAY = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

console = Console(stderr=True, highlight=False)
help_text = (__doc__ or "").replace("\n\n    python", "\n\n\b\n    python")


@click.command(help=help_text, context_settings={"max_content_width": 120})
@click.argument("prompt", default="")
@click.option("--checkpoint", required=True, type=click.Path(path_type=Path), help="The generator: a folder, or one file.")
@click.option("--config", type=click.Path(path_type=Path), help="With one file: a folder of the same model, for its settings.")
@click.option("--negative", help="What the picture should not show.")
@click.option("--clip-skip", type=int, help="Layers to skip, as diffusers counts: 1 is what web interfaces call 2.")
@click.option(
    "--embedding", "embeddings", multiple=True, type=click.Path(path_type=Path), help="A textual inversion; may be repeated."
)
@click.option("--lora", "loras", multiple=True, metavar="FILE[:SCALE]", help="A LoRA; may be repeated. Its painter needs peft.")
@click.option("--like", type=click.Path(path_type=Path), help="A picture to vary.")
@click.option("--adapter", type=click.Path(path_type=Path), help="With --like: an IP-Adapter's file.")
@click.option("--seed", default=0, show_default=True, help="The same seed paints the same picture.")
@click.option("--steps", default=25, show_default=True, type=click.IntRange(1, 1000), help="Steps of painting.")
@click.option("--guidance", default=7.5, show_default=True, help="How closely to follow the prompt.")
@click.option("--size", metavar="N|WxH", help="Pixels, a multiple of 8. Default: as the generator was trained.")
@click.option("-o", "output", default="painted.png", show_default=True, type=click.Path(path_type=Path), help="The picture.")
def paint(
    prompt: str,
    checkpoint: Path,
    config: Path | None,
    negative: str | None,
    clip_skip: int | None,
    embeddings: tuple[Path, ...],
    loras: tuple[str, ...],
    like: Path | None,
    adapter: Path | None,
    size: str | None,
    output: Path,
    **settings: Any,
) -> None:
    """The command: reads the prompt, opens the generator, paints, and writes the picture."""
    pixels = size_inputs(size)
    check_files(prompt, like, adapter, output)
    started = time.monotonic()
    varies = like is not None and adapter is None
    kind = folder_kind(checkpoint, varies=varies) if checkpoint.is_dir() else None
    changes = [read_lora(*lora_scale(each)) for each in loras]
    with console.status("Reading the prompt"):
        conditioner = Conditioner(checkpoint, embeddings=embeddings, loras=changes)
        inputs = prompt_inputs(conditioner, prompt, negative, clip_skip)
    kind = kind or file_kind(checkpoint, conditioner.family, varies=varies)
    if like is not None:
        with console.status("Looking at the picture"):
            inputs |= picture_inputs(adapter or checkpoint, like)
    with console.status("Opening the generator"):
        pipeline = open_pipeline(kind, checkpoint, config)
        if adapter is not None:
            add_adapter(pipeline, adapter)
        add_loras(pipeline, changes)
    picture = painted(pipeline, inputs | pixels, **settings)
    with atomic_write(output) as draft:
        picture.save(draft, format=FORMATS[output.suffix.lower()])
    console.print(f"Painted {output} in {time.monotonic() - started:.1f} s.", soft_wrap=True, markup=False)


def lora_scale(given: str) -> tuple[Path, float]:
    """The file and the scale of --lora FILE[:SCALE]. Raises InputError for a scale that is no finite number."""
    file, colon, number = given.rpartition(":")
    if not colon or Path(given).exists() or not Path(file).exists():
        return Path(given), 1.0
    try:
        scale = float(number)
    except ValueError:
        scale = math.nan
    if not math.isfinite(scale):
        raise InputError(f"--lora: expected a number after the file, such as {file}:0.7, got {number!r}")
    return Path(file), scale


def size_inputs(size: str | None) -> dict[str, int]:
    """Width and height, where they were given. Raises InputError."""
    if size is None:
        return {}
    width, _, height = size.lower().partition("x")
    sides = [int(side) if side.isascii() and side.isdigit() else 0 for side in (width, height or width)]
    if not all(8 <= side <= 4096 and side % 8 == 0 for side in sides):
        raise InputError(f"--size: expected pixels such as 512 or 768x512, multiples of 8 up to 4096; got {size!r}")
    return {"width": sides[0], "height": sides[1]}


def check_files(prompt: str, like: Path | None, adapter: Path | None, output: Path) -> None:
    """Raises InputError for arguments that do not go together, before anything is read."""
    if not prompt and like is None:
        raise InputError('nothing to paint: give a prompt, such as "a cat in sunglasses", or a picture to vary (--like)')
    if adapter is not None and like is None:
        raise InputError("--adapter needs a picture: --like photo.jpg")
    if output.suffix.lower() not in FORMATS:
        raise InputError(f"-o: expected a name that ends with .png, .jpg or .webp, got {output.name}")
    if like is not None and output.exists() and like.exists() and output.samefile(like):
        raise InputError(f"-o: {output} is the picture of --like; name another file")


def folder_kind(folder: Path, *, varies: bool) -> str:
    """The class of a folder's pipeline. Raises CheckpointError for another one, and where a part would come from elsewhere."""
    file = folder / "model_index.json"
    if not file.is_file():
        raise CheckpointError(f"{folder} is no diffusers folder: {file.name} is missing")
    index = read_object(file)
    kind, known = index.get("_class_name"), [VARIATION] if varies else sorted(set(FAMILIES.values()))
    if kind not in known:
        more = ", or an IP-Adapter for this one (--adapter)" if varies else ""
        raise CheckpointError(f"{folder} is a folder of {kind!r:.80}; expected {' or '.join(known)}{more}")
    for part, value in index.items():
        if isinstance(value, list) and (not value or value[0] not in LIBRARIES):
            raise CheckpointError(f"{file} takes its {part:.40} from {value!r:.80}, which may be any code; it is not opened")
    return str(kind)


def file_kind(file: Path, family: str | None, *, varies: bool) -> str:
    """The class of pipeline for one file. Raises CheckpointError."""
    if varies:
        raise CheckpointError(
            f"--like: {file} paints from texts; expected a folder of {VARIATION}, or an IP-Adapter (--adapter)"
        )
    if family not in FAMILIES:
        raise CheckpointError(f"{file} is of the family {family}; expected Stable Diffusion 1, 2 or XL")
    if file.suffix != ".safetensors":
        raise CheckpointError(
            f"{file}: expected a .safetensors file; diffusers is given no pickle here. A few lines of Python convert it, and "
            "run nothing in it: docs/generation.md, 'From .ckpt to .safetensors'"
        )
    return FAMILIES[family]


def prompt_inputs(conditioner: Conditioner, prompt: str, negative: str | None, clip_skip: int | None) -> dict[str, Any]:
    """What SeeSay makes of the prompt. Raises InputError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusualPrompt)  # printed below
        found = conditioner(prompt, negative, clip_skip=clip_skip)
    for note in found.notes if prompt else ():
        console.print(f"Note: {note}.", soft_wrap=True, markup=False)
    return dict(found.tensors)


def picture_inputs(generator: Path, picture: Path) -> dict[str, Any]:
    """What SeeSay makes of the picture, with the image encoder that lies beside the generator. Raises SeeSayError."""
    import torch

    from seesay.generation.image_generator import read_generator
    from seesay.generation.variations import variations

    found = read_generator(generator)
    made = variations(found, found.open_encoder().encode_image([picture], normalize=False)).tensors
    if "image_embeds" in made:
        return {"image_embeds": torch.from_numpy(made["image_embeds"])}
    return {"ip_adapter_image_embeds": [torch.from_numpy(made["ip_adapter_image_embeds"])]}


def open_pipeline(kind: str, checkpoint: Path, config: Path | None) -> Any:
    """The pipeline without text encoders, whose work is done. Raises CheckpointError, MissingExtra."""
    try:
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        import diffusers
    except ImportError:
        raise MissingExtra("painting", "generation") from None
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    known = getattr(diffusers, kind)
    spared = (*DONE_BY_SEESAY, "feature_extractor" if kind == VARIATION else "image_encoder")
    without = {part: None for part in spared if part in inspect.signature(known.__init__).parameters}
    try:
        if checkpoint.is_dir():
            return known.from_pretrained(checkpoint, use_safetensors=True, **without)
        settings = {} if config is None else {"config": str(config), "local_files_only": True}
        return known.from_single_file(str(checkpoint), **settings, **without)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        hint = "" if checkpoint.is_dir() or config else "; without a network, name a folder of the same model (--config)"
        raise CheckpointError(f"{checkpoint} could not be opened by diffusers: {reason}{hint}") from None


def add_adapter(pipeline: Any, file: Path) -> None:
    """Gives an IP-Adapter's tensors to a pipeline. Raises CheckpointError."""
    from seesay.checkpoints.containers.weights import open_weights

    weights, parts = open_weights(file), ("image_proj", "ip_adapter")
    state = {
        part: {name.removeprefix(f"{part}."): weights.read(name) for name in weights.names if name.startswith(f"{part}.")}
        for part in parts
    }
    try:
        pipeline.load_ip_adapter(state, subfolder="", weight_name=file.name, image_encoder_folder=None)
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:300]
        raise CheckpointError(f"{file} does not fit this generator: {reason}") from None


def add_loras(pipeline: Any, loras: list[Lora]) -> None:
    """Gives a pipeline's network what LoRA change in it; the text encoders have theirs already. Raises CheckpointError."""
    added: dict[str, float] = {}
    for number, lora in enumerate(loras):
        file, weights = lora.path, lora.weights
        state = {name: weights.read(name) for name in weights.names if name.startswith(("lora_unet_", "unet."))}
        if not state:
            continue
        if find_spec("peft") is None:
            console.print(
                f"Note: {file} also changes the network that paints, for which diffusers needs peft (pip install peft); only "
                "the text encoder has its changes.",
                soft_wrap=True,
                markup=False,
            )
            continue
        try:
            pipeline.load_lora_weights(state, adapter_name=f"lora{number}")
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0][:300]
            raise CheckpointError(f"{file} does not fit this generator: {reason}") from None
        added[f"lora{number}"] = lora.scale
    if added:
        pipeline.set_adapters(list(added), list(added.values()))


def painted(pipeline: Any, inputs: dict[str, Any], *, seed: int, steps: int, guidance: float) -> Any:
    """Paints, with a bar. Raises InputError where the size or memory does not suffice."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)

    def placed(value: Any) -> Any:
        return [placed(each) for each in value] if isinstance(value, list) else getattr(value, "to", lambda _: value)(device)

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("Painting", total=steps)

        def after(_pipeline: Any, _step: int, _time: int, tensors: dict[str, Any]) -> dict[str, Any]:
            bars.advance(task)
            return tensors

        accepted = inspect.signature(pipeline.__call__).parameters
        shown: dict[str, Any] = {"callback": lambda *_: bars.advance(task)}
        if "callback_on_step_end" in accepted:
            shown = {"callback_on_step_end": after}
        inputs = {name: placed(value) for name, value in inputs.items()} | shown
        generator = torch.Generator("cpu").manual_seed(seed)
        try:
            return pipeline(**inputs, generator=generator, num_inference_steps=steps, guidance_scale=guidance).images[0]
        except torch.OutOfMemoryError:
            raise InputError("there is not enough memory on the graphics card; try a smaller --size") from None


def main() -> None:
    """Errors that were foreseen are one line, without a traceback."""
    try:
        paint()
    except SeeSayError as error:
        sys.exit(f"paint: {error}")


if __name__ == "__main__":
    main()
