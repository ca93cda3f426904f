"""The original image processors of OWL-ViT, OWLv2 and CLIPSeg, in transformers 4, beside ours.

    PYTHONPATH=src python -m tests.parity.finder_pictures [--store]

Needs transformers 4 and SciPy (requirements-parity-transformers4.txt). Fails if a bit differs; --store writes digests of the
originals' pixels to tests/parity/data/finder_pictures.json, where `make test` compares ours with them.
"""

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from seesay.images.spec import ImageSpec
from tests.parity.pictures import CLIP, HUGGING_FACE, STORED, digest, ours, pictures

PIXELS = STORED.parent / "finder_pictures.json"
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SQUASHED = replace(HUGGING_FACE, resize="squash")
SPECS: dict[str, ImageSpec] = {
    "OwlViTImageProcessor": SQUASHED,
    "Owlv2ImageProcessor": replace(CLIP, resize="corner"),
    "ViTImageProcessor": replace(SQUASHED, interpolation="bilinear", **IMAGENET),
}


def chosen() -> dict[str, Image.Image]:
    """Those with more than three pixels a side: smaller ones transformers takes for channels."""
    return {name: image for name, image in pictures().items() if image.mode == "RGB" and min(image.size) > 3}


def main() -> None:
    import transformers

    square: dict[str, Any] = {"size": {"height": 224, "width": 224}}
    mean_and_std = {"image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}
    stored: dict[str, dict[str, str]] = {}
    wrong = 0
    for name, spec in SPECS.items():
        processor = getattr(transformers, name)(**square, **(mean_and_std if name == "ViTImageProcessor" else {}))
        stored[name] = {}
        for picture, image in chosen().items():
            expected = np.asarray(processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float32)
            stored[name][picture] = digest(expected)
            if not np.array_equal(expected, actual := ours(image, spec)):
                wrong += 1
                print(f"  {name}, {picture}: {np.abs(expected - actual).max()}")
        print(f"{name}: {len(stored[name])} pictures")
    if "--store" in sys.argv:
        PIXELS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    if wrong:
        sys.exit(f"{wrong} differences")


if __name__ == "__main__":
    main()
