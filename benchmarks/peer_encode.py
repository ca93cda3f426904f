"""The peers of encode.py, run by their own interpreter: `python peer_encode.py FOLDER`.

FOLDER holds a model for each library. Says in one line which there are, then answers every line "library input" with the sum of
the embeddings, and "product rows inner columns" with the seconds that torch took for that matrix product. Inputs are
FOLDER/*.npy. Imports nothing of SeeSay. OpenCLIP takes texts of its full context only; transformers takes them as they are.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

Encode = Callable[[str, torch.Tensor], Any]


def main() -> None:
    folder = Path(sys.argv[1])
    encoders = {"open_clip": open_clip_encoder, "transformers": transformers_encoder}
    peers = {name: encoder(folder / name) for name, encoder in encoders.items() if (folder / name).is_dir()}
    print(*peers, flush=True)
    for line in sys.stdin:
        name, given, *rest = line.split()
        if name == "product":
            print(product(int(given), *map(int, rest)), flush=True)
            continue
        inputs = torch.from_numpy(np.load(folder / f"{given}.npy"))
        with torch.inference_mode():
            print(float(peers[name](given, inputs).sum()), flush=True)


def product(rows: int, inner: int, columns: int) -> float:
    x, weight = torch.randn(rows, inner), torch.randn(columns, inner)
    started = time.perf_counter()
    torch.nn.functional.linear(x, weight)
    return time.perf_counter() - started


def open_clip_encoder(folder: Path) -> Encode:
    import open_clip

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()

    def encode(given: str, inputs: torch.Tensor) -> Any:
        if given.startswith("images"):
            return model.encode_image(inputs)
        padded = torch.zeros(len(inputs), 77, dtype=torch.long)
        padded[:, : inputs.shape[1]] = inputs
        return model.encode_text(padded)

    return encode


def transformers_encoder(folder: Path) -> Encode:
    import transformers

    model = transformers.AutoModel.from_pretrained(folder).eval()

    def encode(given: str, inputs: torch.Tensor) -> Any:
        out = model.get_image_features(inputs) if given.startswith("images") else model.get_text_features(inputs)
        return getattr(out, "pooler_output", out)

    return encode


if __name__ == "__main__":
    main()
