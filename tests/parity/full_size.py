"""Published sizes with random weights: what tiny fixtures cannot show (depth, widths, memory, seconds).

    python -m tests.parity.full_size [NAME ...]

runs in an environment that has the original libraries (requirements-parity.txt). Per model, each step a process of its own:
the original library makes the checkpoint, every parameter random, and computes; SeeSay opens it, computes the same, writes
`model.safetensors` and the graphs that point into it, and runs those. Takes up to 8 GB of disk in a temporary folder.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from tests.parity.fixtures import Made, randomise, text_ids

PX = 224


def clip_ids() -> np.ndarray:
    return text_ids(49408, 77, first=49406, last=49407, pad=0)


def openai(name: str, folder: Path) -> Made:
    import clip.model

    from tests.parity.architectures import OPENAI
    from tests.parity.make_openai import hidden_states, save_archive

    dim, px, layers, width, patch, text_width, text_heads = OPENAI[name]
    model = clip.model.CLIP(dim, px, layers, width, patch, 77, 49408, text_width, text_heads, 12)
    randomise(model, 1)
    save_archive(model, px, folder / "model.pt")
    return hidden_states(model, px, folder, clip_ids(), gradients=False) | {"file": "model.pt"}


def vit_b_32(folder: Path) -> Made:
    return openai("ViT-B/32", folder)


def rn50(folder: Path) -> Made:
    return openai("RN50", folder)


def vit_h_14(folder: Path) -> Made:
    from open_clip import get_model_config

    from tests.parity.make_open_clip import native, run, save_folder

    model_cfg = get_model_config("ViT-H-14")
    model = native(model_cfg)
    randomise(model, 2)
    save_folder(folder, model, model_cfg)
    return run(model, folder, px=PX, ids=clip_ids(), gradients=False) | {"file": ""}


def eva02_b_16(folder: Path) -> Made:
    from open_clip import get_model_config

    from tests.parity.make_open_clip import native, save_folder
    from tests.parity.make_open_clip_eva import run

    model_cfg = get_model_config("EVA02-B-16")
    model = native(model_cfg)
    randomise(model, 5)
    save_folder(folder, model, model_cfg)
    return run(model, folder, px=PX, ids=clip_ids(), gradients=False) | {"file": ""}


def chinese_vit_b_16(folder: Path) -> Made:
    from cn_clip.clip.utils import create_model

    from tests.parity.make_chinese_clip import run, training_checkpoint

    model = create_model("ViT-B-16@RoBERTa-wwm-ext-base-chinese")
    randomise(model, 3)
    torch.save(training_checkpoint(model.state_dict()), folder / "model.pt")
    ids = text_ids(21128, 52, first=101, last=102, pad=0)
    return run(model, folder, PX, ids, gradients=False) | {"file": "model.pt"}


def hugging_face_vit_b_32(folder: Path) -> Made:
    from transformers import CLIPConfig, CLIPModel

    from tests.parity.architectures import CLIPS
    from tests.parity.make_hugging_face import run

    dim, text, vision = CLIPS["openai/clip-vit-base-patch32"]
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim))
    randomise(model, 4)
    model.save_pretrained(folder)
    return run(model, folder, clip_ids(), px=PX, gradients=False) | {"file": "", "overrides": {"preprocessing": "openai"}}


def siglip_b_16(folder: Path) -> Made:
    from transformers import SiglipConfig, SiglipModel

    from tests.parity.make_hugging_face_siglip import run

    model = SiglipModel(SiglipConfig())  # its defaults are those of google/siglip-base-patch16-224
    randomise(model, 6)
    model.save_pretrained(folder)
    ids = text_ids(32000, 64, first=5, last=1, pad=1)
    return run(model, folder, ids, px=PX, gradients=False) | {"file": "", "overrides": {"preprocessing": "siglip"}}


# Title, library, maker
MODELS: dict[str, tuple[str, str, Callable[[Path], Made]]] = {
    "vit-b-32": ("OpenAI ViT-B/32, archive", "clip", vit_b_32),
    "rn50": ("OpenAI RN50, archive", "clip", rn50),
    "cn-vit-b-16": ("Chinese-CLIP ViT-B-16, original", "cn_clip", chinese_vit_b_16),
    "hf-vit-b-32": ("Hugging Face CLIPModel ViT-B/32", "transformers", hugging_face_vit_b_32),
    "eva02-b-16": ("OpenCLIP EVA02-B-16", "timm", eva02_b_16),
    "siglip-b-16": ("Hugging Face SigLIP-B/16", "transformers", siglip_b_16),
    "vit-h-14": ("OpenCLIP ViT-H-14", "open_clip", vit_h_14),
}


def make(name: str, folder: Path) -> None:
    facts = MODELS[name][2](folder)
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")


def check(name: str, folder: Path) -> dict[str, float]:
    """Our numbers, differences and seconds."""
    from safetensors.torch import save_file

    from seesay.checkpoints.export import verify, write_graphs
    from seesay.checkpoints.reader import open_checkpoint
    from tests.parity.test_checkpoints import compare, overrides

    facts = json.loads((folder / "facts.json").read_text())
    expected = dict(np.load(folder / "expected.npz"))
    start = time.perf_counter()
    clip = open_checkpoint(folder / facts["file"], overrides(facts)).model()
    opened = time.perf_counter()
    with torch.no_grad():
        worst = compare(clip, expected, None)
    compared = time.perf_counter()
    exported = folder / "exported"
    exported.mkdir()
    save_file(clip.state_dict(), exported / "model.safetensors")
    write_graphs(clip, exported)
    written = time.perf_counter()
    graphs = verify(clip, exported)
    return {
        "parameters": sum(parameter.numel() for parameter in clip.parameters()),
        "finite": all(bool(np.isfinite(value).all()) for value in expected.values()),
        "unit": worst["unit"],
        "hidden": worst["hidden"],
        "graphs": max(graphs.values()),
        "graph bytes": sum((exported / f"{tower}.onnx").stat().st_size for tower in ("image", "text")),
        "open seconds": opened - start,
        "run seconds": compared - opened,
        "write seconds": written - compared,
        "verify seconds": time.perf_counter() - written,
        "peak bytes": peak_bytes(),
    }


def peak_bytes() -> int:
    """The largest resident size of this process so far."""
    import resource  # not on Windows, where this script is not meant to run

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def step(which: str, name: str, folder: Path) -> Any:
    command = [sys.executable, "-W", "ignore", "-m", "tests.parity.full_size", which, name, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(names: list[str]) -> bool:
    from tests.parity.test_checkpoints import RELATIVE, UNIT

    good = True
    print(
        "| model | parameters | unit | hidden | graphs | made s | open s | run s | write s | verify s | their peak | our peak |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    for name in names:
        title, library, _ = MODELS[name]
        if not find_spec(library):
            print(f"{library} is not installed here; {title} is left out")
            continue
        with TemporaryDirectory() as folder:
            fixture = step("make", name, Path(folder))
            r = step("check", name, Path(folder))
        good &= bool(r["finite"]) and r["unit"] <= UNIT and r["hidden"] <= RELATIVE  # graphs: verify raises
        seconds = " | ".join(f"{r[f'{part} seconds']:.1f}" for part in ("open", "run", "write", "verify"))
        print(
            f"| {title} | {r['parameters'] / 1e6:.1f} M | {r['unit']:.1e} | {r['hidden']:.1e} | {r['graphs']:.1e} "
            f"| {fixture['seconds']:.1f} | {seconds} | {fixture['peak bytes'] / 1e9:.1f} GB | {r['peak bytes'] / 1e9:.1f} GB |",
            flush=True,
        )
    print(f"asked for: unit <= {UNIT:.0e}, hidden states <= {RELATIVE:.0e} of their largest value, graphs <= 1e-05")
    return good


def main() -> None:
    match sys.argv[1:]:
        case ["make", name, folder]:
            start = time.perf_counter()
            make(name, Path(folder))
            print(json.dumps({"seconds": time.perf_counter() - start, "peak bytes": peak_bytes()}))
        case ["check", name, folder]:
            print(json.dumps(check(name, Path(folder))))
        case names:
            sys.exit(0 if table(names or list(MODELS)) else 1)


if __name__ == "__main__":
    main()
