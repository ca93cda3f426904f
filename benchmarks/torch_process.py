"""A contender of beside_others.py, in a process of its own: `python torch_process.py KIND [THREADS]`.

KIND: clip (`compat.clip`), open_clip (`compat.open_clip`), torch or onnx (engines of `seesay.load`), with the bundled model.
Answers every line with the seconds of the clock and of processors that pictures and texts took.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

PICTURES, TEXTS = 4, ["a dog on grass", "草地上的狗", "a city street at night", "two people on a boat"]


def main() -> None:
    kind, threads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
    encode = engine(kind, threads) if kind in ("torch", "onnx") else compat(kind, threads)
    encode()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin, used = time.perf_counter(), sum(os.times()[:2])
        encode()
        print(time.perf_counter() - begin, sum(os.times()[:2]) - used, flush=True)


def engine(kind: Any, threads: int | None) -> Callable[[], object]:
    import seesay

    model = seesay.load(engine=kind, threads=threads)
    side = model.image_spec.size_px
    pixels = np.random.default_rng(0).standard_normal((PICTURES, 3, side, side)).astype(np.float32)
    return lambda: (model.encode_pixels(pixels), model.encode_text(TEXTS))


def compat(kind: str, threads: int | None) -> Callable[[], object]:
    import torch

    from seesay.compat import clip, open_clip

    model: clip.CLIP | open_clip.CLIP
    if kind == "clip":
        model, _ = clip.load("bundled", device="cpu", threads=threads)
        ids = clip.tokenize(TEXTS)
    else:
        model, _ = open_clip.create_model_from_pretrained("bundled", threads=threads)
        ids = open_clip.get_tokenizer("bundled")(TEXTS)
    side = int(model.visual.input_resolution)  # type: ignore[arg-type]
    pixels = torch.randn(PICTURES, 3, side, side, generator=torch.Generator().manual_seed(0))

    def encode() -> object:
        with torch.inference_mode():
            return model.encode_image(pixels), model.encode_text(ids)

    return encode


if __name__ == "__main__":
    main()
