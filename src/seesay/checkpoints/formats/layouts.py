"""Which format a checkpoint has, from its keys alone, and the table that gives every key our name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from seesay.checkpoints.formats import unsupported as families
from seesay.checkpoints.formats.tables import (
    BERT,
    BERT_POOLER,
    HF_TEXT,
    HF_VISION,
    OPENAI_RESNET,
    OPENAI_TEXT,
    OPENAI_VIT,
    SCALE,
)
from seesay.checkpoints.names import Table, ignored, nested, row
from seesay.errors import CheckpointError

LayoutName = Literal[
    "openai",
    "open_clip",
    "open_clip_hf_text",
    "hf_clip",
    "hf_clip_text",
    "hf_clip_vision",
    "cn_clip",
    "hf_chinese_clip",
    "seesay",
]


@dataclass(frozen=True)
class Layout:
    """`marks`: names of which each tells this format from those below it."""

    name: LayoutName
    title: str
    marks: tuple[str, ...]
    names: Table

    def table(self, theirs: Iterable[str]) -> Table:
        """For these names. OpenAI's two kinds of image tower share names ("visual.conv1") for different things."""
        return self.names + (RESNET if RESNET_MARK in theirs else VIT)


VIT = nested(OPENAI_VIT, "visual.", "image.")
RESNET = nested(OPENAI_RESNET, "visual.", "image.")
RESNET_MARK = "visual.attnpool.positional_embedding"
HF_IMAGE: Table = (*nested(HF_VISION, "vision_model.", "image."), row("visual_projection.weight", "image.projection.weight"))
POOLER_UNUSED: Table = (
    ignored("pooler.dense.weight", "the first token is taken without BERT's pooler"),
    ignored("pooler.dense.bias", "the first token is taken without BERT's pooler"),
)
TEXT_LINEAR = row("text_projection", "text.projection.weight", how="transpose")
NUMBERS: Table = tuple(
    ignored(name, "a number that the shapes show") for name in ("input_resolution", "context_length", "vocab_size")
)
MASKS: Table = (
    ignored("attn_mask", "the causal mask"),
    ignored("transformer.resblocks.{}.attn_mask", "the causal mask"),
    ignored("text.attn_mask", "the causal mask"),
)

# In the order in which they are asked: a mark further down may also occur in a format further up.
LAYOUTS = (
    Layout(
        "cn_clip",
        "Chinese-CLIP, original",
        ("bert.encoder.layer.0.attention.self.query.weight", "bert.encoder.layer.0.attention.self.Wqkv.weight"),
        (*nested(BERT + POOLER_UNUSED, "bert.", "text."), TEXT_LINEAR, *SCALE),
    ),
    Layout(
        "hf_chinese_clip",
        "Hugging Face ChineseCLIPModel",
        ("text_model.embeddings.word_embeddings.weight",),
        (
            *HF_IMAGE,
            *nested(BERT + POOLER_UNUSED, "text_model.", "text."),
            row("text_projection.weight", "text.projection.weight"),
            *SCALE,
        ),
    ),
    Layout(
        "hf_clip",
        "Hugging Face CLIPModel, or one tower of it",
        ("vision_model.pre_layrnorm.weight", "text_model.final_layer_norm.weight"),
        (
            *HF_IMAGE,
            *nested(HF_TEXT, "text_model.", "text."),
            row("text_projection.weight", "text.projection.weight"),
            *SCALE,
        ),
    ),
    Layout("hf_clip_vision", "Hugging Face CLIPVisionModel", ("pre_layrnorm.weight",), nested(HF_VISION, "", "image.")),
    Layout("hf_clip_text", "Hugging Face CLIPTextModel", ("final_layer_norm.weight",), nested(HF_TEXT, "", "text.")),
    Layout(
        "open_clip_hf_text",
        "OpenCLIP with a Hugging Face text tower",
        ("text.transformer.embeddings.word_embeddings.weight",),
        (
            *nested(BERT + BERT_POOLER, "text.transformer.", "text."),
            row("text.proj.weight", "text.projection.weight"),
            row("text.proj.0.weight", "text.projection.up.weight"),
            row("text.proj.2.weight", "text.projection.down.weight"),
            *SCALE,
        ),
    ),
    Layout(
        "open_clip",
        "OpenCLIP with a custom text tower",
        ("text.token_embedding.weight",),
        (*nested(OPENAI_TEXT, "text.", "text."), *MASKS, *SCALE),
    ),
    Layout(
        "openai",
        "OpenAI or OpenCLIP",
        ("visual.conv1.weight",),
        (*nested(OPENAI_TEXT, "", "text."), *NUMBERS, *MASKS, *SCALE),
    ),
)
SEESAY = Layout("seesay", "SeeSay", (), ())


def sniff(names: Iterable[str]) -> Layout:
    """The format that has these keys. Raises CheckpointError naming what it looks like instead."""
    known = set(names)
    if (what := families.by_names(known)) is not None:
        raise families.refused(what)
    if {name.split(".")[0] for name in known} <= {"image", "text", "logit_scale", "logit_bias"}:
        return SEESAY
    for layout in LAYOUTS:
        if any(mark in known for mark in layout.marks):
            return layout
    shown = ", ".join(sorted(known)[:5])
    raise CheckpointError(f"these keys belong to no format of the CLIP family that is known here: {shown}, ...")
