"""Text encoders in generators' files, against diffusers and transformers.

    python -m tests.parity.generators [--store]

runs in the environment with transformers 4 and diffusers (requirements-parity-transformers4.txt), with SeeSay in PYTHONPATH.
Every layout is written from tiny models whose parameters are all random, opened by diffusers' own conversion of single files
or by transformers, and by SeeSay; hidden states, the last norm and the projection are compared. --store writes the small ones
to `data/generators`, with which tests/checkpoints/test_generators.py compares.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.loaders import single_file_utils
from diffusers.pipelines.deprecated.alt_diffusion import modeling_roberta_series
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from seesay.checkpoints.diffusion import TextEncoderFile, text_encoders
from seesay.checkpoints.diffusion.prompts import PROMPTS
from seesay.checkpoints.overrides import Overrides
from seesay.tokenizers.to_files import transformers_files
from seesay.tokenizers.vocabulary import vocabulary
from tests import generator_files as files

# transformers' classes are called with settings from dicts, which its types do not allow for
roberta: Any = modeling_roberta_series
single_file: Any = single_file_utils
savez: Any = np.savez
bert_config: Any = BertConfig
DATA = Path(__file__).parent / "data" / "generators"
TOLERANCE = 5e-6
VOCABULARY = 90
ACTIVATIONS = {"clip_l": "quick_gelu", "clip_g": "gelu"}


def clip(kind: str, *, width: int, heads: int, layers: int, projected: bool, seed: int) -> Any:
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        hidden_act=ACTIVATIONS[kind],
        projection_dim=width,
        eos_token_id=VOCABULARY - 1,
        bos_token_id=VOCABULARY - 2,
        pad_token_id=VOCABULARY - 1,
        architectures=["CLIPTextModelWithProjection" if projected else "CLIPTextModel"],
    )
    return randomised((CLIPTextModelWithProjection if projected else CLIPTextModel)(config), seed)


def randomised(model: Any, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            is_norm = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(
                1 + 0.3 * drawn if is_norm else drawn * (parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 0.1)
            )
    return model.eval()


def ids(length: int = 77) -> torch.Tensor:
    drawn = torch.randint(0, VOCABULARY - 2, (3, length), generator=torch.Generator().manual_seed(7))
    drawn[:, 0] = VOCABULARY - 2
    for row, end in enumerate((length - 1, length // 2, 3)):
        drawn[row, end:] = VOCABULARY - 1
    return drawn


def of_transformers(model: Any) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        out = model(ids(), output_hidden_states=True)
    expected = {f"states.{i}": state for i, state in enumerate(out.hidden_states)}
    pooled = getattr(out, "text_embeds", None)
    return expected | {"last": out.last_hidden_state, "pooled": out.pooler_output if pooled is None else pooled}


def of_ours(encoder: TextEncoderFile) -> dict[str, torch.Tensor]:
    tower = encoder.load()
    with torch.no_grad():
        states = tower.hidden_states(ids())
        found = {f"states.{i}": state for i, state in enumerate(states)}
        return found | {"last": encoder.last_state(tower, states), "pooled": tower(ids())}


def difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys(), (ours.keys(), theirs.keys())
    return max(float((ours[name] - theirs[name]).abs().max()) for name in theirs)


def by_diffusers(file: Path, model: Any, folder: Path) -> Any:
    """The model that diffusers' conversion of single files makes, with this model's configuration."""
    (folder / "text").mkdir(exist_ok=True)
    model.config.save_pretrained(folder / "text")
    made = single_file.create_diffusers_clip_model_from_ldm(
        type(model), load_file(file), config=str(folder), subfolder="text", local_files_only=True
    )
    return made.eval()


def main() -> None:
    small: dict[str, Any] = {"width": 16, "heads": 2, "layers": 2}
    first = clip("clip_l", **small, projected=False, seed=1)
    first_projected = clip("clip_l", **small, projected=True, seed=2)
    second = clip("clip_g", width=32, heads=4, layers=2, projected=True, seed=3)
    wide = clip("clip_l", width=128, heads=2, layers=3, projected=False, seed=4)
    open_23 = clip("clip_g", **small | {"layers": 23}, projected=False, seed=5)
    open_24 = clip("clip_g", **small | {"layers": 24}, projected=True, seed=5)
    heads2, heads4, none = Overrides(text_heads=2), Overrides(text_heads=4), Overrides()
    cases: list[tuple[str, dict[str, torch.Tensor], list[tuple[Any, Overrides, bool]]]] = [
        ("sd1", files.sd1(first.state_dict()), [(first, heads2, True)]),
        ("sd1 wide", files.sd1(wide.state_dict()), [(wide, none, True)]),
        ("sd1 merged", files.merged_sd1(first.state_dict()), [(first, heads2, False)]),
        ("sd2", files.sd2(open_24.state_dict()), [(open_24, heads2, False)]),
        ("sdxl", files.sdxl(first.state_dict(), second.state_dict()), [(first, heads2, True), (second, heads4, True)]),
        ("refiner", files.refiner(second.state_dict()), [(second, heads4, True)]),
        (
            "sd3",
            files.sd3(first_projected.state_dict(), second.state_dict()),
            [(first_projected, heads2, False), (second, heads4, True)],
        ),
        ("clip_l", dict(first.state_dict()), [(first, heads2, False)]),
    ]
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, state, models in cases:
            file = files.write(state, folder / f"{title.replace(' ', '_')}.safetensors")
            for number, (model, overrides, converted) in enumerate(models):
                original = by_diffusers(file, model, folder) if converted else model
                stated = Overrides(text_heads=overrides.text_heads, activation=model.config.hidden_act)
                ours = of_ours(text_encoders(file, stated)[number])
                worst = max(worst, report(f"{title} {number}", difference(ours, of_transformers(original))))
        worst = max(worst, sd2_by_diffusers(folder, open_23, open_24), folders(folder, first, second))
        for title, (found, expected) in multilingual(folder).items():
            worst = max(worst, report(title, difference(found, expected)))
        tokens(folder)
    if "--store" in sys.argv:
        store(first, second)
    if worst > TOLERANCE:
        raise SystemExit(f"differs by {worst}")


def report(title: str, value: float) -> float:
    print(f"{title:24} largest difference {value:.1e}")
    return value


def sd2_by_diffusers(folder: Path, open_23: Any, open_24: Any) -> float:
    """Stable Diffusion 2: diffusers makes 23 layers of the file's 24; their last norm follows layer 23 of either."""
    file = folder / "sd2.safetensors"
    made = by_diffusers(file, open_23, folder)
    encoder = text_encoders(file, Overrides(text_heads=2))[0]
    tower: Any = encoder.load()
    with torch.no_grad():
        theirs = made(ids()).last_hidden_state
        ours = tower.norm_after(tower.hidden_states(ids())[-2])
    return report("sd2, 23 of 24 layers", float((ours - theirs).abs().max()))


def folders(folder: Path, first: Any, second: Any) -> float:
    """transformers' own folders, whole, as a variant, in shards, as a pickle, and in half precision."""
    ways: dict[str, Callable[[Any, Path], Any]] = {
        "whole": lambda model, path: model.save_pretrained(path),
        "variant": lambda model, path: model.save_pretrained(path, variant="fp16"),
        "shards": lambda model, path: model.save_pretrained(path, max_shard_size="8KB"),
        "variant shards": lambda model, path: model.save_pretrained(path, max_shard_size="8KB", variant="fp16"),
        "pickle": lambda model, path: model.save_pretrained(path, safe_serialization=False),
    }
    worst = 0.0
    for way, save in ways.items():
        home = folder / way.replace(" ", "_")
        for name, model in (("text_encoder", first), ("text_encoder_2", second)):
            save(model, home / name)
        index = {"_class_name": "StableDiffusionXLPipeline", "text_encoder": ["transformers", "CLIPTextModel"]}
        index["text_encoder_2"] = ["transformers", "CLIPTextModelWithProjection"]
        (home / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
        for encoder, model in zip(text_encoders(home), (first, second), strict=True):
            worst = max(worst, report(f"folder, {way}", difference(of_ours(encoder), of_transformers(model))))
    return worst


def tokens(folder: Path) -> None:
    """English prompts as ids of CLIPTokenizer: by the packaged vocabulary, and by the tokenizer's files of a folder."""
    state = files.random_state(64, 1, 49408)
    single = files.write(files.sd1(state), folder / "tokens.safetensors", torch.float16)
    config = files.text_config(state, activation="gelu", heads=1)
    home = files.write_folder(
        folder / "tokens", "StableDiffusionPipeline", {"text_encoder": (state, config)}, "model.safetensors"
    )
    (home / "tokenizer").mkdir()
    for name, content in transformers_files(vocabulary("clip"), 77).items():
        text = content if isinstance(content, str) else json.dumps(content)
        (home / "tokenizer" / name).write_text(text, encoding="utf-8")
    prompts = [*PROMPTS, "", "word " * 100, "It's (a cat:1.3), isn't it?", "2 cats + 3 dogs..."]
    for pad, path in (("<|endoftext|>", single), ("!", home)):
        settings = {"pad_token": pad, "model_max_length": 77}
        (home / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
        theirs: Any = CLIPTokenizer.from_pretrained(home / "tokenizer", pad_token=pad)
        expected = theirs(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="np").input_ids
        found = text_encoders(path)[0].tokenizer()(prompts).ids
        report(f"ids, padded with {pad}", float((found != expected).sum()))
        assert (found == expected).all()


def multilingual(folder: Path) -> dict[str, tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]:
    """Taiyi's BertModel and AltDiffusion's two kinds of XLM-R, called as diffusers' pipelines call them."""
    small: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    taiyi = randomised(BertModel(bert_config(vocab_size=VOCABULARY, max_position_embeddings=77, **small)), 8)
    found = {}
    taiyi.save_pretrained(folder / "taiyi" / "text_encoder")
    padded = ids()
    padded[1, 40:] = 0
    with torch.no_grad():
        found["taiyi"] = (seen(folder / "taiyi", padded), {"last": taiyi(padded)[0]})
    for title, more in (("altdiffusion", dict[str, Any]()), ("altdiffusion, pre", {"has_pre_transformation": True})):
        config = roberta.RobertaSeriesConfig(
            vocab_size=VOCABULARY,
            max_position_embeddings=80,
            type_vocab_size=1,
            project_dim=24,
            layer_norm_eps=1e-5,
            **small,
            **more,
        )
        model = randomised(roberta.RobertaSeriesModelWithTransformation(config), 9)
        padded = ids()
        padded[1, 40:] = config.pad_token_id
        model.save_pretrained(folder / title / "text_encoder")
        with torch.no_grad():
            state = model(padded, attention_mask=(padded != config.pad_token_id).long())[0]
        found[title] = (seen(folder / title, padded), {"last": state})
    if "--store" in sys.argv:
        for title in found:
            keep(folder / title / "text_encoder", DATA / title.replace(", ", "_"), found[title][1])
    return found


def seen(home: Path, padded: torch.Tensor) -> dict[str, torch.Tensor]:
    (encoder,) = text_encoders(home)
    tower = encoder.load()
    with torch.no_grad():
        return {"last": encoder.last_state(tower, tower.hidden_states(padded))}


def keep(folder: Path, target: Path, expected: dict[str, torch.Tensor]) -> None:
    target = target / "text_encoder"
    target.mkdir(parents=True, exist_ok=True)
    save_file(load_file(folder / "model.safetensors"), target / "model.safetensors")
    (target / "config.json").write_text((folder / "config.json").read_text(encoding="utf-8"), encoding="utf-8")
    savez(target.parent / "expected.npz", **{name: value.numpy() for name, value in expected.items()})


def store(first: Any, second: Any) -> None:
    for name, model in (("clip_l", first), ("clip_g", second)):
        (DATA / name).mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, DATA / name / "model.safetensors")
        expected = {key: value.numpy() for key, value in of_transformers(model).items()}
        savez(DATA / name / "expected.npz", ids=ids().numpy(), **expected)


if __name__ == "__main__":
    main()
