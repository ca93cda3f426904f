"""Compares every architecture that the original libraries build by name with ours: keys, shapes, and how each tower works.

    python -m tests.parity.by_name [--write] [LIBRARY ...]

runs in an environment that has some of the libraries (requirements-parity.txt), without weights and in little memory. A
model passes when its state dict and ours have the same keys and shapes through the tables of seesay.checkpoints, and heads,
activations, epsilons, widths, pooling and masks are equal. Models of OpenCLIP that SeeSay does not read must be refused for the
reason expected. What was found equal is in the catalogue's architectures, which are compared, too; with OpenCLIP's model_cfg of
every name, stored in data/by_name.json, `make test` notices if we ever say something else.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from seesay.checkpoints.containers.weights import TensorInfo, Weights
from seesay.checkpoints.formats import open_clip_config
from seesay.checkpoints.hub.catalog import CatalogModel, catalog
from seesay.checkpoints.reader import Checkpoint, read_checkpoint
from seesay.errors import CheckpointError
from seesay.models.clip import Clip
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.efficientnet.config import EfficientNetConfig
from seesay.models.families.eva.config import EvaConfig
from seesay.models.families.eva.tower import EvaAttention, EvaMlp
from seesay.models.families.modified_resnet.config import ModifiedResNetConfig
from seesay.models.families.modified_resnet.tower import AttentionPool
from seesay.models.families.siglip_vit.config import SiglipVitConfig
from seesay.models.families.timm.config import TimmConfig
from seesay.models.families.vit.config import VitConfig
from seesay.models.layers.transformer import ACTIVATIONS, Attention, Mlp
from tests.parity.architectures import LIBRARIES, REFUSED, Built, Facts, open_clip_configs, refused_kind
from tests.parity.siglip_architectures import siglips

GELU_ALL_THE_SAME = ("open_clip/ViT-B-16/dfn2b",)  # OpenCLIP's flag is wrong here; the catalogue's entry says why
STORED = Path(__file__).parent / "data" / "by_name.json"
# OpenAI's archives, CoCa's decoder, ALIGN's pooler, EVA's tables of rotary positions
LEFT_OUT = re.compile(r"input_resolution$|context_length$|vocab_size$|text_decoder\.|text_model\.pooler\.|.*\.rope\.")
PROBE = torch.linspace(-4, 4, 801)


@dataclass(frozen=True)
class Meta:
    """Names and shapes of a model without numbers, as the content of a file."""

    entries: Mapping[str, TensorInfo]

    def read(self, name: str) -> Tensor:
        raise AssertionError(f"{name} was read, where names and shapes should do")


def checkpoint_of(built: Built) -> Checkpoint:
    """The checkpoint of a built model, opened in the same way as a file."""
    entries = {
        name: TensorInfo(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in built.model.state_dict().items()
    }
    with TemporaryDirectory() as folder:
        for name, text in built.files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        path = Path(folder) / "weights"
        return read_checkpoint(path, Weights(path, built.kind, Meta(entries)), built.overrides)


def differences(built: Built) -> list[str]:
    """All differences between the original model and ours."""
    try:
        checkpoint = checkpoint_of(built)
        clip = checkpoint.check_towers()  # missing, left-over and misshapen tensors
    except CheckpointError as error:
        return str(error).split("\n")
    faults = [f"{name} is left out: {why}" for name, why in checkpoint.account.ignored.items() if not LEFT_OUT.match(name)]
    shown, native = facts_of_original(built.model), facts_of_ours(clip)
    foreign = dict.fromkeys(native) | shown | built.facts  # what only ours show differs, too
    native |= stated_facts(checkpoint)
    faults += [
        f"{fact}: theirs {foreign[fact]}, ours {native.get(fact)}" for fact in foreign if native.get(fact) != foreign[fact]
    ]
    if built.architecture:
        d, published = checkpoint.description, catalog().architectures[built.architecture]
        if (d.dim, d.image, d.text) != (published.dim, published.image, published.text):
            faults.append(f"the catalogue's {built.architecture} is {published}, not {d}")
    return faults


def facts_of_original(model: nn.Module) -> Facts:
    """Facts that modules of all four libraries show alike, per tower."""
    facts: dict[str, set[Any]] = {}
    for name, module in model.named_modules():
        if name.startswith("text_decoder"):  # CoCa's, which is left out
            continue
        part = "image" if name.startswith(("visual", "vision_model")) or "Vision" in type(model).__name__ else "text"

        def note(fact: str, value: Any, part: str = part) -> None:
            facts.setdefault(f"{part} {fact}", set()).add(value)

        for heads in ("num_heads", "num_attention_heads"):
            if isinstance(getattr(module, heads, None), int):
                note("heads", getattr(module, heads))
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
            note("epsilons", module.eps)
        dense = isinstance(module, nn.Linear)
        if dense and name.endswith((".c_fc", ".fc1", ".fc1_g", ".w1", ".intermediate.dense")):
            note("mlp widths", module.out_features)
        if type(module).__name__ == "SwiGLU":
            note("activations", "swiglu" if activation_is(module.act, torch.nn.functional.silu) else repr(module.act))
        elif name.endswith(".mlp") and hasattr(module, "act"):  # timm's
            note("activations", activation_name(module.act))
        if name.endswith(".gelu"):  # OpenAI's and its heirs' blocks, whatever the activation is
            note("activations", activation_name(module))
        for attribute in ("activation_fn", "intermediate_act_fn"):
            if hasattr(module, attribute):
                note("activations", activation_name(getattr(module, attribute)))
    return facts


def facts_of_ours(clip: Clip) -> Facts:
    facts: dict[str, set[Any]] = {}
    if isinstance(clip.config.image, TimmConfig):  # the same library's modules in both
        facts |= facts_of_original(nn.ModuleDict({"visual": clip.image}))
    for name, module in clip.named_modules():
        if name.startswith("image.trunk."):
            continue
        part = name.split(".")[0]
        if isinstance(module, Attention | AttentionPool | EvaAttention):
            facts.setdefault(f"{part} heads", set()).add(module.heads)
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
            facts.setdefault(f"{part} epsilons", set()).add(module.eps)
        if isinstance(module, Mlp):
            facts.setdefault(f"{part} mlp widths", set()).add(module.up.out_features)
            facts.setdefault(f"{part} activations", set()).add(activation_name(module.activation))
        if isinstance(module, EvaMlp):
            facts.setdefault(f"{part} mlp widths", set()).add(module.up.out_features)
            facts.setdefault(f"{part} activations", set()).add("gelu" if module.gate is None else "swiglu")
    return facts


def activation_name(function: Any) -> str:
    """The name of an activation, recognised by its values."""
    return next((name for name, native in ACTIVATIONS.items() if activation_is(function, native)), repr(function))


def activation_is(function: Any, native: Any) -> bool:
    return torch.allclose(function(PROBE), native(PROBE), atol=1e-6)


def stated_facts(checkpoint: Checkpoint) -> Facts:
    d = checkpoint.description
    facts: Facts = {}
    if d.image_spec is not None:
        spec = d.image_spec
        facts |= {"image spec size": spec.size_px, "image mean": spec.mean, "image std": spec.std}
        facts |= {"image resize": spec.resize, "image interpolation": spec.interpolation}
        assert spec.resize_px == spec.size_px
    match d.image:
        case VitConfig() as c:
            facts |= {"image size": c.image_px, "image patch": c.patch_px, "image pooling": c.pooling}
            facts |= {"image norm before": c.norm_before, "image norm after pool": c.norm_after_pool}
            pool = c.attention_pool
            facts |= {"image pool": None if pool is None else (pool.queries, pool.heads, pool.width)}
        case SiglipVitConfig() as c:
            facts |= {"image size": c.image_px, "image patch": c.patch_px}
        case EvaConfig() as c:
            facts |= {"image size": c.image_px, "image patch": c.patch_px, "image norm place": c.norm_place}
            facts |= {"image rotary": c.rotary_grid is not None, "image biases": c.qkv_bias}
        case EfficientNetConfig() | ModifiedResNetConfig() | TimmConfig() as c:
            facts |= {"image size": c.image_px}
    match d.text:
        case ClipTextConfig() as t:
            facts |= {"text pooling": t.pooling, "text head": t.projection, "text causal": t.causal}
            facts |= {"text end": t.eos_id if t.pooling == "eos" else None, "text padding": t.pad_id}
        case BertConfig() as t:
            facts |= {"text pooling": t.pooling, "text head": t.head, "text pad id": t.pad_id}
            facts |= {"text position ids": t.position_ids}
    if d.tokenizer_spec is not None:
        facts |= {"text context": d.tokenizer_spec.context_length}
    return facts


def check_open_clip_names(*, rewrite: bool) -> int:
    """Checks which names are read and which are refused, and that the stored ones agree. Returns the number of faults."""
    stored, wrong = {}, []
    for name, cfg in open_clip_configs().items():
        kind = refused_kind(cfg)
        stored[name] = {"model_cfg": cfg} | ({"refused": kind} if kind else {})
        try:
            open_clip_config.describe({"model_cfg": cfg}, None, name)
            if kind:
                wrong.append(f"{name} should be refused: {kind}")
        except CheckpointError as error:
            if not kind or REFUSED[kind][0] not in str(error):
                wrong.append(f"{name} should be {f'refused as {kind}' if kind else 'read'}: {error}")
    if rewrite:
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, sort_keys=True)}" for name, entry in stored.items())
        STORED.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    if not STORED.is_file() or json.loads(STORED.read_text(encoding="utf-8")) != stored:
        wrong.append(f"data/{STORED.name} holds other names: python -m tests.parity.by_name --write open_clip")
    print(f"open_clip: {len(stored)} names, {sum('refused' not in entry for entry in stored.values())} to be read")
    for kind in REFUSED:
        names = [name for name, entry in stored.items() if entry.get("refused") == kind]
        print(f"  {len(names)} refused, {kind}: {', '.join(names)}")
    wrong += [difference for model in catalog().models for difference in tag_differences(model)]
    for line in wrong:
        print(f"  {line}")
    return len(wrong)


def tag_differences(model: CatalogModel) -> list[str]:
    """Differences between OpenCLIP's facts about the weights of a tag and the catalogue's entry."""
    from open_clip.pretrained import get_pretrained_cfg

    if not model.id.startswith("open_clip/"):
        return []
    _, name, tag = model.id.split("/")
    foreign, spec = get_pretrained_cfg(name, tag), model.preprocess
    if not foreign:
        return [f"{model.id}: OpenCLIP has no such tag"]
    facts = {
        "mean": (spec.mean, tuple(foreign["mean"])),
        "std": (spec.std, tuple(foreign["std"])),
        "interpolation": (spec.interpolation, foreign["interpolation"]),
        "resize": (spec.resize, foreign["resize_mode"]),
    }
    if foreign.get("quick_gelu") and model.id not in GELU_ALL_THE_SAME:
        facts["activation"] = (model.activation, "quick_gelu")
    return [
        f"{model.id}: {fact} {native}, theirs {published}" for fact, (native, published) in facts.items() if native != published
    ]


def check(library: str, models: Iterable[Built]) -> int:
    """Compares every model; returns the number that differ."""
    good, bad = 0, 0
    for built in models:
        faults = differences(built)
        good, bad = good + (not faults), bad + bool(faults)
        for difference in faults:
            print(f"  {built.name}: {difference}")
    print(f"{library}: {good} equal, {bad} different", flush=True)
    return bad


def main() -> None:
    selected = [name for name in sys.argv[1:] if not name.startswith("--")]
    logging.disable(logging.WARNING)  # "No pretrained weights loaded", for every name
    failures = 0
    for library, models in (LIBRARIES | {"transformers, SigLIP": siglips}).items():
        if selected and library not in selected:
            continue
        if not find_spec(library.split(",")[0]):
            print(f"{library} is not installed here; its names are left out")
            continue
        if library == "open_clip":
            failures += check_open_clip_names(rewrite="--write" in sys.argv)
        failures += check(library, models())
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
