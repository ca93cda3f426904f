"""Picture embeddings as conditions: the tensors that Stable unCLIP and IP-Adapter take, exactly as diffusers makes them."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seesay.checkpoints.containers.outputs import header
from seesay.errors import InputError, MissingExtra
from seesay.models.vectors import check_vectors, normalize
from seesay.system.files import write_atomically

if TYPE_CHECKING:
    from seesay.generation.image_generator import ImageGenerator


@dataclass(frozen=True)
class Variations:
    """Tensors (float32) that a pipeline takes in place of a picture, by the names of its arguments, and how they were made.

    For Stable unCLIP image_embeds (S, D) and class_labels (S, 2 D), of which the pipeline takes the first and its network the
    second. For IP-Adapter ip_adapter_image_embeds (2 S, 1, D): S times nothing, for guidance, then the pictures.
    """

    tensors: dict[str, np.ndarray]
    facts: dict[str, Any]

    def save(self, file: Path) -> None:
        """Writes a safetensors file, with the facts in its header. Raises MissingExtra, OSError."""
        save_arrays(self.tensors, file, self.facts)


def variations(generator: "ImageGenerator", embeds: np.ndarray, *, noise_level: int = 0, seed: int = 0) -> Variations:
    """What a generator takes for picture embeddings (S, D), as its image encoder makes them: not of unit length.

    noise_level, seed: of Stable unCLIP's noise, which its pipeline adds itself to image_embeds; class_labels have it already.
    Raises InputError.
    """
    embeds = np.asarray(check_vectors(embeds, "embeddings"), dtype=np.float32)
    if embeds.shape[1] != generator.dim:
        raise InputError(
            f"{generator.name} takes embeddings of {generator.dim} dimensions, as its image encoder makes them; got "
            f"{embeds.shape[1]}"
        )
    facts: dict[str, Any] = {"generator": generator.name, "kind": generator.kind}
    if generator.noising is None:
        return Variations({"ip_adapter_image_embeds": ip_adapter_image_embeds(embeds)}, facts)
    facts |= {"noise_level": noise_level, "seed": seed}
    labels = generator.noising.noised(embeds, noise_level, normal_noise(embeds.shape, seed))
    return Variations({"image_embeds": embeds, "class_labels": labels}, facts)


def lengthened(points: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Unit vectors (S, D) at the lengths (S,) of pictures' own embeddings, which generators are trained on: (S, D) float32."""
    return np.asarray(normalize(points) * np.asarray(lengths, dtype=np.float32)[:, None])


def ip_adapter_image_embeds(embeds: np.ndarray) -> np.ndarray:
    """Embeddings (S, D) -> (2 S, 1, D): zeros for the half without a picture, then the pictures (Ye and others 2023)."""
    return np.concatenate([np.zeros_like(embeds), embeds])[:, None]


@dataclass(frozen=True)
class Noising:
    """The noise that Stable unCLIP lays over picture embeddings: their mean and std (D,), and what is left of an embedding's
    variance at each level, remaining (L,), falling from about 1."""

    mean: np.ndarray
    std: np.ndarray
    remaining: np.ndarray

    def noised(self, embeds: np.ndarray, level: int, noise: np.ndarray) -> np.ndarray:
        """Embeddings and normal noise (S, D) -> (S, 2 D) float32: the noised embedding, then the level as cosines and sines.

        The embedding is standardised, mixed with noise as by diffusion's forward process, and brought back (Ramesh and others
        2022; `noise_image_embeddings` of diffusers). Raises InputError for a level that there is none of.
        """
        if not 0 <= level < len(self.remaining):
            raise InputError(
                f"noise_level: expected 0 (the picture as it is) to {len(self.remaining) - 1}, got {level}",
                parameter="noise_level",
                expected=f"0 to {len(self.remaining) - 1}",
                got=level,
            )
        share = self.remaining[level]
        standard = (embeds - self.mean) / self.std
        mixed = (np.sqrt(share) * standard + np.sqrt(1 - share) * noise) * self.std + self.mean
        place = np.broadcast_to(level_embedding(level, embeds.shape[1]), embeds.shape)
        return np.concatenate([mixed, place], axis=1).astype(np.float32)


def level_embedding(level: int, dim: int) -> np.ndarray:
    """A noise level as (D,) float32: cosines, then sines, of the level times falling frequencies; 0 at the end of an odd D.
    Raises MissingExtra."""
    torch = _torch()
    half = dim // 2
    # With torch and in float32: a frequency's last bit moves the sines of level 1000 by 6e-5, and networks learnt with these.
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half)
    turns = (level * frequencies)[None]
    row: np.ndarray = torch.cat([torch.cos(turns), torch.sin(turns), torch.zeros(1, dim % 2)], dim=1)[0].numpy()
    return row


def remaining_variance(schedule: str, levels: int, start: float, end: float) -> np.ndarray:
    """What is left of the variance at each level (L,) float64, by a schedule of diffusers: "squaredcos_cap_v2" (Nichol and
    Dhariwal 2021), "linear", "scaled_linear". Raises InputError for another."""
    if schedule == "squaredcos_cap_v2":
        kept = np.cos((np.arange(levels + 1) / levels + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - kept[1:] / kept[:-1], 0.999)
    elif schedule == "linear":
        betas = np.linspace(start, end, levels)
    elif schedule == "scaled_linear":
        betas = np.linspace(start**0.5, end**0.5, levels) ** 2
    else:
        raise InputError(f"expected the noise schedule squaredcos_cap_v2, linear or scaled_linear, got {schedule!r}")
    return np.asarray(np.cumprod(1 - betas))


def normal_noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Normal noise of a seed, as torch draws it on the CPU, so that a pipeline with that generator lays the same one over.
    Raises MissingExtra."""
    torch = _torch()
    noise: np.ndarray = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()
    return noise


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingExtra("noise as a generator's pipeline draws it", "torch") from None
    return torch


def save_arrays(arrays: dict[str, np.ndarray], file: Path, facts: dict[str, Any]) -> None:
    """Writes arrays as a safetensors file, with facts as strings in its header (as JSON, where they are none). Raises
    MissingExtra, OSError."""
    try:
        from safetensors.numpy import save
    except ImportError:
        raise MissingExtra("writing safetensors", "torch") from None
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=header("embedding", facts))
    write_atomically(file, content)
