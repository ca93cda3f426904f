"""Runs graphs before they are used: how wide their vectors are, whether a batch or padding changes one, their scale."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seesay.checkpoints.graphs.layout import Statement
from seesay.engines.foreign import ForeignEngine, text_inputs
from seesay.errors import CheckpointError, ModelError
from seesay.models.fields import Modality
from seesay.models.signature import Signature
from seesay.models.vectors import normalize
from seesay.tokenizers import Tokenizer
from seesay.tokenizers.spec import TokenizerSpec

SAME = 1e-5  # largest difference of unit vectors that are one
FIT = 1e-3  # largest difference of logits from a line over the cosines, against their spread
TEXTS = ["a", "a dog on a beach by the sea"]  # of two lengths


@dataclass(frozen=True)
class Trial:
    """Signatures as measured, and a tokenizer_spec whose padding is "longest" only where that changes no vector."""

    signatures: dict[Modality, Signature]
    tokenizer_spec: TokenizerSpec


def try_out(folder: Path, signatures: dict[Modality, Signature], statement: Statement) -> Trial:
    """Encodes pictures of noise, and texts. Raises CheckpointError for graphs that cannot be used."""
    image = _image(folder, signatures["image"], statement)
    text, spec = _text(folder, signatures["text"], statement)
    if image.width != text.width:
        raise CheckpointError(f"the image graph gives vectors of {image.width} numbers, the text graph of {text.width}")
    return Trial({"image": image, "text": text}, spec)


def _image(folder: Path, signature: Signature, statement: Statement) -> Signature:
    pixels = _pixels(statement)
    alone = _vectors(folder, replace(signature, batch=signature.batch or 1), "image", pixels)
    signature = replace(signature, width=alone.shape[1])
    if signature.batch is None and _differ(alone, _vectors_or_none(folder, signature, "image", pixels)):
        return replace(signature, batch=1)
    return signature


def _text(folder: Path, signature: Signature, statement: Statement) -> tuple[Signature, TokenizerSpec]:
    full = replace(statement.tokenizer_spec, padding="context")
    ids = Tokenizer(statement.tokenizer, full)(TEXTS).ids
    alone = _vectors(folder, replace(signature, batch=signature.batch or 1), "text", ids)
    signature = replace(signature, width=alone.shape[1])
    if signature.batch is None and _differ(alone, _vectors_or_none(folder, signature, "text", ids)):
        signature = replace(signature, batch=1)
    spec = statement.tokenizer_spec
    if spec.padding == "longest":
        short = Tokenizer(statement.tokenizer, spec)
        for row, text in enumerate(TEXTS):
            if _differ(alone[row : row + 1], _vectors_or_none(folder, signature, "text", short([text]).ids)):
                return signature, full
    return signature, spec


def measured_logits(
    file: str, folder: Path, trial: Trial, output: str, statement: Statement
) -> tuple[float, float | None] | None:
    """The scale and bias of a graph of both towers, from its own logits; None where these do not lie on a line."""
    image, text = trial.signatures["image"], trial.signatures["text"]
    engine = ForeignEngine(folder, {"image": replace(image, file=file)})
    pixels = _pixels(statement)
    ids = Tokenizer(statement.tokenizer, trial.tokenizer_spec)(TEXTS).ids
    inputs = {image.input: pixels.astype(image.dtype), **text_inputs(ids, text)}
    try:
        logits = engine.output("image", output, inputs).ravel()
        vectors = [normalize(engine.output("image", signature.output, inputs)) for signature in (image, text)]
    except ModelError:
        return None
    cosines = (vectors[0] @ vectors[1].T).ravel()
    if logits.shape != cosines.shape or not np.isfinite(logits).all():
        return None
    has_bias = statement.score == "sigmoid"
    terms = np.stack([cosines, np.full_like(cosines, has_bias)], axis=1).astype(np.float64)
    scale, bias = np.linalg.lstsq(terms, logits.astype(np.float64), rcond=None)[0]
    fault = np.abs(terms @ [scale, bias] - logits).max()
    if scale <= 0 or fault > FIT * max(np.ptp(logits), 1e-6):
        return None
    return float(scale), float(bias) if has_bias else None


def _pixels(statement: Statement) -> np.ndarray:
    size = statement.image_spec.size_px
    pixels = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    pixels[1] *= 3  # so that a scale which the rows share would change the first
    return pixels


def _vectors(folder: Path, signature: Signature, tower: Modality, values: np.ndarray) -> np.ndarray:
    """Unit vectors of pixels or ids. Raises CheckpointError for rows that are no vectors."""
    engine = ForeignEngine(folder, {tower: signature})
    raw = engine.encode_pixels(values) if tower == "image" else engine.encode_tokens(values)
    if raw.shape[1] < 2 or not np.isfinite(raw).all() or not np.abs(raw).max(axis=1).all():
        raise CheckpointError(f"{signature.file} gives no vectors: zeros or numbers that are not finite, {raw.shape}")
    return normalize(raw)


def _vectors_or_none(folder: Path, signature: Signature, tower: Modality, values: np.ndarray) -> np.ndarray | None:
    """None where the graph does not run: its axes may be named in vain."""
    try:
        return _vectors(folder, signature, tower, values)
    except ModelError:
        return None


def _differ(a: np.ndarray, b: np.ndarray | None) -> bool:
    return b is None or float(np.abs(a - b).max()) > SAME
