"""OWL-ViT, OWLv2 and CLIPSeg at their published sizes, with random weights, beside transformers.

    PYTHONPATH=src python -m tests.parity.finder_sizes [NAME ...]

runs in an environment that has transformers (requirements-parity.txt) and prints the largest differences of boxes, and of
logits relative to the largest, for a picture and three texts. One model at a time, in 3 GB of memory and 2 GB of disk.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from seesay.checkpoints.convert import convert
from seesay.checkpoints.reader import open_checkpoint
from seesay.engines import OnnxEngine
from seesay.engines.protocol import Engine
from seesay.engines.torch import TorchEngine
from seesay.models.regions import Regions
from tests.parity.fixtures import randomise

Outputs = dict[str, np.ndarray]
IDS = np.array([[49406, 320, 2368, 49407, 0], [49406, 1929, 49407, 0, 0], [49406, 518, 1579, 2368, 49407]])


def originals() -> dict[str, tuple[Any, Any, int]]:
    """By name the model, its image processor and the side of its pictures."""
    import transformers as t

    published = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    return {
        "OWL-ViT B/32": (lambda: t.OwlViTForObjectDetection(t.OwlViTConfig()), t.OwlViTImageProcessor(), 768),
        "CLIPSeg rd64": (
            lambda: t.CLIPSegForImageSegmentation(t.CLIPSegConfig(vision_config={"patch_size": 16})),
            t.ViTImageProcessor(size={"height": 352, "width": 352}, **published),
            352,
        ),
        "OWLv2 B/16": (
            lambda: t.Owlv2ForObjectDetection(t.Owlv2Config(vision_config={"image_size": 960})),
            t.Owlv2ImageProcessor(),
            960,
        ),
    }


def theirs(model: Any, pixels: np.ndarray) -> Outputs:
    x, ids = torch.from_numpy(pixels), torch.from_numpy(IDS)
    with torch.no_grad():
        if hasattr(model, "decoder"):
            return {"masks": np.stack([model(pixel_values=x, input_ids=each[None]).logits[0] for each in ids])}
        out = model(input_ids=ids, pixel_values=x, attention_mask=(ids != 0).long())
    return {"boxes": out.pred_boxes[0].numpy(), "logits": out.logits[0].numpy()}


def ours(engine: Engine, pixels: np.ndarray, finds: str | None) -> Outputs:
    queries = engine.encode_tokens(IDS)
    if finds == "masks":
        return {"masks": engine.find_masks(pixels, queries)[0]}
    regions = Regions.split(engine.find_regions(pixels)[0], queries.shape[1])
    return {"boxes": regions.boxes, "logits": regions.logits(queries)}


def main() -> None:
    for name, (make, processor, px) in originals().items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        pixels = np.random.default_rng(0).standard_normal((1, 3, px, px)).astype(np.float32)
        with TemporaryDirectory() as place:
            model = make().eval()
            randomise(model, 1)
            model.save_pretrained(place)
            processor.save_pretrained(place)
            print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M", end="", flush=True)
            expected = theirs(model, pixels)
            del model  # one model at a time is in memory
            checkpoint = open_checkpoint(place)
            finds = checkpoint.description.image.finds if checkpoint.description.image else None
            _compare("torch", ours(TorchEngine(checkpoint.model()), pixels, finds), expected)
            convert(checkpoint, Path(place) / "converted")
            _compare("onnx", ours(OnnxEngine(Path(place) / "converted"), pixels, finds), expected)
            print(flush=True)


def _compare(engine: str, found: Outputs, expected: Outputs) -> None:
    worst = {
        part: float(np.abs(found[part] - value).max() / (1 if part == "boxes" else np.abs(value).max()))
        for part, value in expected.items()
    }
    print(f"; {engine}", *(f"{part} {value:.0e}" for part, value in worst.items()), end="", flush=True)


if __name__ == "__main__":
    main()
