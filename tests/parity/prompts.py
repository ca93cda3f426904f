"""What generators are given for prompts, against diffusers, PEFT, compel and the rule of web interfaces.

    python -m tests.parity.prompts [--store]

runs in the environment with transformers 4, diffusers, PEFT and compel (requirements-parity-transformers4.txt), with SeeSay in
PYTHONPATH. Tiny generators (tests/generation/tiny.py) are opened by diffusers' own pipelines, which encode the prompts; weights
are compel's, or web interfaces' by their formula on what transformers gives. Ours must be within 1e-5. --store writes theirs to
`data/prompts.npz`, with which tests/generation/test_parity.py compares.
"""

import importlib
import sys
import tempfile
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from tests.generation.parity_cases import CASES, Case, differences, sample
from tests.generation.tiny import generator

DATA = Path(__file__).parent / "data" / "prompts.npz"
TOLERANCE = 1e-5
NAMES = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")
library: Any = diffusers
compel: Any = importlib.import_module("compel") if find_spec("compel") else None  # it brings much with it
PIPELINES = {
    "sd1": "StableDiffusionPipeline",
    "taiyi": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "sdxl-refiner": "StableDiffusionXLImg2ImgPipeline",
    "sd3": "StableDiffusion3Pipeline",
}
PAINTERS = {
    "sd1": ("unet", "vae", "scheduler", "safety_checker", "feature_extractor", "image_encoder"),
    "taiyi": ("unet", "vae", "scheduler", "safety_checker", "feature_extractor", "image_encoder"),
    "sdxl": ("unet", "vae", "scheduler", "feature_extractor", "image_encoder"),
    "sdxl-refiner": ("unet", "vae", "scheduler", "feature_extractor", "image_encoder", "text_encoder", "tokenizer"),
    "sd3": ("vae", "scheduler", "feature_extractor", "image_encoder", "text_encoder_3", "tokenizer_3"),
}


def pipeline(case: Case, folder: Path) -> Any:
    absent: dict[str, Any] = dict.fromkeys(PAINTERS[case.family])
    if case.family == "sd3":
        absent["transformer"] = library.SD3Transformer2DModel(
            sample_size=4,
            patch_size=1,
            in_channels=4,
            num_layers=1,
            num_attention_heads=1,
            attention_head_dim=8,
            joint_attention_dim=32,
        )
    if case.family == "sdxl-refiner":
        absent["requires_aesthetics_score"] = True
    found = getattr(library, PIPELINES[case.family]).from_pretrained(folder, **absent)
    for name, scale in case.lora_files(folder.parent):
        load_lora(found, name, scale)
    if case.embedding is not None:
        load_embedding(found, case, folder.parent)
    return found


def load_lora(found: Any, file: Path, scale: float) -> None:
    """Into the text encoders only: these pipelines have no painter."""
    state, alphas, metadata = found.lora_state_dict(str(file), return_lora_metadata=True)
    for part in ("text_encoder", "text_encoder_2"):
        if getattr(found, part, None) is not None and any(name.startswith(f"{part}.") for name in state):
            encoder = getattr(found, part)
            found.load_lora_into_text_encoder(state, alphas, encoder, prefix=part, metadata=metadata, adapter_name="changed")
            library.utils.set_weights_and_activate_adapters(encoder, ["changed"], [scale])


def load_embedding(found: Any, case: Case, place: Path) -> None:
    path, word = case.embedding_file(place)
    if case.family == "sdxl":
        from safetensors.torch import load_file

        tensors = load_file(path)
        found.load_textual_inversion(tensors["clip_l"], token=word, text_encoder=found.text_encoder, tokenizer=found.tokenizer)
        found.load_textual_inversion(
            tensors["clip_g"], token=word, text_encoder=found.text_encoder_2, tokenizer=found.tokenizer_2
        )
    else:
        found.load_textual_inversion(str(path), token=word)


def piped(case: Case, found: Any) -> dict[str, torch.Tensor]:
    """What the pipeline makes of the prompts."""
    options: dict[str, Any] = {"clip_skip": case.clip_skip}
    if case.family == "sd3":
        tensors = found.encode_prompt(case.prompt, case.prompt, case.prompt, "cpu", negative_prompt=case.negative, **options)
    elif case.family in ("sd1", "taiyi"):
        tensors = found.encode_prompt(case.prompt, "cpu", 1, True, case.negative, **options)
    else:
        tensors = found.encode_prompt(case.prompt, None, "cpu", 1, True, case.negative, **options)
    return dict(zip(NAMES, tensors, strict=False))


def by_compel(case: Case, found: Any) -> dict[str, torch.Tensor]:
    kinds = compel.ReturnedEmbeddingsType
    if case.family in ("sd1", "taiyi"):
        return {"prompt_embeds": compel.Compel(found.tokenizer, found.text_encoder)(case.compel)}
    second = [(found.tokenizer, found.text_encoder), (found.tokenizer_2, found.text_encoder_2)]
    kind = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED
    parts = [compel.Compel(tokenizer, encoder, returned_embeddings_type=kind)(case.compel) for tokenizer, encoder in second]
    return {"prompt_embeds": torch.cat(parts, dim=-1)}


def by_formula(case: Case, found: Any) -> dict[str, torch.Tensor]:
    """Web interfaces: the states times the weights, then times the mean before over the mean after."""
    ids = found.tokenizer(case.plain, padding="max_length", max_length=77, return_tensors="pt").input_ids
    z = found.text_encoder(ids)[0]
    weights = torch.ones(77)
    for at, weight in case.token_weights.items():
        weights[at] = weight
    scaled = z * weights[None, :, None]
    return {"prompt_embeds": scaled * (z.mean() / scaled.mean())}


def main() -> int:
    warnings.simplefilter("ignore")
    library.utils.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    stored: dict[str, np.ndarray] = {}
    worst = 0.0
    for case in CASES:
        if case.by == "compel" and compel is None:
            print(f"{case.name:32} compel is not here")
            continue
        with tempfile.TemporaryDirectory() as place, torch.no_grad():
            folder = generator(Path(place) / "generator", case.family, **case.index)
            found = pipeline(case, folder)
            theirs = {"pipeline": piped, "compel": by_compel, "formula": by_formula}[case.by](case, found)
            expected = {name: tensor.numpy() for name, tensor in theirs.items() if tensor is not None}
            largest = differences(case, Path(place), folder, expected)
        worst = max(worst, largest)
        print(f"{case.name:32} {case.by:9} {largest:.1e}")
        stored |= {f"{case.name}/{name}": sample(value) for name, value in expected.items()}
    print(
        f"diffusers {library.__version__}, compel {version('compel') if compel else 'not here'}: largest difference {worst:.1e}"
    )
    if "--store" in sys.argv:
        savez: Any = np.savez_compressed
        savez(DATA, **stored)
        print(f"wrote {DATA}, {DATA.stat().st_size} bytes")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
