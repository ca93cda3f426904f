"""Time and memory of conditioning a generator of Stable Diffusion 1's sizes, for a short prompt and for 10,000 words.

    python benchmarks/conditioning.py [--quick] [--json]

The file has a text encoder of the shapes of OpenAI's ViT-L/14 with random numbers. Each prompt is encoded in a process of its
own, on one thread: the file is opened (and its weights are hashed), then the prompt and an empty negative prompt are encoded.
Seconds are of the processor, which other work does not lengthen; the memory is the process's largest.

Goal: 10,000 words take at most 400 MB more than ten.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark import Goal, Result, Table, run

WIDTH, LAYERS, VOCABULARY, PLACES = 768, 12, 49_408, 77
PROMPTS = {
    "10 words": "a photo of (a cat:1.3) in sunglasses on a beach",
    "10 words, one of them less": "a photo of (a cat:0.7) in sunglasses on a beach",
    "10,000 words": "a photo of a cat in sunglasses on a beach, " * 1_000,
}
CHILD = """
import json, resource, sys, time, warnings
import torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
from seesay.generation.conditioner import Conditioner
start = time.process_time()
conditioner = Conditioner(sys.argv[1])
opened = time.process_time()
found = conditioner(sys.stdin.read())
done = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
chunks = len(found.positive.chunks)
print(json.dumps({"opened_s": opened - start, "encoded_s": done - opened, "peak_mb": peak / 1e6, "chunks": chunks}))
"""


def make(file: Path) -> None:
    """A single file with the text encoder alone, by Stable Diffusion 1's names."""
    import torch
    from safetensors.torch import save_file

    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.token_embedding.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embedding.weight": (PLACES, WIDTH),
        "final_layer_norm.weight": (WIDTH,),
        "final_layer_norm.bias": (WIDTH,),
    }
    linears = {f"self_attn.{kind}_proj": (WIDTH, WIDTH) for kind in ("q", "k", "v", "out")}
    linears |= {"mlp.fc1": (4 * WIDTH, WIDTH), "mlp.fc2": (WIDTH, 4 * WIDTH)}
    for i in range(LAYERS):
        for name, shape in linears.items():
            shapes |= {f"encoder.layers.{i}.{name}.weight": shape, f"encoder.layers.{i}.{name}.bias": shape[:1]}
        for norm in ("layer_norm1", "layer_norm2"):
            shapes |= {f"encoder.layers.{i}.{norm}.{part}": (WIDTH,) for part in ("weight", "bias")}
    generator = torch.Generator().manual_seed(0)
    prefix = "cond_stage_model.transformer.text_model."
    save_file({prefix + name: torch.randn(*shape, generator=generator) * 0.02 for name, shape in shapes.items()}, file)


def measure(quick: bool) -> Result:
    measured: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        file = Path(place) / "model.safetensors"
        make(file)
        for name, prompt in PROMPTS.items():
            if quick:
                prompt = prompt[:4_000]
            done = subprocess.run(
                [sys.executable, "-c", CHILD, str(file)], input=prompt, capture_output=True, text=True, check=True
            )
            measured[name] = json.loads(done.stdout)
    rows: list[tuple[str, ...]] = [
        (name, f"{m['chunks']:.0f}", f"{m['opened_s']:.1f}", f"{m['encoded_s']:.2f}", f"{m['peak_mb']:.0f}")
        for name, m in measured.items()
    ]
    more = (measured["10,000 words"]["peak_mb"] - measured["10 words"]["peak_mb"]) / 1e3
    return Result(
        figures={name: {key: round(value, 3) for key, value in m.items()} for name, m in measured.items()},
        tables=[Table("One process each, one thread", ("prompt", "chunks", "opened s", "encoded s", "peak MB"), rows)],
        goals=[Goal("memory of 10,000 words beyond that of ten, GB", round(more, 3), 0.4)],
    )


if __name__ == "__main__":
    run("conditioning", __doc__ or "", measure)
