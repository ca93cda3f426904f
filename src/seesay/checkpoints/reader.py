"""Opens a checkpoint of any supported format: `open_checkpoint`, and the `Checkpoint` from which a model is made."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.containers.parsing import as_checkpoint_error
from seesay.checkpoints.containers.weights import Weights, open_graphs, open_weights
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import seesay as seesay_format
from seesay.checkpoints.formats.format import Evidence, Format
from seesay.checkpoints.formats.registry import recognise
from seesay.checkpoints.graphs.local import local_graphs
from seesay.checkpoints.hub.locate import known_as
from seesay.checkpoints.names import Account, Origin, account, squeezed
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.resolve import describe
from seesay.checkpoints.shapes import Shapes
from seesay.errors import CheckpointError, MissingExtra
from seesay.models.config import ModelConfig, WeightSource, is_model_folder, make_space_id, read_config
from seesay.tokenizers import has_vocabulary, surroundings, tokenizer_json, vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.clip import Clip

ONLY_RUN = (
    "graphs that others exported, which ONNX Runtime runs as they are. They cannot be trained, run in torch or converted; for "
    "that, take the checkpoint that they were exported from"
)
FLOATS = ("float32", "float16", "bfloat16", "float64")


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint, its weights still in the file. folder_config: of a SeeSay folder, which needs no description."""

    path: Path
    format: Format
    weights: Weights
    account: Account
    description: Description
    overrides: Overrides
    folder_config: ModelConfig | None = None

    @property
    def shapes(self) -> Shapes:
        """The tensors' shapes by native names."""
        return native_shapes(self.weights, self.account)

    @property
    def used_shapes(self) -> Shapes:
        """The tensors' shapes by native names, of those that the towers have."""
        unused = self._unused()
        return {name: shape for name, shape in self.shapes.items() if name not in unused}

    def read(self, name: str) -> "Tensor":
        """One tensor by its native name, float32."""
        return _read(self.weights, self.account.origins[name])

    def without_images(self) -> "Checkpoint":
        """The text tower alone. Raises CheckpointError where there is none."""
        if self.description.text is None:
            raise CheckpointError(f"{self.path} has no text encoder: it is an image tower alone")
        origins = {name: origin for name, origin in self.account.origins.items() if name.startswith("text.")}
        config = self.folder_config
        return replace(
            self,
            account=replace(self.account, origins=origins),
            description=replace(self.description, image=None, image_spec=None),
            folder_config=None if config is None else replace(config, image=None, image_spec=None),
        )

    def tokenizer(self) -> bytes | None:
        """The tokenizer.json; None for an image tower alone, and where a text tower comes without a vocabulary."""
        name = self.description.tokenizer
        if name != "folder":
            return None if name is None else vocabulary(name)
        folder = self.weights.path.parent
        if not has_vocabulary(folder):
            return None
        with as_checkpoint_error():
            content = tokenizer_json(folder)
        self._check_tokenizer(content)
        return content

    def _check_tokenizer(self, content: bytes) -> None:
        """Raises CheckpointError for another model's tokenizer, as far as the description has traits of the right one."""
        text, traits = self.description.text, self.description.traits
        if text is None or traits is None:
            return
        ends, pieces = surroundings(content)
        faults = []
        if ends != traits.ends:
            faults.append(f"it puts the ids {list(ends)} around a text, the text tower was trained with {list(traits.ends)}")
        if not 0 <= pieces - text.vocabulary <= traits.spare:
            faults.append(f"it has {pieces} pieces, the text tower {text.vocabulary}")
        if faults:
            raise CheckpointError(
                f"{self.weights.path.parent}: the tokenizer there belongs to another model: {'; '.join(faults)}. "
                "Put the files of this model's own tokenizer there (tokenizer.json, tokenizer_config.json)"
            )

    def state(self) -> "dict[str, Tensor]":
        """Every tensor by native names: float32, batch norms' counters int64; positions resized where overrides ask for it."""
        state = {name: self.read(name) for name in self.used_shapes}
        from seesay.models.layers.positions import resize_grid, resize_line

        for name in self._resized() & state.keys():
            if name.startswith("image."):
                assert self.description.image is not None
                state[name] = resize_grid(state[name], self.description.image.grid)
            else:
                assert self.description.text is not None
                assert self.description.text.max_tokens is not None
                state[name] = resize_line(state[name], self.description.text.max_tokens)
        return state

    def _resized(self) -> set[str]:
        """Names of position tables that overrides resize."""
        image = {"image.position_embedding", "image.pool.position_embedding"} if self.overrides.image_px else set()
        return image | ({"text.position_embedding"} if self.overrides.context_length else set())

    def _unused(self) -> set[str]:
        """Names of weights that the towers' configurations leave out."""
        towers = (("image", self.description.image), ("text", self.description.text))
        return {f"{part}.{name}" for part, tower in towers if tower is not None for name in tower.unused_weights}

    def model(self) -> "Clip":
        """The towers in torch, in eval mode. Raises CheckpointError with every missing, left-over and misshapen tensor."""
        clip, state = self.check_towers(), self.state()
        import torch

        if self.folder_config is not None:  # a folder of graphs has these numbers in its configuration only
            numbers = {"logit_scale": self.folder_config.logit_scale, "logit_bias": self.folder_config.logit_bias}
            state |= {name: torch.tensor(value) for name, value in numbers.items() if value is not None}
        elif self.description.image is None or self.description.text is None:
            state.setdefault("logit_scale", torch.zeros(()))
        clip.load_state_dict(state, assign=True)
        clip.config = self._config(
            logit_scale=float(state["logit_scale"]),
            bias=float(state["logit_bias"]) if "logit_bias" in state else None,
            space=digest(state.items()),
        )
        return clip.eval()

    def check_towers(self) -> "Clip":
        """The towers without weights, after checking tensor names and shapes. Raises CheckpointError, MissingExtra."""
        try:
            import torch
        except ImportError:
            raise MissingExtra("running a checkpoint", "torch") from None
        from seesay.models.clip import Clip

        with torch.device("meta"):
            clip = Clip(self.config())
        self.check({name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()})
        return clip

    def check(self, expected: Shapes) -> None:
        """Closes the account: nothing missing, nothing left over, every shape and dtype as expected. Raises CheckpointError."""
        stored = self.used_shapes
        faults = [
            *self._missing(stored, expected),
            *(f"left over: {self.account.origins[name].foreign}" for name in stored if name not in expected),
            *self._wrong_dtypes(expected),
            *(f"left over: {name}" for name in self.account.unmatched),
            *self._wrong_shapes(stored, expected),
        ]
        if faults:
            listed = "\n".join(f"  {fault}" for fault in faults[:12])
            more = f"\n  and {len(faults) - 12} more" if len(faults) > 12 else ""
            raise CheckpointError(
                f"{self.weights.path} ({self.format.title}) does not fit {self.description.source}:\n{listed}{more}"
            )

    def _missing(self, stored: Shapes, expected: Shapes) -> list[str]:
        optional = {name for name in expected if name.endswith("num_batches_tracked")}
        if self.folder_config is not None or self.description.image is None or self.description.text is None:
            optional |= {"logit_scale", "logit_bias"}
        return [f"missing: {name}" for name in expected if name not in stored and name not in optional]

    def _wrong_dtypes(self, expected: Shapes) -> list[str]:
        return [
            f"{origin.foreign}: stored as {dtype}, expected one of {', '.join(FLOATS)}"
            for name, origin in self.account.origins.items()
            if name in expected
            and not name.endswith("num_batches_tracked")
            and (dtype := self.weights.names[origin.foreign].dtype) not in FLOATS
        ]

    def _wrong_shapes(self, stored: Shapes, expected: Shapes) -> list[str]:
        """Positions that are resized may differ in number."""
        return [
            f"{self.account.origins[name].foreign}: shape {stored[name]}, expected {expected[name]}"
            for name in expected
            if name in stored
            and stored[name] != expected[name]
            and not (name in self._resized() and stored[name][1:] == expected[name][1:])
        ]

    def config(self) -> ModelConfig:
        """The model's configuration without what only its weights show: the logits' scale and bias, and the space id."""
        biased = self.description.biased or "logit_bias" in self.account.origins
        return self._config(logit_scale=0.0, bias=0.0 if biased else None, space="")

    def _config(self, *, logit_scale: float, bias: float | None, space: str) -> ModelConfig:
        if self.folder_config is not None:
            return self.folder_config
        d, overrides, entry = self.description, self.overrides, self.overrides.entry
        licence = overrides.licence or (entry.licence.name if entry else None) or "unknown"
        config = ModelConfig(
            format_version=1,
            name=overrides.name or (entry.id if entry else known_as(self.path)),
            dim=d.dim,
            image=d.image,
            text=d.text,
            image_spec=d.image_spec,
            tokenizer_spec=d.tokenizer_spec,
            logit_scale=logit_scale,
            logit_bias=bias,
            score="softmax" if bias is None else "sigmoid",
            precision={name: "float32" for name, tower in (("image", d.image), ("text", d.text)) if tower is not None},
            languages=overrides.languages or (entry.languages if entry else d.languages),
            licence=licence,
            provenance=(WeightSource(self.weights.path.name, self.format.title, licence, space),) if space else (),
            space_id="",
        )
        return replace(config, space_id=space_of(config, space)) if space else config


def open_checkpoint(path: str | Path, overrides: Overrides | None = None) -> Checkpoint:
    """A file or a folder of any supported format. Raises CheckpointError; MissingExtra where torch is needed and absent."""
    path, overrides = Path(path), overrides or Overrides()
    if is_model_folder(path):
        if overrides != Overrides():
            raise CheckpointError(f"{path} is a SeeSay folder, which says everything itself; say nothing about it")
        return _open_model_folder(path)
    if (graphs := local_graphs(path, overrides.variant)) is not None:
        raise CheckpointError(f"{path} has no weights for torch, but {graphs.files.image}: {ONLY_RUN}")
    if overrides.scale is not None or overrides.bias is not None:
        raise CheckpointError(f"{path} holds its own scale; scale and bias are for graphs that others exported")
    return read_checkpoint(path, open_weights(path), overrides)


def read_checkpoint(path: Path, weights: Weights, overrides: Overrides) -> Checkpoint:
    """The checkpoint of opened weights. Files beside `weights.path` are read, the tensors are not. Raises CheckpointError."""
    recognised = recognise(weights)
    weights = recognised.laid_out(weights)
    accounted = account(weights.names, recognised.table(weights.names))
    description = describe(recognised, Evidence(weights, native_shapes(weights, accounted), overrides))
    return Checkpoint(path, recognised, weights, accounted, description, overrides)


def _open_model_folder(folder: Path) -> Checkpoint:
    config = read_config(folder)
    for tower in (config.image, config.text):
        if tower is not None and tower.exported is not None:
            raise CheckpointError(f"{folder} has no weights for torch, but {tower.exported.file}: {ONLY_RUN}")
    weights = open_weights(folder / "model.safetensors") if (folder / "model.safetensors").is_file() else open_graphs(folder)
    accounted = Account({name: Origin(name, "same") for name in weights.names}, (), {})
    description = seesay_format.describe(config, str(folder / "config.json"))
    return Checkpoint(folder, seesay_format.FORMAT, weights, accounted, description, Overrides(), config)


def native_shapes(weights: Weights, accounted: Account) -> Shapes:
    """The tensors' shapes by native names."""
    return {name: origin.shape(weights.names[origin.foreign].shape) for name, origin in accounted.origins.items()}


def digest(state: "Iterable[tuple[str, Tensor]]") -> str:
    """SHA-256 over native names, shapes and float32 values, sorted by name: equal for one model in any format."""
    sha256 = hashlib.sha256()
    for name, tensor in sorted(state):
        if tensor.is_floating_point():
            sha256.update(f"{name}{tuple(tensor.shape)}".encode())
            sha256.update(tensor.detach().contiguous().numpy().data)
    return sha256.hexdigest()


def space_of(config: ModelConfig, weights: str) -> str:
    """The space id of a model whose weights have this digest.

    Padding that changes no vector is left out, and so is the tokenizer's file, since formats differ in both.
    """
    spec = config.tokenizer_spec
    if spec is not None and spec.padding == "longest":
        spec = replace(spec, pad_id=0)
    return make_space_id(config.image, config.text, config.image_spec, spec, tokenizer=b"", sources=weights)


def _read(weights: Weights, origin: Origin) -> "Tensor":
    tensor = weights.read(origin.foreign)
    if tensor.is_floating_point():
        tensor = tensor.float()
    match origin.how:
        case "transpose":
            return tensor.T.contiguous()
        case "stack":
            return tensor.chunk(origin.parts)[origin.part].contiguous()
        case "scalar" | "single":
            return tensor.reshape(())
        case "squeeze":
            return tensor.reshape(squeezed(tuple(tensor.shape))).contiguous()
        case "temperature":
            return -tensor.reshape(()).log()
    return tensor.contiguous()
