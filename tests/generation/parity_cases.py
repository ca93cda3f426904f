"""Prompts whose conditioning is compared with the originals: here with what they computed, in tests/parity with themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seesay.generation.conditioner import Conditioner
from seesay.generation.lora import read_lora
from seesay.generation.textual_inversion import read_inversion
from seesay.generation.weighting import Rule
from tests.generation import additions

PROMPT, NEGATIVE = "a cat in sunglasses, red", "ugly dog"


@dataclass(frozen=True)
class Case:
    """A prompt for a generator. by: "pipeline" (diffusers), "compel" or "formula" (web interfaces').

    compel: the prompt in its syntax. plain, token_weights: for the formula, the prompt without weights, and the weights by
    position.
    """

    name: str
    family: str
    prompt: str = PROMPT
    negative: str | None = None
    by: str = "pipeline"
    clip_skip: int | None = None
    index: Mapping[str, Any] = field(default_factory=dict)
    embedding: str | None = None
    lora: str | None = None
    scale: float = 1.0
    compel: str = ""
    plain: str = ""
    token_weights: Mapping[int, float] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        return "restore-mean" if self.by == "formula" else "towards-empty"

    def embedding_file(self, place: Path) -> tuple[Path, str]:
        """The file of the textual inversion, and its word."""
        match self.embedding:
            case "web":
                return additions.web_embedding(place / "style.pt", "mystyle"), "mystyle"
            case "web-safetensors":
                return additions.web_safetensors(place / "mystyle.safetensors"), "mystyle"
            case "diffusers":
                return additions.diffusers_embedding(place / "learned_embeds.bin", "<mystyle>", count=1), "<mystyle>"
            case "diffusers-many":
                return additions.diffusers_embedding(place / "learned.safetensors", "<mystyle>"), "<mystyle>"
        return additions.xl_embedding(place / "mystyle.safetensors"), "mystyle"

    def lora_files(self, place: Path) -> list[tuple[Path, float]]:
        path = place / "lora.safetensors"
        first = "text_encoder"
        match self.lora:
            case "kohya":
                return [(additions.kohya_lora(path, first, prefix="lora_te_", unet=False), self.scale)]
            case "kohya-xl":
                return [(additions.kohya_lora(path, first, "text_encoder_2", unet=False), self.scale)]
            case "peft":
                return [(additions.diffusers_lora(path, first), self.scale)]
            case "peft-settings":
                more = {"alpha_pattern": {"text_model.encoder.layers.1.mlp.fc1": 5.0}}
                return [(additions.diffusers_lora(path, first, settings=additions.settings(first, **more)), self.scale)]
            case "peft-rank-root":
                return [
                    (additions.diffusers_lora(path, first, settings=additions.settings(first, use_rslora=True)), self.scale)
                ]
            case "linear" | "old":
                return [(additions.diffusers_lora(path, first, form=self.lora), self.scale)]
        return []


CASES = (
    *(Case(f"sd1 skip {skip}", "sd1", negative=NEGATIVE, clip_skip=skip) for skip in (None, 1, 2)),
    Case("sd1 empty", "sd1", prompt=""),
    *(Case(f"sdxl skip {skip}", "sdxl", negative=NEGATIVE, clip_skip=skip) for skip in (None, 1, 2)),
    Case("sdxl zeros", "sdxl", index={"force_zeros_for_empty_prompt": True}),
    Case("sdxl no zeros", "sdxl", index={"force_zeros_for_empty_prompt": False}),
    Case("sdxl-refiner", "sdxl-refiner", negative=NEGATIVE, index={"force_zeros_for_empty_prompt": False}),
    Case("sdxl-refiner no negative", "sdxl-refiner", index={"force_zeros_for_empty_prompt": False}),
    Case("compel up", "sd1", "a (cat:1.3) in glasses", by="compel", compel="a (cat)1.3 in glasses"),
    Case("compel signs", "sd1", "a cat++ in glasses--", by="compel", compel="a cat++ in glasses--"),
    Case("compel words", "sd1", "(a red dog)++ in (sun)--", by="compel", compel="(a red dog)++ in (sun)--"),
    Case(
        "compel down twice",
        "sd1",
        "a (red cat:0.5) in (sun dog:0.2) glasses",
        by="compel",
        compel="a (red cat)0.5 in (sun dog)0.2 glasses",
    ),
    Case("compel zero", "sd1", "a (cat:0) in (sun:1.2)", by="compel", compel="a (cat)0 in (sun)1.2"),
    Case("compel xl", "sdxl", "a (cat:1.3) in (glasses:0.6)", by="compel", compel="a (cat)1.3 in (glasses)0.6"),
    Case(
        "web interfaces",
        "sd1",
        "a ((cat)) in (glasses:1.5) [red]",
        by="formula",
        plain="a cat in glasses red",
        token_weights={2: 1.1 * 1.1, 4: 1.5, 5: 1 / 1.1},
    ),
    *(
        Case(f"inversion {kind}", "sd1", f"a cat in {word}, red", embedding=kind)
        for kind, word in (
            ("web", "mystyle"),
            ("web-safetensors", "mystyle"),
            ("diffusers", "<mystyle>"),
            ("diffusers-many", "<mystyle>"),
        )
    ),
    Case("inversion xl", "sdxl", "a cat in mystyle, red", embedding="xl"),
    *(
        Case(f"lora {kind}", "sd1", negative=NEGATIVE, lora=kind, scale=0.7)
        for kind in ("kohya", "peft", "peft-settings", "peft-rank-root", "linear", "old")
    ),
    Case("lora kohya-xl", "sdxl", negative=NEGATIVE, lora="kohya-xl", scale=0.7),
    Case("taiyi", "taiyi", "一只戴墨镜的猫", "红狗"),
    Case("sd3", "sd3", negative=NEGATIVE),
    Case("sd3 skip 1", "sd3", clip_skip=1),
)


def sample(value: np.ndarray) -> np.ndarray:
    """The rows of a prompt's tokens and two of its padding, to keep files small; a pooled embedding whole."""
    return value[:, [*range(14), value.shape[1] // 2, -1]] if value.ndim == 3 else value


def differences(case: Case, place: Path, folder: Path, expected: Mapping[str, np.ndarray]) -> float:
    """The largest difference between what an original gave and ours."""
    if case.family == "sd3":
        from tests.generation.tiny import write_json

        write_json(folder / "transformer" / "config.json", {"joint_attention_dim": 32})
    embeddings = [read_inversion(*case.embedding_file(place))] if case.embedding else []
    loras = [read_lora(file, scale) for file, scale in case.lora_files(place)]
    conditioner = Conditioner(folder, embeddings=embeddings, loras=loras)
    found = conditioner(case.prompt, case.negative, clip_skip=case.clip_skip, rule=case.rule).tensors
    return max(difference(found[name].numpy(), value) for name, value in expected.items())


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest; of samples where only those are there."""
    return float(np.abs((found if found.shape == expected.shape else sample(found)) - expected).max())
