"""CLIPScore and the Fréchet distance with torchmetrics, on seeded random vectors: `data/generated_scores.json`.

    .venv-parity4/bin/python -m tests.parity.generated_scores [--store]

`tests/evaluation` compares ours with it.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "data" / "generated_scores.json"
DIM = 24


def pairs(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (40, 24) of pictures and of their texts, the nearer the higher the case; in case 0 they point away."""
    generator = np.random.default_rng([7, case])
    texts = generator.normal(size=(40, DIM))
    return (case / 2 - 0.4) * texts + generator.normal(size=(40, DIM)), texts


def sets(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of vectors, (60, 24) and (90, 24), of unit length, the further apart the higher the case."""
    generator = np.random.default_rng([8, case])
    a = generator.normal(size=(60, DIM))
    b = generator.normal(size=(90, DIM)) * (1 + 0.4 * case * (np.arange(DIM) % 3)) + 0.2 * case
    return tuple(each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))  # type: ignore[return-value]


def main() -> None:
    import torch
    from torchmetrics.functional.multimodal import clip_score
    from torchmetrics.image.fid import _compute_fid

    class Answers(torch.nn.Module):  # stands for CLIPModel and its processor: a picture's and a text's number -> its vector
        config = object()

        def __init__(self, pictures: np.ndarray, texts: np.ndarray) -> None:
            super().__init__()
            self.pictures, self.texts = torch.from_numpy(pictures), torch.from_numpy(texts)

        def get_image_features(self, pixel_values: Any) -> Any:
            return self.pictures[pixel_values[:, 0, 0, 0].long()]

        def get_text_features(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.texts[input_ids[:, 0]]

    def process(text: Any = None, images: Any = None, **rest: Any) -> Any:
        if images is not None:
            return {"pixel_values": torch.stack(images)}
        ids = torch.tensor([[int(each)] for each in text])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    scores, distances = [], []
    for case in range(4):
        pictures, texts = pairs(case)
        numbers = [torch.full((3, 1, 1), float(at)) for at in range(len(texts))]
        model = Answers(pictures, texts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = clip_score(numbers, [str(at) for at in range(len(texts))], lambda model=model: (model, process))
        scores.append(round(float(score), 9))
        moments = [(torch.from_numpy(each.mean(axis=0)), torch.from_numpy(np.cov(each, rowvar=False))) for each in sets(case)]
        distances.append(round(float(_compute_fid(*moments[0], *moments[1])), 9))
    found = {"clip_score": scores, "frechet": distances}
    if "--store" in sys.argv:
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    for name, values in found.items():
        np.testing.assert_allclose(values, stored[name], atol=1e-6, err_msg=name)
    print("torchmetrics gives what is stored:", found)


if __name__ == "__main__":
    main()
