"""Generators that paint from picture embeddings: a folder of Stable unCLIP, or an IP-Adapter; and which space each takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seesay.checkpoints.containers.weights import Weights, open_weights
from seesay.errors import CheckpointError, InputError, MissingCapability
from seesay.generation.variations import Noising, remaining_variance
from seesay.system.paths import printable
from seesay.system.schema import read_object

if TYPE_CHECKING:
    from seesay.model import Model

ALIKE = 0.999  # cosine of two encoders' vectors of one picture, from which on they are one; weights in float16 keep 0.9999
PLAIN = "image_proj.proj.weight"
OTHER_KINDS = {  # a tensor that tells other IP-Adapters -> what they take
    "image_proj.latents": "a plus adapter, which takes the image encoder's hidden states",
    "image_proj.proj.0.weight": "a full-face or FaceID adapter, which takes hidden states or faces",
    "image_proj.perceiver_resampler.proj_in.weight": "a FaceID plus adapter, which takes faces",
}
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class ImageGenerator:
    """A generator that takes picture embeddings (S, D). encoder: the folder of the image encoder that it was trained with; None
    where it is not there. noising: of Stable unCLIP."""

    path: Path
    kind: Literal["unclip", "ip-adapter"]
    dim: int
    encoder: Path | None
    noising: Noising | None = None

    @property
    def name(self) -> str:
        """Its path, for messages."""
        return printable(self.path)

    def open_encoder(self) -> "Model":
        """Its image encoder, prepared as its pipeline prepares pictures. Raises MissingCapability, ModelError, MissingExtra."""
        from seesay.checkpoints.formats.hugging_face import image_processor
        from seesay.model import load

        if self.encoder is None:
            raise MissingCapability(
                f"{self.name} has no folder image_encoder beside it; name the CLIP model that it was trained with (--model)"
            )
        if image_processor(self.encoder) is not None:
            return load(self.encoder)
        return load(self.encoder, preprocessing="openai")  # as diffusers, where no file says

    def check_space(self, model: "Model") -> None:
        """Raises InputError where a model's embeddings are not those that the generator was trained on.

        The model and the image encoder look at the same three made pictures. Without an encoder only the width is compared.
        """
        if model.dim != self.dim:
            raise InputError(
                f"{self.name} was trained on embeddings of {self.dim} dimensions, {self._encoder_words}; those of model "
                f"{model.name!r} have {model.dim} and mean nothing to it. Leave out --model, or name the CLIP that it was "
                "trained with"
            )
        if self.encoder is None:
            return
        pictures = _made_pictures()
        own, others = self.open_encoder().encode_image(pictures), model.encode_image(pictures)
        least = float((own * others).sum(axis=1).min())
        if not least > ALIKE:
            raise InputError(
                f"{self.name} was trained on another space than that of model {model.name!r}: {self._encoder_words} sees "
                f"one picture so differently that the cosine of both embeddings is {least:.3f}. Leave out --model, or name the "
                "CLIP that it was trained with"
            )

    @property
    def _encoder_words(self) -> str:
        return "by an image encoder that is not beside it" if self.encoder is None else f"its {printable(self.encoder)}"


def read_generator(path: Path) -> ImageGenerator:
    """A diffusers folder of Stable unCLIP, or with an image encoder for IP-Adapter; or an IP-Adapter's file, or its folder.

    Raises CheckpointError for anything else, and for adapters that take more than the embedding.
    """
    if not path.exists():
        raise CheckpointError(f"there is no file or folder {printable(path)}")
    if path.is_dir() and (path / "model_index.json").is_file():
        return _read_pipeline(path)
    return _read_adapter(path if path.is_file() else _adapter_in(path))


def _read_pipeline(folder: Path) -> ImageGenerator:
    pipeline = str(read_object(folder / "model_index.json").get("_class_name"))
    encoder = folder / "image_encoder"
    found = encoder if (encoder / "config.json").is_file() else None
    if (folder / "image_normalizer").is_dir():
        noising = _read_noising(folder)
        _check_network(folder, len(noising.mean))
        return ImageGenerator(folder, "unclip", len(noising.mean), found, noising)
    if found is None:
        raise CheckpointError(
            f"{printable(folder)} ({pipeline:.60}) paints from texts: it has neither image_encoder nor image_normalizer. "
            "Expected a folder of Stable unCLIP, or an IP-Adapter"
        )
    return ImageGenerator(folder, "ip-adapter", _projection(found), found)


def _read_noising(folder: Path) -> Noising:
    weights = open_weights(_weights_in(folder / "image_normalizer"))
    mean, std = (_row(weights, name) for name in ("mean", "std"))
    if mean.shape != std.shape or not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        raise CheckpointError(f"{printable(weights.path)}: expected a mean and a std above 0 of one width")
    file = folder / "image_noising_scheduler" / "scheduler_config.json"
    if not file.is_file():
        raise CheckpointError(f"{printable(folder)} has an image_normalizer, and {printable(file)} is missing")
    config = read_object(file)
    levels = _whole(config, "num_train_timesteps", 1000, file)
    if config.get("trained_betas") is not None or config.get("rescale_betas_zero_snr"):
        raise CheckpointError(f"{printable(file)}: trained betas and a rescaled end are not known here")
    start, end = (_number(config, name, default, file) for name, default in (("beta_start", 0.0001), ("beta_end", 0.02)))
    try:
        remaining = remaining_variance(str(config.get("beta_schedule", "linear")), levels, start, end)
    except InputError as error:
        raise CheckpointError(f"{printable(file)}: {error}") from None
    return Noising(mean, std, remaining)


def _check_network(folder: Path, dim: int) -> None:
    """Raises CheckpointError where the network that paints takes embeddings of another width than the normalizer's."""
    file = folder / "unet" / "config.json"
    width = read_object(file).get("projection_class_embeddings_input_dim") if file.is_file() else None
    if width is not None and width != 2 * dim:
        raise CheckpointError(
            f"{printable(folder)}: its unet takes {width} numbers, an embedding and a noise level; its image_normalizer is of "
            f"{dim}, which makes {2 * dim}"
        )


def _read_adapter(file: Path) -> ImageGenerator:
    weights = open_weights(file)
    for mark, kind in OTHER_KINDS.items():
        if mark in weights.names:
            raise CheckpointError(f"{printable(file)} is {kind}, not the embedding alone. Expected a plain IP-Adapter")
    if PLAIN not in weights.names or len(weights.names[PLAIN].shape) != 2:
        raise CheckpointError(
            f"{printable(file)} is no IP-Adapter: expected {PLAIN}, got {', '.join(sorted(weights.names)[:3]) or 'no tensors'}"
        )
    homes = (file.parent, file.parent.parent, file.parent.parent / "models")
    places = (home / "image_encoder" for home in homes)
    dim = weights.names[PLAIN].shape[1]
    fitting = [place for place in places if (place / "config.json").is_file() and _projection(place) == dim]
    return ImageGenerator(file, "ip-adapter", dim, fitting[0] if fitting else None)


def _projection(folder: Path) -> int:
    return _whole(read_object(folder / "config.json"), "projection_dim", 512, folder / "config.json")


def _adapter_in(folder: Path) -> Path:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and file.suffix.lower() in SUFFIXES]
    if len(files) != 1:
        got = ", ".join(file.name for file in files) or "none"
        raise CheckpointError(
            f"{printable(folder)} is no folder of Stable unCLIP (it has no model_index.json); of an IP-Adapter, name its one "
            f"file; got {got}"
        )
    return files[0]


def _weights_in(folder: Path) -> Path:
    for name in ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"{printable(folder)} has no weights: expected diffusion_pytorch_model.safetensors or .bin")


def _row(weights: Weights, name: str) -> np.ndarray:
    if name not in weights.names:
        raise CheckpointError(f"{printable(weights.path)} has no tensor {name}")
    row: np.ndarray = weights.read(name).float().reshape(-1).numpy()
    return row


def _whole(config: dict[str, Any], name: str, default: int, file: Path) -> int:
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 100_000:
        raise CheckpointError(f"{printable(file)}: {name} is a whole number from 1 to 100000, got {value!r}")
    return value


def _number(config: dict[str, Any], name: str, default: float, file: Path) -> float:
    value = config.get(name, default)
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise CheckpointError(f"{printable(file)}: {name} is a number between 0 and 1, got {value!r}")
    return float(value)


def _made_pictures() -> list[np.ndarray]:
    """Three pictures, uint8 (64, 64, 3), with edges, colours and noise, the same everywhere."""
    y, x = np.mgrid[:64, :64]
    slope = np.stack([4 * x, 4 * y, 255 - 2 * (x + y)], axis=-1)
    discs = np.where(((x - 24) ** 2 + (y - 36) ** 2 < 300)[..., None], [220, 60, 30], [20, 90, 160])
    noise = np.random.Generator(np.random.PCG64(0)).integers(0, 256, size=(64, 64, 3))
    return [np.asarray(each, dtype=np.uint8) for each in (slope, discs, noise)]
