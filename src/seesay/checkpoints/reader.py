"""Opening any checkpoint of the CLIP family: what it is, what it says, what is missing, and the model that it holds."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seesay.catalog import architecture
from seesay.checkpoints import hugging_face, open_clip, shapes
from seesay.checkpoints.description import Description, Preprocessing, Said, preset
from seesay.checkpoints.layouts import SEESAY, Layout, sniff
from seesay.checkpoints.names import Account, Place, account
from seesay.checkpoints.shapes import Shapes
from seesay.checkpoints.weights import Weights, open_graphs, open_weights
from seesay.config import (
    BertConfig,
    ClipTextConfig,
    ImageSpec,
    ModelConfig,
    ModifiedResNetConfig,
    Source,
    VitConfig,
    is_model_folder,
    make_space_id,
    read_config,
    read_object,
)
from seesay.errors import CheckpointError, MissingExtra, ModelError
from seesay.tokenizers import SPECS, pad_id, tokenizer_json, vocabulary
from seesay.tokenizers.vocabulary import PIECES, VocabularyName

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
    said: Said
    known: ModelConfig | None = None  # of a SeeSay folder

    @property
    def shapes(self) -> Shapes:
        return our_shapes(self.weights, self.account)

    def tokenizer(self) -> bytes | None:
        """The tokenizer.json; None for a picture tower alone, and where a text tower came without its vocabulary."""
        name = self.description.tokenizer
        if name != "folder":
            return None if name is None else vocabulary(name)
        try:
            return tokenizer_json(self.weights.path.parent)
        except ModelError:
            return None

    def state(self) -> "dict[str, Tensor]":
        """Every tensor by our names, float32 (and the batch norms' counters int64), positions resized where that was said."""
        state = {
            ours: _read(self.weights, place)
            for ours, place in self.account.places.items()
            if ours not in UNUSED or self._pools()
        }
        from seesay.models.positions import resize_grid, resize_line

        for name in self._resized() & state.keys():
            if name.startswith("image."):
                assert isinstance(self.description.image, VitConfig | ModifiedResNetConfig)
                state[name] = resize_grid(state[name], self.description.image.grid)
            else:
                assert isinstance(self.description.text, ClipTextConfig)
                state[name] = resize_line(state[name], self.description.text.positions)
        return state

    def _resized(self) -> set[str]:
        """Tables of positions that the caller wants at another resolution or length."""
        image = {"image.position_embedding", "image.pool.position_embedding"} if self.said.image_px else set()
        return image | ({"text.position_embedding"} if self.said.context_length else set())

    def _pools(self) -> bool:
        return isinstance(self.description.text, BertConfig) and self.description.text.pooling == "tanh"

    def model(self) -> "Clip":
        """The towers in torch, in eval mode. Raises CheckpointError with every missing, left-over and misshapen tensor."""
        clip, state = self.check_towers(), self.state()
        import torch

        if self.known is not None:  # the configuration holds them too, and a folder of graphs nowhere else
            numbers = {"logit_scale": self.known.logit_scale, "logit_bias": self.known.logit_bias}
            state |= {name: torch.tensor(value) for name, value in numbers.items() if value is not None}
        elif self.description.image is None or self.description.text is None:
            state.setdefault("logit_scale", torch.zeros(()))
        clip.load_state_dict(state, assign=True)
        clip.config = self._config(
            scale=float(state["logit_scale"]),
            bias=float(state["logit_bias"]) if "logit_bias" in state else None,
            space=digest(state.items()),
        )
        return clip.eval()

    def check_towers(self) -> "Clip":
        """The towers without weights, once names and shapes are found to fit them. Raises CheckpointError, MissingExtra."""
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
        if self.known is not None or self.description.image is None or self.description.text is None:
            optional |= {"logit_scale", "logit_bias"}
        faults = [f"missing: {name}" for name in expected if name not in found and name not in optional]
        faults += [f"left over: {self.account.places[name].theirs}" for name in found if name not in expected]
        faults += [f"left over: {name}" for name in self.account.left_over]
        faults += [
            f"{self.account.places[name].theirs}: shape {found[name]}, expected {expected[name]}"
            for name in expected
            if name in found
            and found[name] != expected[name]
            and not (name in self._resized() and found[name][1:] == expected[name][1:])
        ]
        if faults:
            listed = "\n".join(f"  {fault}" for fault in faults[:12])
            more = f"\n  and {len(faults) - 12} more" if len(faults) > 12 else ""
            raise CheckpointError(
                f"{self.weights.path} ({self.layout.title}) does not fit {self.description.source}:\n{listed}{more}"
            )

    def _config(self, *, scale: float, bias: float | None, space: str) -> ModelConfig:
        if self.known is not None:
            return self.known
        d, said, entry = self.description, self.said, self.said.entry
        licence = said.licence or (entry.licence.name if entry else None) or "unknown"
        config = ModelConfig(
            format_version=1,
            name=said.name or (entry.id if entry else self.path.stem if self.path.is_file() else self.path.resolve().name),
            dim=d.dim,
            image=d.image,
            text=d.text,
            image_spec=d.image_spec,
            tokenizer_spec=d.tokenizer_spec,
            logit_scale=scale,
            logit_bias=bias,
            score="softmax" if bias is None else "sigmoid",
            precision={"image": "float32", "text": "float32"},
            languages=said.languages or (entry.languages if entry else d.languages),
            licence=licence,
            provenance=(Source(self.weights.path.name, self.layout.title, licence, space),) if space else (),
            space_id="",
        )
        return replace(config, space_id=space_of(config, space)) if space else config


def open_checkpoint(path: str | Path, said: Said | None = None) -> Checkpoint:
    """A file or a folder of any known format. Raises CheckpointError; MissingExtra where torch is needed and absent."""
    path, said = Path(path), said or Said()
    if is_model_folder(path):
        if said != Said():
            raise CheckpointError(f"{path} is a SeeSay folder, which says everything itself; say nothing about it")
        return _open_seesay(path)
    return read_checkpoint(path, open_weights(path), said)


def read_checkpoint(path: Path, weights: Weights, said: Said) -> Checkpoint:
    """What opened weights are and how they work. What lies beside `weights.path` is read, the tensors are not."""
    try:
        layout = sniff(weights.names)
    except CheckpointError as error:
        raise CheckpointError(f"{weights.path}: {error}") from None
    found = account(weights.names, layout.table(weights.names))
    ours = our_shapes(weights, found)
    described = _padded(_describe(layout, weights, ours, said), weights.path.parent)
    described = _overridden(described, said)
    _plausible(described, ours)
    return Checkpoint(path, layout, weights, found, described, said)


def _open_seesay(folder: Path) -> Checkpoint:
    config = read_config(folder)
    weights = open_weights(folder / "model.safetensors") if (folder / "model.safetensors").is_file() else open_graphs(folder)
    found = Account({name: Place(name, "same") for name in weights.names}, (), {})
    description = Description(
        dim=config.dim,
        image=config.image,
        text=config.text,
        image_spec=config.image_spec,
        tokenizer_spec=config.tokenizer_spec,
        tokenizer="folder" if config.text is not None else None,
        source=str(folder / "config.json"),
        languages=config.languages,
    )
    return Checkpoint(folder, SEESAY, weights, found, description, Said(), config)


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
        case "openai" | "open_clip" | "open_clip_hf_text" if said.architecture or said.entry:
            described = _from_catalogue(said)
        case "open_clip_hf_text":
            raise CheckpointError(
                f"{folder} has no open_clip_config.json, which says how {weights.path.name} pools its texts. Put it there, or "
                "pass architecture=NAME, the name of its architecture in the catalogue (seesay models architectures)"
            )
        case "cn_clip":
            width = ours.get("image.class_embedding", (0,))[0]
            image_heads_of = CHINESE_IMAGE_HEAD_WIDTHS.get(width, HEAD_WIDTH)
            described = _from_shapes(ours, said.or_else(CHINESE), image_heads_of, HEAD_WIDTH, "Chinese-CLIP's rules")
            described = replace(described, image_spec=_image_spec("chinese-clip", described))
        case "openai" if from_openai(weights):
            described = _from_shapes(ours, said.or_else(OPENAI), HEAD_WIDTH, HEAD_WIDTH, "OpenAI's rules")
            described = replace(described, image_spec=_image_spec("openai", described))
        case "openai" | "open_clip":
            said.require("activation", "image_heads", "text_heads", "preprocessing")
            described = _from_shapes(ours, said, None, None, "what the caller says")
        case _:
            raise CheckpointError(f"{folder} has SeeSay's weights without SeeSay's config.json")
    return described


def _from_catalogue(said: Said) -> Description:
    """An architecture by name; preprocessing only where the entry of these very weights says it."""
    entry = said.entry
    name = said.architecture or (entry.architecture if entry else "")
    found = architecture(name, entry.activation if entry and not said.architecture else None)
    return Description(
        dim=found.dim,
        image=found.image,
        text=found.text,
        image_spec=entry.preprocess if entry else None,
        tokenizer_spec=found.tokenizer_spec,
        tokenizer=found.vocabulary,
        source=f"the architecture {name} of the catalogue",
    )


def _padded(described: Description, folder: Path) -> Description:
    """Texts padded as the tokenizer's files have it. A BERT-like tower masks its own padding only, so it sees any other."""
    spec = described.tokenizer_spec
    found = pad_id(folder) if described.tokenizer == "folder" else None
    if spec is None or found is None:
        return described
    sees = isinstance(described.text, BertConfig) and described.text.pad_id != found
    return replace(described, tokenizer_spec=replace(spec, pad_id=found, padding="context" if sees else spec.padding))


def _overridden(described: Description, said: Said) -> Description:
    """What the caller says wins; and in the end preprocessing must be known, and make what the tower takes."""
    image, text = described.image, described.text
    if isinstance(image, VitConfig):
        image = replace(image, activation=said.activation or image.activation)
    if isinstance(image, VitConfig | ModifiedResNetConfig):
        image = replace(image, heads=said.image_heads or image.heads)
    if isinstance(text, ClipTextConfig):
        text = replace(text, activation=said.text_activation or said.activation or text.activation)
    elif isinstance(text, BertConfig):
        text = replace(text, activation=said.text_activation or text.activation)
    if isinstance(text, ClipTextConfig | BertConfig):
        text = replace(text, heads=said.text_heads or text.heads)
    if said.image_px and isinstance(image, VitConfig | ModifiedResNetConfig):
        step = image.patch_px if isinstance(image, VitConfig) else 32
        if said.image_px % step:
            raise CheckpointError(f"image_px={said.image_px} is not a multiple of {step}, the size of this tower's patches")
        image = replace(image, image_px=said.image_px)
        if (spec := described.image_spec) is not None:
            resize_px = round(spec.resize_px * said.image_px / spec.size_px)
            described = replace(described, image_spec=replace(spec, size_px=said.image_px, resize_px=resize_px))
    if said.context_length and isinstance(text, ClipTextConfig):
        text = replace(text, positions=said.context_length)
        assert described.tokenizer_spec
        spec_of_texts = replace(described.tokenizer_spec, context_length=said.context_length)
        described = replace(described, tokenizer_spec=spec_of_texts)
    described = replace(described, image=image, text=text)
    if image is None:
        return described
    if said.preprocessing is not None:
        described = replace(described, image_spec=_image_spec(said.preprocessing, described))
    if described.image_spec is None:
        raise CheckpointError(
            f"{described.source} does not say how pictures are preprocessed. Pass preprocessing='openai' (shorter side, centre "
            "crop), 'chinese-clip' (squashed), or an ImageSpec"
        )
    if described.image_spec.size_px != image.image_px:
        raise CheckpointError(
            f"preprocessing makes pictures of {described.image_spec.size_px} pixels, the image tower takes {image.image_px}"
        )
    return described


def _plausible(described: Description, ours: Shapes) -> None:
    """Raises CheckpointError for what would fail, or take all memory, before tensors can be compared."""
    for tower, config in (("image", described.image), ("text", described.text)):
        said: object = None
        found: object = None
        width, heads = getattr(config, "width", 0), getattr(config, "heads", 1)
        if isinstance(config, VitConfig | ClipTextConfig | BertConfig):
            said, found = config.depth, shapes.depth(ours, tower)
        elif isinstance(config, ModifiedResNetConfig):
            said, found, width = config.stages, shapes.stages(ours), 32 * width
        if said != found:
            raise CheckpointError(f"{described.source}: {said} layers in the {tower} tower, the weights have {found}")
        if heads < 1 or width % heads:
            raise CheckpointError(f"{described.source}: {heads} heads in the {tower} tower do not divide its width {width}")


def from_openai(weights: Weights) -> bool:
    """OpenAI's archives carry three numbers that nobody else stores."""
    return weights.kind == "TorchScript archive" or "input_resolution" in weights.names


def _from_shapes(ours: Shapes, said: Said, image_heads_of: int | None, text_heads_of: int | None, source: str) -> Description:
    image, text = shapes.image_config(ours, said, image_heads_of), shapes.text_config(ours, said, text_heads_of)
    named: VocabularyName = "clip" if isinstance(text, ClipTextConfig) else "chinese_clip"
    packaged, spec = False, None
    if text is not None:
        packaged = text.vocabulary >= PIECES[named]  # a smaller tower has one of its own
        spec = SPECS[named] if packaged else replace(SPECS[named], cleaning="none")
        if isinstance(text, ClipTextConfig):
            spec = replace(spec, context_length=text.positions)
    return Description(
        dim=shapes.dimension(ours),
        image=image,
        text=text,
        image_spec=None,
        tokenizer_spec=spec,
        tokenizer=None if text is None else named if packaged else "folder",
        source=source,
        languages=("zh",) if isinstance(text, BertConfig) else (),
    )


def _image_spec(given: Preprocessing | ImageSpec, described: Description) -> ImageSpec | None:
    if described.image is None or isinstance(given, ImageSpec):
        return given if isinstance(given, ImageSpec) else None
    return preset(given, described.image.image_px)


def _json(file: Path) -> Mapping[str, Any] | None:
    return read_object(file) if file.is_file() else None
