"""The original image transforms beside ours, on photos, odd sizes and odd modes.

    PYTHONPATH=src python -m tests.parity.preprocessing [--store]

Needs clip-anytorch (or OpenAI's clip), open_clip_torch, cn_clip and transformers 5 (tests/parity/README.md). Fails if a bit
differs from an original of the same method; prints how far the others are, in levels of 255. --store writes the originals'
results, small, to tests/parity/data/, where `make test` compares ours with them.
"""

import argparse
import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from seesay.images.spec import ImageSpec
from tests.parity.pictures import (
    EXACT,
    HALF,
    MEAN,
    MODES,
    NEAR,
    STD,
    STORED,
    digest,
    in_mode,
    ours,
    pictures,
    pictures_for,
    sample,
)

Transform = Callable[[Image.Image], np.ndarray]

# What the published Chinese-CLIP folders say.
SQUARE: dict[str, Any] = {"size": {"height": 224, "width": 224}, "do_center_crop": False}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write the originals' results to tests/parity/data/")
    options = parser.parse_args()
    exact, wrong = {}, 0
    for name, transform in exact_originals().items():
        exact[name], different = compared(name, transform)
        wrong += different
    near = {name: distances(name, transform) for name, transform in near_originals().items()}
    modes = {name: by_mode(name, transform) for name, transform in (exact_originals() | near_originals()).items()}
    if options.store:
        store(exact, near, modes)
    if wrong:
        sys.exit(f"{wrong} differences")


def exact_originals() -> dict[str, Transform]:
    import clip
    import cn_clip.clip
    from open_clip.transform import image_transform
    from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    def open_clip(size: int = 224, mean: Any = MEAN, std: Any = STD, **how: Any) -> Transform:
        return to_numpy(image_transform(size, is_train=False, mean=mean, std=std, **how))

    return {
        "clip 224": to_numpy(clip.clip._transform(224)),
        "clip 336": to_numpy(clip.clip._transform(336)),
        "open_clip shortest": open_clip(),
        "open_clip shortest bilinear": open_clip(interpolation="bilinear"),
        "open_clip squash 384": open_clip(384, HALF, HALF, resize_mode="squash"),
        "open_clip longest": open_clip(resize_mode="longest"),
        "open_clip longest, bilinear, filled": open_clip(resize_mode="longest", interpolation="bilinear", fill_color=127),
        "cn_clip": to_numpy(cn_clip.clip.image_transform(224)),
        "transformers CLIP, PIL": processor(CLIPImageProcessorPil),
        "transformers ChineseCLIP, PIL": processor(ChineseCLIPImageProcessorPil, **SQUARE),
    }


def near_originals() -> dict[str, Transform]:
    from transformers import ChineseCLIPImageProcessor, CLIPImageProcessor

    return {
        "transformers CLIP, torchvision": processor(CLIPImageProcessor),
        "transformers ChineseCLIP, torchvision": processor(ChineseCLIPImageProcessor, **SQUARE),
    }


def processor(kind: Any, **how: Any) -> Transform:
    image_processor = kind(**how)
    return lambda image: np.asarray(image_processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)


def to_numpy(transform: Callable[[Image.Image], Any]) -> Transform:
    return lambda image: np.asarray(transform(image).numpy())


def compared(name: str, transform: Transform) -> tuple[dict[str, str | None], int]:
    """Picture -> digest of what the original makes of it, None where it cannot; and how many of ours differ."""
    digests: dict[str, str | None] = {}
    wrong = []
    for picture, image in pictures_for(name).items():
        try:
            expected = transform(image)
        except Exception as error:  # OpenCLIP's "longest" rounds the sides of long strips to 0
            print(f"  {name} cannot take {picture}: {error}")
            digests[picture] = None
            continue
        digests[picture] = digest(expected)
        actual = ours(image, EXACT[name])
        if not np.array_equal(expected, actual):
            wrong.append(f"{picture} ({np.abs(expected - actual).max() if expected.shape == actual.shape else actual.shape})")
    print(f"{name}: {len(wrong)} of {len(digests)} pictures differ {', '.join(wrong)}")
    return digests, len(wrong)


def levels(expected: np.ndarray, actual: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """Absolute differences in levels of 255."""
    difference: np.ndarray = np.abs(expected - actual) * np.array(spec.std)[:, None, None] * 255
    return difference


def distances(name: str, transform: Transform) -> dict[str, Any]:
    """Differences per image: mean and maximum in levels, and a sample of the original's values."""
    results: dict[str, Any] = {}
    for picture, image in pictures_for(name).items():
        try:
            expected = transform(image)
        except Exception as error:
            print(f"  {name} cannot take {picture}: {error}")
            continue
        difference = levels(expected, ours(image, NEAR[name]), NEAR[name])
        results[picture] = {
            "mean": round(float(difference.mean()), 5),
            "max": round(float(difference.max()), 5),
            "sample": sample(expected),
        }
    close = [r["max"] for r in results.values() if r["max"] < 0.01]
    rest = {p: (r["mean"], r["max"]) for p, r in results.items() if r["max"] >= 0.01}
    print(f"{name}: {len(close)} pictures within {max(close, default=0):.5f} levels of 255; (mean, max) of the others: {rest}")
    return results


def by_mode(name: str, transform: Transform) -> dict[str, list[float] | None]:
    """Differences from an original that gets the image unconverted: mode -> (mean, max) in levels."""
    facts: dict[str, list[float] | None] = {}
    for mode in MODES:
        image = in_mode(mode)
        try:
            expected = transform(image)
        except Exception as error:
            print(f"  {name} cannot take mode {mode}: {type(error).__name__} {str(error)[:80]}")
            facts[mode] = None
            continue
        spec = (EXACT | NEAR)[name]
        difference = levels(expected, ours(image, spec), spec)
        facts[mode] = [round(float(difference.mean()), 3), round(float(difference.max()), 3)]
    print(f"{name}, (mean, max) levels by mode: {facts}")
    return facts


def store(exact: dict[str, Any], near: dict[str, Any], modes: dict[str, Any]) -> None:
    packages = ("clip-anytorch", "open_clip_torch", "cn_clip", "transformers", "torchvision", "pillow")
    content = {
        "versions": {name: version(name) for name in packages},
        "pictures": {name: digest(np.asarray(image)) for name, image in pictures().items()},
        "exact": exact,
        "near": near,
        "modes": modes,
    }
    STORED.parent.mkdir(exist_ok=True)
    lines = []
    for key, value in content.items():
        rows = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in value.items())
        lines.append(f'"{key}": {{\n{rows}\n}}')
    STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"wrote {STORED}: {STORED.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
