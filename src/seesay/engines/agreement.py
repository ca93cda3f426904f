"""Compares the vectors of a tower on another device or engine with those of ONNX Runtime on the CPU, at its first use.

A device that rounds otherwise, or a driver with a fault, gives vectors that look like any others. So sample inputs are encoded
both ways before the first vector is given out, and the result is cached for this model, device, version and machine.
"""

import json
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from seesay.engines.fingerprint import fingerprint
from seesay.engines.protocol import Engine
from seesay.errors import ModelError
from seesay.models.config import ModelConfig
from seesay.models.fields import Modality
from seesay.models.samples import sample_ids, sample_pixels
from seesay.models.vectors import normalize
from seesay.system.cache import cache_dir
from seesay.system.files import write_atomically

# Largest difference of two unit vectors in any dimension.
EXACT = 1e-4  # float32 sums in another order differ by 1e-6
HALF = 0.01  # 16 bits keep 3 digits of every activation
QUANTIZED = 0.03  # 8 bits: a value between two levels may become either one


def tolerance(config: ModelConfig, tower: Modality, *, half: bool) -> float:
    """The largest difference that a tower's vectors may have from the CPU's."""
    if config.precision.get(tower, "float32").startswith("int8"):
        return QUANTIZED
    return HALF if half else EXACT


def confirm(
    folder: Path, config: ModelConfig, tower: Modality, engine: Engine, on_cpu: Engine, *, version: str, limit: float
) -> float:
    """The largest difference between an engine's vectors of sample inputs and those of ONNX Runtime on the CPU, compared now or
    as cached. version: of the library that computes.

    Raises ModelError where it is above the limit: these vectors must not be used.
    """
    where = f"{engine.name} {version}"
    file = cache_dir() / "agreement" / f"{fingerprint(folder, tower, where, platform.node())}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        if (known := float(json.loads(file.read_text(encoding="utf-8"))["difference"])) <= limit:
            return known
    found = difference(sample_vectors(config, tower, engine), sample_vectors(config, tower, on_cpu))
    require(found, limit, config.name, tower, where)
    record = {"model": config.name, "tower": tower, "where": where, "difference": found, "limit": limit}
    with suppress(OSError):  # without a cache it is compared again next time
        write_atomically(file, json.dumps(record))
    return found


def require(difference: float, limit: float, model: str, tower: Modality, where: str) -> None:
    """Raises ModelError for a difference above the limit, or that is not a number."""
    if not difference <= limit:
        raise ModelError(
            f"the {tower} vectors of {model!r} on {where} differ from the CPU's by {difference:.1e}, more than {limit:.0e}; "
            "they are not used. Use --device cpu, or update the device's driver and packages"
        )


def sample_vectors(config: ModelConfig, tower: Modality, engine: Engine) -> list[np.ndarray]:
    """Unit vectors of a model's sample inputs, batch by batch."""
    encode = engine.encode_pixels if tower == "image" else engine.encode_tokens
    return [normalize(encode(inputs)) for inputs in _samples(config, tower)]


def difference(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    """The largest difference between vectors in any dimension; not a number where one of them is not finite."""
    return float(np.max([np.abs(one - other).max() for one, other in zip(some, others, strict=True)]))


def _samples(config: ModelConfig, tower: Modality) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    if tower == "image" and config.image is not None:
        pixels = sample_pixels(config.image.image_px, random)
        yield from (pixels[:1], pixels)
    if tower == "text" and config.text is not None:
        yield from sample_ids(config.text, random)
