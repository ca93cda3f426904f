"""CLIP_benchmark's own functions on seeded random vectors, beside ours.

    PYTHONPATH=src python -m tests.parity.clip_benchmark [--store]

Needs clip-benchmark (tests/parity/README.md). Fails where any score differs. --store writes the originals' scores to
tests/parity/data/, where `make test` compares ours with them.
"""

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from seesay.evaluation.classification import score_classification
from seesay.evaluation.retrieval import recalls
from seesay.models.vectors import normalize

STORED = Path(__file__).parent / "data" / "clip_benchmark.json"
KS = (1, 5, 10)
# Pictures, texts per picture (from, to), dimensions, noise of a text around its picture.
RETRIEVAL = {"one caption": (64, 1, 1, 16, 1.0), "five captions": (200, 5, 5, 32, 1.5), "uneven": (120, 1, 7, 24, 1.2)}
# Pictures, classes, dimensions, noise of a picture around its class.
ZERO_SHOT = {"few classes": (150, 5, 12, 1.5), "many classes": (600, 101, 32, 1.8)}


def pairs(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of pictures (I, D) and texts (T, D), and each text's picture (T,), as the originals number them: in order."""
    pictures, least, most, dim, spread = RETRIEVAL[name]
    generator = np.random.default_rng(list(name.encode()))
    images = generator.standard_normal((pictures, dim))
    owner = np.repeat(np.arange(pictures), generator.integers(least, most + 1, size=pictures))
    texts = images[owner] + spread * generator.standard_normal((len(owner), dim))
    return normalize(images), normalize(texts), owner


def labelled(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, C) float32 and right classes (N,)."""
    pictures, classes, dim, spread = ZERO_SHOT[name]
    generator = np.random.default_rng(list(name.encode()))
    names = generator.standard_normal((classes, dim))
    labels = generator.integers(classes, size=pictures)
    images = names[labels] + spread * generator.standard_normal((pictures, dim))
    return normalize(images) @ normalize(names).T, labels


def ours() -> dict[str, dict[str, float]]:
    results = {}
    for name in RETRIEVAL:
        scores = recalls(*pairs(name), ks=KS)
        ways = {"text_to_image": scores.text_to_image, "image_to_text": scores.image_to_text}
        results[name] = {f"{way} {k}": share for way, direction in ways.items() for k, share in direction.recall.items()}
    for name, (_, classes, *_) in ZERO_SHOT.items():
        score = score_classification(*labelled(name), [str(i) for i in range(classes)])
        results[name] = {"top1": score.top1, "top5": score.top5, "mean_per_class_recall": score.mean_per_class_recall}
    return results


def originals() -> dict[str, dict[str, float]]:
    """Scores as `zeroshot_retrieval.evaluate` and `zeroshot_classification.evaluate` compute them, with their functions."""
    import torch
    from clip_benchmark.metrics import zeroshot_classification
    from clip_benchmark.metrics.zeroshot_classification import accuracy, balanced_accuracy_score
    from clip_benchmark.metrics.zeroshot_retrieval import batchify, recall_at_k

    results: dict[str, dict[str, float]] = {}
    for name in RETRIEVAL:
        images, texts, owner = (torch.from_numpy(array) for array in pairs(name))
        scores = texts @ images.t()
        positive = torch.zeros_like(scores, dtype=torch.bool)
        positive[torch.arange(len(scores)), owner] = True
        results[name] = {}
        for way, asked, right in (("text_to_image", scores, positive), ("image_to_text", scores.T, positive.T)):
            for k in KS:
                hits = batchify(recall_at_k, asked, right, 32, "cpu", k=k) > 0
                results[name][f"{way} R@{k}"] = hits.double().mean().item()
    # `accuracy` takes float() of an array of one number, which newer versions of numpy refuse.
    zeroshot_classification.float = lambda array: array.item()
    for name in ZERO_SHOT:
        logits, target = (torch.from_numpy(array) for array in labelled(name))
        top1, top5 = accuracy(100.0 * logits, target, topk=(1, 5))
        mean = float(balanced_accuracy_score(target, logits.argmax(axis=1)))
        results[name] = {"top1": top1, "top5": top5, "mean_per_class_recall": mean}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="write the originals' scores to tests/parity/data/")
    foreign, native = originals(), ours()
    wrong = 0
    for name, scores in foreign.items():
        for score, value in scores.items():
            differs = abs(value - native[name][score]) > 1e-9
            wrong += differs
            print(f"{name:14} {score:22} {value:.6f} {native[name][score]:.6f}{'  differs' if differs else ''}")
    if parser.parse_args().store:
        content = {"clip-benchmark": version("clip-benchmark"), "scores": foreign}
        STORED.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.exit(f"{wrong} scores differ" if wrong else None)


if __name__ == "__main__":
    main()
