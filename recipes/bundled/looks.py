"""The looks of named things: mean features of their drawings in the published image tower, less the mean of all drawings.

Photos are compared after subtracting the mean of all photos, which brings drawings and photos close. A name without drawings
gets the looks of names with nearly the same meaning.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from recipes.bundled import sources
from recipes.bundled.sources import IMAGE_PX, IMAGE_SPEC, STAGES, WIDTHS
from seesay.engines import OnnxEngine
from seesay.images.preprocess import to_pixels
from seesay.images.read import read
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.graphs import image_graph
from seesay.models.vectors import normalize
from seesay.system.files import read_arrays, write_arrays
from seesay.system.prefetch import prefetch

LOOKS = 112  # dimensions
SHARPNESS = 40.0  # inverse temperature of the softmax over names with nearly the same meaning
# Cosines of meanings from which looks are copied in part, and fully
NEAR = 0.45
SAME = 0.8
BATCH = 16
CHUNK = 5000


def features(images: Sequence[Path], work: Path, name: str) -> np.ndarray:
    """(N, 1280) float32 features of the published tower, computed once."""
    file = work / "features" / f"{name}.npz"
    if (stored := read_arrays(file)) is not None and len(stored["features"]) == len(images):
        return stored["features"]
    folder = work / "features" / "tower"
    folder.mkdir(parents=True, exist_ok=True)
    config = EfficientNetLiteConfig("efficientnet-lite", IMAGE_PX, STAGES, WIDTHS, 0, "none")
    weights = {n: w for n, w in sources.image_weights().items() if not n.startswith("classifier")}
    onnx.save(image_graph(config, WIDTHS[-1], weights, "float32"), folder / "image.onnx")
    engine, parts, batch = OnnxEngine(folder), [], []

    def prepared(file: Path) -> np.ndarray:
        image = read(file, decode="fast", enough_px=IMAGE_SPEC.resize_px, alpha=IMAGE_SPEC.alpha)
        return to_pixels(image, IMAGE_SPEC)[None]

    for number, pixels in enumerate(prefetch(prepared, images, threads=2, ahead=4 * BATCH), 1):
        batch.append(pixels)
        if len(batch) == BATCH or number == len(images):
            parts.append(engine.encode_pixels(np.concatenate(batch)))
            batch = []
        if number % 2000 == 0:
            print(f"features of {name}: {number} of {len(images)}", flush=True)
    write_arrays(file, features=np.concatenate(parts))
    return np.concatenate(parts)


@dataclass(frozen=True)
class Looks:
    """Looks of N names: unit vectors of their meanings (N, 384) and their looks (N, LOOKS).

    basis (1280, LOOKS) and mean (1280,): the map from a photo's features. length: the mean length of a photo's looks.
    """

    meanings: np.ndarray
    looks: np.ndarray
    basis: np.ndarray
    mean: np.ndarray
    length: float

    @staticmethod
    def fit(drawings: np.ndarray, names: Sequence[str], photos: np.ndarray, meanings: dict[str, np.ndarray]) -> "Looks":
        """Fits looks to drawings (N, 1280) with their names, and photos (M, 1280); meanings by name, centred and normalized."""
        distinct = list(dict.fromkeys(names))
        number = {name: i for i, name in enumerate(distinct)}
        rows = np.array([number[name] for name in names])
        centre, mean = drawings.mean(axis=0), photos.mean(axis=0)
        means = np.stack([drawings[rows == i].mean(axis=0) for i in range(len(distinct))]) - centre
        basis = np.linalg.svd(np.concatenate([drawings[::7] - centre, photos[::3] - mean]), full_matrices=False)[2][:LOOKS].T
        length = float(np.linalg.norm((photos - mean) @ basis, axis=1).mean())
        return Looks(np.stack([meanings[name] for name in distinct]), normalize(means @ basis), basis, mean, length)

    def predict(self, meanings: np.ndarray) -> np.ndarray:
        """Centred unit vectors of meanings (N, 384) -> looks (N, LOOKS), whose length is their confidence."""
        return np.concatenate([self._predict(meanings[i : i + CHUNK]) for i in range(0, len(meanings), CHUNK)])

    def _predict(self, meanings: np.ndarray) -> np.ndarray:
        cosines = meanings @ self.meanings.T
        best = cosines.max(axis=1, keepdims=True)
        shares = np.exp(SHARPNESS * (cosines - best))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(normalize(shares @ self.looks) * np.clip((best - NEAR) / (SAME - NEAR), 0, 1))


def labelled_drawings(manifest: Path, limit: int = 8) -> list[tuple[Path, str]]:
    """(file, English name) of the drawings to use: all emoji, and clip art with a name of at least three files."""
    emoji: dict[str, list[str]] = {}
    clip_art: dict[str, list[str]] = {}
    for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
        name = next(text["text"] for text in row["texts"] if text["lang"] == "en")
        images_by_name = emoji if row["identity"].startswith("emoji:") else clip_art
        images_by_name.setdefault(name, []).append(row["image"])
    for name, files in clip_art.items():
        if len(files) >= 3 or name in emoji:
            emoji.setdefault(name, []).extend(files)
    return [(manifest.parent / "images" / file, name) for name, files in emoji.items() for file in files[:limit]]
