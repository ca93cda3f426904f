"""Time from a checkpoint on disk to the first vectors in a new process, compared with transformers.

    SEESAY_PEERS=/path/to/python python benchmarks/load_time.py [--quick] [--json]

Both start from the same safetensors folder (a random full-size ViT-B/32 in transformers' format, 605 MB), which the system has
in its file cache, and encode one picture given as pixels and one short text given as ids. "first" is SeeSay's first start with
that checkpoint, which prepares it (torch, export, comparison with torch); "later" is every start after that. Peers: `CLIPModel`
of transformers in the interpreter that SEESAY_PEERS names, told to use all cores. Whole processes, in turns, by the clock.

Goal: a later start takes at most a third of the time of transformers.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark import Goal, Result, Table, run
from random_clip import make
from rounds import interleave

GOAL = 1 / 3
OURS = """
import sys
import numpy as np
import seesay
model = seesay.load(sys.argv[1])
model.encode_pixels(np.zeros((1, 3, 224, 224), dtype=np.float32))
model.encode_text("a photo of a dog")
"""
THEIRS = """
import sys
import torch
from transformers import CLIPModel
model = CLIPModel.from_pretrained(sys.argv[1]).eval()
with torch.inference_mode():
    model.get_image_features(torch.zeros(1, 3, 224, 224))
    model.get_text_features(torch.tensor([[49406, 320, 1125, 539, 320, 1929, 49407]]))
"""


def measure(quick: bool) -> Result:
    result = Result()
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        folder = Path(place)
        make(folder)
        checkpoint, cache = folder / "transformers", folder / "cache"
        environment = os.environ | {"SEESAY_CACHE": str(cache), "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def start(interpreter: str, code: str) -> None:
            subprocess.run(
                [interpreter, "-W", "ignore", "-c", code, str(checkpoint)],
                check=True,
                env=environment,
                stderr=subprocess.DEVNULL,
            )

        def first() -> None:
            shutil.rmtree(cache, ignore_errors=True)
            start(sys.executable, OURS)

        contenders = {"seesay, first": first, "seesay, later": lambda: start(sys.executable, OURS)}
        if "SEESAY_PEERS" in os.environ:
            contenders["transformers"] = lambda: start(os.environ["SEESAY_PEERS"], THEIRS)
        times = interleave(contenders, 2 if quick else 5)
    result.figures["seconds"] = {name: t.to_json() for name, t in times.items()}
    rows: list[tuple[str, ...]] = [(name, f"{t.median:.2f}", f"{t.best:.2f}") for name, t in times.items()]
    if "transformers" in times:
        ratios = {name: t.over(times["transformers"]) for name, t in times.items() if name != "transformers"}
        result.figures["ratios"] = {name: round(ratio, 3) for name, ratio in ratios.items()}
        result.goals.append(Goal("checkpoint to first vectors, later start, times transformers", ratios["seesay, later"], GOAL))
        result.notes.append(f"The first start took {ratios['seesay, first']:.2f} times as long as transformers.")
    else:
        result.notes.append("SEESAY_PEERS is not set: no peer was measured.")
    result.tables = [Table("Seconds", ("", "median", "best"), rows)]
    return result


if __name__ == "__main__":
    run("load_time", __doc__ or "", measure)
