"""The layout of immich: visual/model.onnx and textual/model.onnx, described as OpenCLIP describes the model in config.json.

The graphs take one picture or one text, and give unit vectors. Those of M-CLIP have another text tower than the one in
config.json, which their input attention_mask shows: M-CLIP's, which cleans no text.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from seesay.checkpoints.formats import open_clip_config
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.graphs.header import GraphHeader
from seesay.checkpoints.graphs.layout import Layout, Statement, chosen_spec
from seesay.checkpoints.graphs.selection import GraphFiles
from seesay.checkpoints.graphs.tokenizer_files import (
    TokenizerFiles,
    check_vocabulary,
    context_length,
    fixed_length,
    read_tokenizer,
)
from seesay.checkpoints.overrides import Overrides
from seesay.errors import CheckpointError
from seesay.models.fields import Modality
from seesay.system.schema import read_object
from seesay.tokenizers.spec import Cleaning, TokenizerSpec

MASK = "attention_mask"
CONTEXT = 77  # of OpenCLIP's text towers whose configuration does not state it
CLEANINGS: dict[str, Cleaning] = {"whitespace": "whitespace", "lower": "lower", "canonicalize": "canonicalize"}


def _describe(folder: Path, files: GraphFiles, headers: Mapping[Modality, GraphHeader], overrides: Overrides) -> Statement:
    source = folder / "config.json"
    if not source.is_file():
        raise CheckpointError(f"{folder} has no config.json, which says what its graphs are")
    faults: list[str] = []
    values = read_object(source)
    s = ForeignConfig(values.get("model_cfg", values), "", faults)
    vision, text = s.part("vision_cfg"), s.part("text_cfg")
    dim = s.integer("embed_dim")
    image_px = vision.side("image_size", 224)
    preprocess = folder / "visual" / "preprocess_cfg.json"
    spec = None
    if preprocess.is_file() and overrides.preprocessing is None:
        spec = open_clip_config.image_spec_of({"preprocess_cfg": read_object(preprocess)}, image_px, faults)
    tokenizer = read_tokenizer(folder / "textual")
    other_text = any(port.name == MASK for port in headers["text"].inputs)
    text = ForeignConfig({"hf_tokenizer_name": "M-CLIP"} if other_text else text.values, text.at, faults)
    tokenizer_spec = _tokenizer_spec(text, tokenizer, fixed_length(headers["text"]), overrides, source)
    named = text.values.get("hf_tokenizer_name") or text.values.get("hf_model_name")
    vocabulary = None if named else text.integer("vocab_size", 49408)
    raise_faults(faults, str(source))
    check_vocabulary(tokenizer, vocabulary, source)
    return Statement(
        source=source,
        image_spec=chosen_spec(spec, image_px, overrides, preprocess),
        image_px=image_px,
        dim=dim,
        vocabulary=vocabulary or tokenizer.pieces,
        end=None if named else tokenizer.end,
        tokenizer=tokenizer.content,
        tokenizer_spec=replace(tokenizer_spec, cleaning="none") if other_text else tokenizer_spec,
        score="sigmoid" if s.values.get("init_logit_bias") is not None else "softmax",
    )


def _tokenizer_spec(
    s: ForeignConfig, tokenizer: TokenizerFiles, fixed: int | None, overrides: Overrides, source: Path
) -> TokenizerSpec:
    """Texts are cleaned as OpenCLIP does before this tokenizer."""
    named = str(s.values.get("hf_tokenizer_name") or s.values.get("hf_model_name") or "")
    options = s.part("tokenizer_kwargs")
    if "nllb" in named.lower() or options.values.get("language") is not None:
        s.faults.append(
            f"text_cfg: {named or 'the tokenizer'} begins every text with a token for its language (NLLB), which is not "
            "known here. Models for many languages that need none: those with XLM-RoBERTa, SigLIP i18n, SigLIP 2"
        )
    s.refuse("tokenizer_mode", lambda v: not v, "the order of special tokens in CLIPS is not known here")
    unknown = sorted(options.values.keys() - {"clean", "strip_sep_token", "language"})
    s.faults.extend(f"{options.at}.{key}: unknown key, which might change the ids of a text" for key in unknown)
    cleaning = options.choice("clean", CLEANINGS, "whitespace" if named else "lower")
    end = options.choice("strip_sep_token", {False: "kept", True: "zeroed"}, False)
    stated = s.integer("context_length") if s.values.get("context_length") is not None else None
    raise_faults(s.faults, str(source))
    length = context_length(
        tokenizer, stated=stated, fixed=fixed, default=CONTEXT, override=overrides.context_length, source=source
    )
    return TokenizerSpec(length, tokenizer.pad_id, padding="longest", cleaning=cleaning, end=end)


IMMICH = Layout(
    name="immich",
    title="ONNX graphs as immich uses them",
    outputs={"image": (), "text": ()},
    logits=None,
    describe=_describe,
)
