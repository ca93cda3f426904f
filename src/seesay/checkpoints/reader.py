"""Opening any checkpoint of the CLIP family: what it is, what it says, what is missing, and the model that it holds."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.checkpoints.containers.weights import Weights, open_graphs, open_weights
from seesay.checkpoints.formats import unsupported as families
from seesay.checkpoints.formats.layouts import SEESAY, Layout, sniff
from seesay.checkpoints.names import Account, Place, account
from seesay.checkpoints.overrides import Description, Said
from seesay.checkpoints.resolve import describe
from seesay.checkpoints.shapes import Shapes
from seesay.errors import CheckpointError, MissingExtra, ModelError
from seesay.models.config import ModelConfig, WeightSource, is_model_folder, make_space_id, read_config
from seesay.tokenizers import tokenizer_json, vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.clip import Clip

STORED = ("float32", "float16", "bfloat16", "float64")


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
        state = {ours: _read(self.weights, place) for ours, place in self.account.places.items() if ours not in self._unused()}
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
        """Tables of positions that the caller wants at another resolution or length."""
        image = {"image.position_embedding", "image.pool.position_embedding"} if self.said.image_px else set()
        return image | ({"text.position_embedding"} if self.said.context_length else set())

    def _unused(self) -> set[str]:
        """Weights that the text tower's configuration leaves out."""
        text = self.description.text
        return set() if text is None else {f"text.{name}" for name in text.unused_weights}

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
        from seesay.models.clip import Clip

        with torch.device("meta"):
            clip = Clip(self.config())
        self.check({name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()})
        return clip

    def check(self, expected: Shapes) -> None:
        """Closes the account: nothing missing, nothing left over, every shape as expected."""
        found = dict(self.shapes)
        for name in self._unused():
            found.pop(name, None)
        optional = {name for name in expected if name.endswith("num_batches_tracked")}
        if self.known is not None or self.description.image is None or self.description.text is None:
            optional |= {"logit_scale", "logit_bias"}
        faults = [f"missing: {name}" for name in expected if name not in found and name not in optional]
        faults += [f"left over: {self.account.places[name].theirs}" for name in found if name not in expected]
        faults += [
            f"{place.theirs}: stored as {dtype}, expected one of {', '.join(STORED)}"
            for name, place in self.account.places.items()
            if name in expected
            and not name.endswith("num_batches_tracked")
            and (dtype := self.weights.names[place.theirs].dtype) not in STORED
        ]
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

    def config(self) -> ModelConfig:
        """What the model is, but for what only its weights say: the scale and the bias of its logits, and its space."""
        return self._config(scale=0.0, bias=0.0 if "logit_bias" in self.account.places else None, space="")

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
            precision={name: "float32" for name, tower in (("image", d.image), ("text", d.text)) if tower is not None},
            languages=said.languages or (entry.languages if entry else d.languages),
            licence=licence,
            provenance=(WeightSource(self.weights.path.name, self.layout.title, licence, space),) if space else (),
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
    layout = layout_of(weights)
    found = account(weights.names, layout.table(weights.names))
    ours = our_shapes(weights, found)
    return Checkpoint(path, layout, weights, found, describe(layout, weights, ours, said), said)


def layout_of(weights: Weights) -> Layout:
    """The weights' format. Raises CheckpointError that names what they are where no format here reads them."""
    beside = families.by_configuration(weights.path.parent)
    try:
        layout = sniff(weights.names)
    except CheckpointError as error:
        raise CheckpointError(f"{weights.path}: {families.refused(beside) if beside else error}") from None
    if layout.name.startswith("hf_") and beside:  # several of transformers' families share names
        raise CheckpointError(f"{weights.path}: {families.refused(beside)}")
    return layout


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
