"""Reads the configuration of an EVA-CLIP model as its authors' code has it: `model_configs/EVA....json`."""

from pathlib import Path
from typing import Any

from seesay.checkpoints.description import Description
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence
from seesay.checkpoints.preprocessing import preset
from seesay.checkpoints.shapes import CLIP_EPS, Shapes
from seesay.errors import CheckpointError
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.eva.config import EvaConfig
from seesay.system.schema import read_object
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES

MODEL = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text"}
VISION = {
    *("image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size", "eva_model_name", "ls_init_value", "qkv_bias"),
    *("postnorm", "rope", "pt_hw_seq_len", "intp_freq", "naiveswiglu", "subln", "use_rms_norm", "global_average_pool"),
    *("drop_path_rate", "patch_dropout", "xattn", "fusedLN"),  # of training, and faster kernels
}
MOST_MLP_RATIO = 100  # the largest of a published model is 8.6
TEXT = {"context_length", "vocab_size", "width", "heads", "layers", "xattn", "fusedLN", "attn_mask", "ls_init_value"}


def configuration(evidence: Evidence) -> Description | None:
    """The description in the EVA*.json beside the weights; None where there is none. Raises CheckpointError."""
    files = sorted(evidence.folder.glob("EVA*.json"))
    if not files:
        return None
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        raise CheckpointError(f"{evidence.folder} has several configurations, {names}; leave the one of these weights there")
    description = describe(read_object(files[0]), files[0])
    assert isinstance(description.image, EvaConfig)
    check_rotation(description.image, evidence.shapes, files[0].name)
    return description


def describe(config: dict[str, Any], file: Path) -> Description:
    """The model in a configuration of the authors. Raises CheckpointError with every fault."""
    faults: list[str] = []
    s = ForeignConfig(config, "", faults)
    vision, text = s.part("vision_cfg"), s.part("text_cfg")
    for part, known in ((s, MODEL), (vision, VISION), (text, TEXT)):
        unknown = sorted(part.values.keys() - known)
        faults += [f"{part.at}.{key}: unknown key, which might change what the model computes" for key in unknown]
    dim, text_config = s.integer("embed_dim"), _text(text, quick=bool(s.values.get("quick_gelu", False)))
    image = _image(vision, str(file))
    return Description(
        dim=dim,
        image=image,
        text=text_config,
        image_spec=preset("openai", image.image_px),
        tokenizer_spec=TokenizerSpec(text_config.positions, 0, "longest" if text_config.causal else "context", "clip"),
        tokenizer="open_clip" if text_config.vocabulary >= PIECES["open_clip"] else "folder",
        source=str(file),
    )


def _image(s: ForeignConfig, name: str) -> EvaConfig:
    """The image tower, read last: after a fault its values need not fit each other."""
    if not s.values.get("eva_model_name"):
        s.faults.append(f"{s.at}.eva_model_name: expected a name, which says that the image tower is EVA's")
    s.refuse("global_average_pool", lambda v: not v, "EVA-CLIP takes the class token, and the mean of all is not known here")
    width, head_width = s.integer("width", 768), s.integer("head_width", 64)
    image_px, patch_px = s.side("image_size", 224), s.integer("patch_size", 16)
    rotary_grid = s.integer("pt_hw_seq_len", 16) if s.values.get("rope", False) else None
    if rotary_grid is not None and not s.values.get("intp_freq", False) and rotary_grid != image_px // patch_px:
        s.faults.append(
            f"{s.at}.intp_freq: rotary positions of a grid of {rotary_grid} do not fit one of {image_px // patch_px}"
        )
    depth, mlp_ratio = s.integer("layers", 12), s.number("mlp_ratio", 4.0)
    if mlp_ratio > MOST_MLP_RATIO:
        s.faults.append(f"{s.at}.mlp_ratio: expected a number up to {MOST_MLP_RATIO}, got {mlp_ratio!r}")
    raise_faults(s.faults, name)
    return EvaConfig(
        kind="eva",
        image_px=image_px,
        patch_px=patch_px,
        width=width,
        depth=depth,
        heads=width // head_width,
        mlp_width=int(width * mlp_ratio),
        mlp="swiglu" if s.values.get("naiveswiglu", False) else "gelu",
        rotary_grid=rotary_grid,
        inner_norm=bool(s.values.get("subln", False)),
        norm_place="post" if s.values.get("postnorm", False) else "pre",
        norm="rms" if s.values.get("use_rms_norm", False) else "layer",
        qkv_bias=bool(s.values.get("qkv_bias", True)),
        layer_scale=s.values.get("ls_init_value") is not None,
    )


def _text(s: ForeignConfig, *, quick: bool) -> ClipTextConfig:
    s.refuse("ls_init_value", lambda v: v is None, "layer scale in a text tower is not known here")
    width, vocabulary = s.integer("width", 512), s.integer("vocab_size", PIECES["open_clip"])
    return ClipTextConfig(
        kind="clip-text",
        width=width,
        depth=s.integer("layers", 12),
        heads=s.integer("heads", 8),
        mlp_width=4 * width,
        vocabulary=vocabulary,
        positions=s.integer("context_length", 77),
        activation="quick_gelu" if quick else "gelu",
        layer_norm_eps=CLIP_EPS,
        causal=bool(s.values.get("attn_mask", True)),
        pooling="eos",
        eos_id=vocabulary - 1,  # at the highest id of a text, which in OpenAI's vocabulary is its end
    )


def check_rotation(image: EvaConfig, shapes: Shapes, source: str) -> None:
    """Raises CheckpointError where the weights' rotary positions, if they are stored, show other heads or another grid."""
    stored = shapes.get("image.rotation.cos")
    if stored is None or image.rotary_grid is None:
        return
    expected = (image.grid**2, image.head_width)
    if stored != expected:
        raise CheckpointError(
            f"{source}: {image.heads} heads of {image.head_width} features over {expected[0]} patches; the weights' rotary "
            f"positions, visual.rope.freqs_cos, have the shape {stored}, which is of heads of {stored[-1]}"
        )
