"""Opening any checkpoint of the CLIP family: what it is, what it says, what is missing, and the model that it holds."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay.checkpoints import hugging_face, open_clip, shapes
from seesay.checkpoints.description import Description, Preprocessing, Said, preset
from seesay.checkpoints.layouts import Layout, sniff
from seesay.checkpoints.names import Account, Place, account
from seesay.checkpoints.shapes import Shapes
from seesay.checkpoints.weights import Weights, open_weights
from seesay.config import (
    BertConfig,
    ClipTextConfig,
    ImageSpec,
    ModelConfig,
    Source,
    TokenizerSpec,
    make_space_id,
)
from seesay.errors import CheckpointError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models import Clip

HEAD_WIDTH = 64  # OpenAI's rule for both towers of every model, and Chinese-CLIP's but for ViT-H's image tower
CHINESE_IMAGE_HEAD_WIDTHS = {1280: 80}
OPENAI = Said(activation="quick_gelu")
CHINESE = Said(activation="quick_gelu", text_activation="gelu")
UNUSED = {
    "text.pooler.weight": "pooling takes place without BERT's pooler",
    "text.pooler.bias": "pooling takes place without BERT's pooler",
}


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint, its weights still in the file."""

    path: Path
    layout: Layout
    weights: Weights
    account: Account
    description: Description

    @property
    def shapes(self) -> Shapes:
        return our_shapes(self.weights, self.account)

    def state(self) -> "dict[str, Tensor]":
        """Every tensor by our names, float32 (and the batch norms' counters int64)."""
        return {
            ours: _read(self.weights, place)
            for ours, place in self.account.places.items()
            if ours not in UNUSED or self._pools()
        }

    def _pools(self) -> bool:
        return isinstance(self.description.text, BertConfig) and self.description.text.pooling == "tanh"

    def model(self) -> "Clip":
        """The towers in torch, in eval mode. Raises CheckpointError as `skeleton` does."""
        clip = self.skeleton()
        import torch

        state = self.state()
        single = clip.config.image is None or clip.config.text is None
        if single:
            state.setdefault("logit_scale", torch.zeros(()))
        clip.load_state_dict(state, assign=True)
        clip.config = self._config(
            scale=float(state["logit_scale"]),
            bias=float(state["logit_bias"]) if "logit_bias" in state else None,
            space=digest(state.items()),
        )
        return clip.eval()

    def skeleton(self) -> "Clip":
        """The model without its numbers (torch's "meta" device): enough to know that every tensor is there and fits.

        Raises CheckpointError with every missing, left-over and misshapen tensor.
        """
        try:
            import torch
        except ImportError:
            raise MissingExtra("running a checkpoint", "torch") from None
        from seesay.models import Clip

        with torch.device("meta"):
            clip = Clip(self._config(scale=0.0, bias=0.0 if "logit_bias" in self.account.places else None, space=""))
        self.check({name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()})
        return clip

    def check(self, expected: Shapes) -> None:
        """Closes the account: nothing missing, nothing left over, every shape as expected."""
        found = dict(self.shapes)
        for name in UNUSED.keys() - expected.keys():
            found.pop(name, None)
        optional = {name for name in expected if name.endswith("num_batches_tracked")}
        if self.description.image is None or self.description.text is None:
            optional.add("logit_scale")
        faults = [f"missing: {name}" for name in expected if name not in found and name not in optional]
        faults += [f"left over: {self.account.places[name].theirs}" for name in found if name not in expected]
        faults += [f"left over: {name}" for name in self.account.left_over]
        faults += [
            f"{self.account.places[name].theirs}: shape {found[name]}, expected {expected[name]}"
            for name in expected
            if name in found and found[name] != expected[name]
        ]
        if faults:
            listed = "\n".join(f"  {fault}" for fault in faults[:12])
            more = f"\n  and {len(faults) - 12} more" if len(faults) > 12 else ""
            raise CheckpointError(
                f"{self.weights.path} ({self.layout.title}) does not fit {self.description.source}:\n{listed}{more}"
            )

    def _config(self, *, scale: float, bias: float | None, space: str) -> ModelConfig:
        d = self.description
        config = ModelConfig(
            format_version=1,
            name=self.path.stem if self.path.is_file() else self.path.name,
            dim=d.dim,
            image=d.image,
            text=d.text,
            image_spec=d.image_spec,
            tokenizer_spec=d.tokenizer_spec,
            logit_scale=scale,
            logit_bias=bias,
            score="softmax" if bias is None else "sigmoid",
            precision={"image": "float32", "text": "float32"},
            languages=d.languages,
            licence="unknown",
            provenance=(Source(self.weights.path.name, self.layout.title, "unknown", space),) if space else (),
            space_id="",
        )
        return replace(config, space_id=space_of(config, space)) if space else config


def open_checkpoint(path: str | Path, said: Said | None = None) -> Checkpoint:
    """A file or a folder of any known format. Raises CheckpointError; MissingExtra where torch is needed and absent."""
    path = Path(path)
    return read_checkpoint(path, open_weights(path), said or Said())


def read_checkpoint(path: Path, weights: Weights, said: Said) -> Checkpoint:
    """What opened weights are and how they work. What lies beside `weights.path` is read, the tensors are not."""
    try:
        layout = sniff(weights.names)
    except CheckpointError as error:
        raise CheckpointError(f"{weights.path}: {error}") from None
    found = account(weights.names, layout.table(weights.names))
    ours = our_shapes(weights, found)
    return Checkpoint(path, layout, weights, found, _describe(layout, weights, ours, said))


def our_shapes(weights: Weights, found: Account) -> Shapes:
    return {ours: place.shape(weights.names[place.theirs].shape) for ours, place in found.places.items()}


def digest(state: "Iterable[tuple[str, Tensor]]") -> str:
    """SHA-256 over names, shapes and float32 values in the order of names: the same for one model in any format."""
    total = hashlib.sha256()
    for name, tensor in sorted(state):
        if tensor.is_floating_point():
            total.update(f"{name}{tuple(tensor.shape)}".encode())
            total.update(tensor.detach().contiguous().numpy().data)
    return total.hexdigest()


def space_of(config: ModelConfig, weights: str) -> str:
    """Padding that no vector sees is left out, and so is how the tokenizer is stored: formats differ in both."""
    spec = config.tokenizer_spec
    if spec is not None and spec.padding == "longest":
        spec = replace(spec, pad_id=0)
    return make_space_id(config.image, config.text, config.image_spec, spec, tokenizer=b"", sources=weights)


def _read(weights: Weights, place: Place) -> "Tensor":
    tensor = weights.read(place.theirs)
    if tensor.is_floating_point():
        tensor = tensor.float()
    match place.how:
        case "transpose":
            return tensor.T.contiguous()
        case "stack":
            return tensor.chunk(place.parts)[place.part].contiguous()
        case "scalar":
            return tensor.reshape(())
    return tensor.contiguous()


def _describe(layout: Layout, weights: Weights, ours: Shapes, said: Said) -> Description:
    folder = weights.path.parent
    match layout.name:
        case "hf_clip" | "hf_clip_text" | "hf_clip_vision" | "hf_chinese_clip":
            file = folder / "config.json"
            if not file.is_file():
                raise CheckpointError(
                    f"{folder} has no config.json, which says heads, activation and more that {weights.path.name} cannot show"
                )
            projected = any(name.endswith(".projection.weight") for name in ours)
            processor = _json(folder / "preprocessor_config.json")
            described = hugging_face.describe(_json(file) or {}, processor, projected=projected, name=str(file))
        case "open_clip_hf_text" | "open_clip" | "openai" if (folder / "open_clip_config.json").is_file():
            file = folder / "open_clip_config.json"
            described = open_clip.describe(_json(file) or {}, _json(folder / "config.json"), str(file))
        case "open_clip_hf_text":
            raise CheckpointError(f"{folder} has no open_clip_config.json, which says how {weights.path.name} pools its texts")
        case "cn_clip":
            width = ours.get("image.class_embedding", (0,))[0]
            image_heads_of = CHINESE_IMAGE_HEAD_WIDTHS.get(width, HEAD_WIDTH)
            described = _from_shapes(ours, said.or_else(CHINESE), image_heads_of, HEAD_WIDTH, "Chinese-CLIP's rules")
            described = replace(described, image_spec=_image_spec(said.preprocessing or "chinese-clip", described))
        case "openai" if from_openai(weights):
            described = _from_shapes(ours, said.or_else(OPENAI), HEAD_WIDTH, HEAD_WIDTH, "OpenAI's rules")
            described = replace(described, image_spec=_image_spec(said.preprocessing or "openai", described))
        case "openai" | "open_clip":
            described = _from_shapes(ours, said, None, None, "what the caller says")
        case _:
            raise CheckpointError(f"{folder} has SeeSay's weights without SeeSay's config.json")
    if described.image is not None and described.image_spec is None:
        if said.preprocessing is None:
            raise CheckpointError(
                f"nothing beside {weights.path} says how pictures are preprocessed. Pass preprocessing='openai' (shorter side, "
                "centre crop), 'chinese-clip' (squashed), or an ImageSpec"
            )
        described = replace(described, image_spec=_image_spec(said.preprocessing, described))
    return described


def from_openai(weights: Weights) -> bool:
    """OpenAI's archives carry three numbers that nobody else stores."""
    return weights.kind == "TorchScript archive" or "input_resolution" in weights.names


def _from_shapes(ours: Shapes, said: Said, image_heads_of: int | None, text_heads_of: int | None, source: str) -> Description:
    image, text = shapes.image_config(ours, said, image_heads_of), shapes.text_config(ours, said, text_heads_of)
    spec = None
    if isinstance(text, ClipTextConfig):
        spec = TokenizerSpec(context_length=text.positions, pad_id=0, padding="longest")
    elif isinstance(text, BertConfig):
        spec = TokenizerSpec(context_length=52, pad_id=0, padding="longest")
    return Description(
        dim=shapes.dimension(ours),
        image=image,
        text=text,
        image_spec=None,
        tokenizer_spec=spec,
        tokenizer="clip" if isinstance(text, ClipTextConfig) else "chinese" if text else None,
        source=source,
        languages=("zh",) if isinstance(text, BertConfig) else (),
    )


def _image_spec(given: Preprocessing | ImageSpec, described: Description) -> ImageSpec | None:
    if described.image is None or isinstance(given, ImageSpec):
        return given if isinstance(given, ImageSpec) else None
    return preset(given, described.image.image_px)


def _json(file: Path) -> Mapping[str, Any] | None:
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{file} is not a configuration: expected an object")
    return values
