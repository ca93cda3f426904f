"""What named things look like to the untouched tower: the mean features of a thing's drawings, less what all drawings share.

Photos are compared after taking off what all photos share, so that the step from drawings to photos is small. A name without
drawings takes those of names that mean nearly the same.
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
SHARPNESS = 40.0  # of the choice among names that mean nearly the same
NEAR, SAME = 0.45, 0.8  # cosines of meanings from which looks are taken over, and wholly
BATCH = 16
CHUNK = 5000


def features(pictures: Sequence[Path], work: Path, name: str) -> np.ndarray:
    """(N, 1280) float32 of the untouched tower, made once."""
    file = work / "features" / f"{name}.npz"
    if (stored := read_arrays(file)) is not None and len(stored["features"]) == len(pictures):
        return stored["features"]
    folder = work / "features" / "tower"
    folder.mkdir(parents=True, exist_ok=True)
    config = EfficientNetLiteConfig("efficientnet-lite", IMAGE_PX, STAGES, WIDTHS, 0, "none")
    weights = {n: w for n, w in sources.image_weights().items() if not n.startswith("classifier")}
    onnx.save(image_graph(config, WIDTHS[-1], weights, "float32"), folder / "image.onnx")
    engine, made, batch = OnnxEngine(folder), [], []

    def opened(file: Path) -> np.ndarray:
        picture = read(file, decode="fast", enough_px=IMAGE_SPEC.resize_px, alpha=IMAGE_SPEC.alpha)
        return to_pixels(picture, IMAGE_SPEC)[None]

    for number, pixels in enumerate(prefetch(opened, pictures, threads=2, ahead=4 * BATCH), 1):
        batch.append(pixels)
        if len(batch) == BATCH or number == len(pictures):
            made.append(engine.encode_pixels(np.concatenate(batch)))
            batch = []
        if number % 2000 == 0:
            print(f"features of {name}: {number} of {len(pictures)}", flush=True)
    write_arrays(file, features=np.concatenate(made))
    return np.concatenate(made)


@dataclass(frozen=True)
class Looks:
    """names (N,), with their meanings' unit vectors (N, 384) and their looks (N, LOOKS); basis (1280, LOOKS) and mean (1280,)
    of a photo's features, and the length that a photo's looks have on average."""

    meanings: np.ndarray
    looks: np.ndarray
    basis: np.ndarray
    mean: np.ndarray
    length: float

    @staticmethod
    def of(drawn: np.ndarray, names: Sequence[str], photos: np.ndarray, meanings: dict[str, np.ndarray]) -> "Looks":
        """drawn (N, 1280) with the name of each; photos (M, 1280); meanings by name, centred and of unit length."""
        distinct = list(dict.fromkeys(names))
        number = {name: i for i, name in enumerate(distinct)}
        rows = np.array([number[name] for name in names])
        centre, mean = drawn.mean(axis=0), photos.mean(axis=0)
        own = np.stack([drawn[rows == i].mean(axis=0) for i in range(len(distinct))]) - centre
        basis = np.linalg.svd(np.concatenate([drawn[::7] - centre, photos[::3] - mean]), full_matrices=False)[2][:LOOKS].T
        length = float(np.linalg.norm((photos - mean) @ basis, axis=1).mean())
        return Looks(np.stack([meanings[name] for name in distinct]), normalize(own @ basis), basis, mean, length)

    def meant_by(self, meanings: np.ndarray) -> np.ndarray:
        """Centred unit vectors (N, 384) -> (N, LOOKS), each as long as it is sure."""
        return np.concatenate([self._meant_by(meanings[i : i + CHUNK]) for i in range(0, len(meanings), CHUNK)])

    def _meant_by(self, meanings: np.ndarray) -> np.ndarray:
        cosines = meanings @ self.meanings.T
        best = cosines.max(axis=1, keepdims=True)
        shares = np.exp(SHARPNESS * (cosines - best))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(normalize(shares @ self.looks) * np.clip((best - NEAR) / (SAME - NEAR), 0, 1))


def named_drawings(manifest: Path, most: int = 8) -> list[tuple[Path, str]]:
    """(file, English name) of the drawings to take: of emoji all, of clip art what comes under a name at least three times."""
    emoji: dict[str, list[str]] = {}
    clip_art: dict[str, list[str]] = {}
    for row in map(json.loads, manifest.read_text(encoding="utf-8").splitlines()):
        name = next(text["text"] for text in row["texts"] if text["lang"] == "en")
        kind = emoji if row["identity"].startswith("emoji:") else clip_art
        kind.setdefault(name, []).append(row["image"])
    for name, files in clip_art.items():
        if len(files) >= 3 or name in emoji:
            emoji.setdefault(name, []).extend(files)
    return [(manifest.parent / "images" / file, name) for name, files in emoji.items() for file in files[:most]]
