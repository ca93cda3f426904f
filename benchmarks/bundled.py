"""Speed of the bundled model's image tower, compared with a random ViT-B/32 in float32, both in ONNX Runtime.

    python benchmarks/bundled.py [--quick] [--json]

Pixels are given, each tower's own size; all cores; contenders in turns.

Goal: at most a third of ViT-B/32's time, one by one and at batch 32.
"""

import tempfile
from functools import partial
from pathlib import Path

from benchmark import Goal, Result, Table, run
from random_clip import make, pixels
from rounds import interleave

from seesay.checkpoints.hub.locate import BUNDLED
from seesay.engines import OnnxEngine

GOAL = 1 / 3
REST_S = 0.1  # before every turn


def measure(quick: bool) -> Result:
    import seesay

    spec = seesay.load().image_spec
    assert spec is not None
    result, rows = Result(), list[tuple[str, ...]]()
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        peer_px = make(Path(place)).image_px
        ours, peer = OnnxEngine(BUNDLED), OnnxEngine(Path(place) / "float32")
        for count in (1, 32):
            contenders = {
                "bundled": partial(ours.encode_pixels, pixels(count, spec.size_px)),
                "ViT-B/32, float32": partial(peer.encode_pixels, pixels(count, peer_px)),
            }
            rounds = (3 if quick else 15) if count > 1 else (5 if quick else 40)
            times = interleave(contenders, rounds, warm_ups=2, rest=REST_S)
            ratio = times["bundled"].over(times["ViT-B/32, float32"])
            result.figures.setdefault("seconds", {})[str(count)] = {who: t.to_json() for who, t in times.items()}
            result.figures.setdefault("ratios", {})[str(count)] = round(ratio, 3)
            result.goals.append(Goal(f"bundled picture tower, {count} at once, times ViT-B/32", ratio, GOAL))
            rows.append(
                (str(count), *(f"{1e3 * t.median:.1f} ({count / t.median:.1f})" for t in times.values()), f"{ratio:.2f}")
            )
    header = ("pictures", "bundled", "ViT-B/32, float32", "ratio")
    result.tables = [Table("Median time, ms; in brackets per second", header, rows)]
    return result


if __name__ == "__main__":
    run("bundled", __doc__ or "", measure)
