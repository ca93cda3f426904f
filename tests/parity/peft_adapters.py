"""LoRA adapters beside the library peft, in both directions: `python -m tests.parity.peft_adapters [--store]`.

peft adapts a tiny CLIPModel, with random changes of several ranks; its adapter and the adapted model's vectors are stored in
data/peft/. The other way round, adapters that SeeSay writes are loaded by peft and compared with ours.
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file
from transformers import CLIPModel

from seesay.checkpoints.adapters import adapted, write_adapter
from seesay.checkpoints.reader import open_checkpoint
from seesay.models.layers.lora import Change, add_lora, changes_in
from seesay.models.layers.lora import LoraConfig as OurLora
from tests.parity.make_hugging_face import tensor
from tests.parity.test_checkpoints import DATA, UNIT, unit

BASE, STORED = DATA / "hf-clip-4", DATA / "peft"
ATTENTION = ["q_proj", "k_proj", "v_proj", "out_proj"]


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Random changes: peft's, as ours, begin at zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))


def computed(model: Any) -> dict[str, np.ndarray]:
    """Vectors of the base's fixture, by an (adapted) CLIPModel."""
    inputs = np.load(BASE / "expected.npz")
    with torch.no_grad():
        images = tensor(model.get_image_features(pixel_values=torch.from_numpy(inputs["pixels"])))
        texts = tensor(model.get_text_features(input_ids=torch.from_numpy(inputs["ids"])))
    return {"image": images.numpy(), "text": texts.numpy()}


def make(folder: Path) -> None:
    """An adapter by peft and the adapted model's vectors: attention with rank 3, a projection and a layer with others."""
    config = LoraConfig(
        r=3,
        lora_alpha=6,
        target_modules=[*ATTENTION, "visual_projection", "text_model.encoder.layers.1.mlp.fc1"],
        rank_pattern={"visual_projection": 2},
        alpha_pattern={"visual_projection": 5, "text_model.encoder.layers.1.mlp.fc1": 1},
    )
    model = get_peft_model(CLIPModel.from_pretrained(BASE), config).eval()
    randomise(model, 1)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    described = json.loads((folder / "adapter_config.json").read_text())
    described["target_modules"] = sorted(described["target_modules"])  # a set, in any order
    described["base_model_name_or_path"] = "hf-clip-4"
    (folder / "adapter_config.json").write_text(json.dumps(described, indent=1) + "\n")
    np.savez(folder / "vectors.npz", **computed(model.base_model.model))  # type: ignore[arg-type]


def difference_of_ours() -> float:
    """Adapters that SeeSay writes, loaded by peft: the largest difference of unit vectors from ours."""
    checkpoint = open_checkpoint(BASE)
    clip = checkpoint.model()
    base = clip.config
    add_lora(clip.image, OurLora(rank=4, alpha=6, targets=("attention", "mlp", "projection")))
    add_lora(clip.text, OurLora(rank=2, alpha=8, targets=("attention",)))
    for seed, tower in enumerate((clip.image, clip.text)):
        randomise(tower, seed)
    changes: dict[str, Change] = changes_in(clip.state_dict(), {"image": 1.5, "text": 4.0})
    inputs = np.load(BASE / "expected.npz")
    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        write_adapter(Path(place) / "adapter", changes, base, dropout=0.0)
        model = PeftModel.from_pretrained(CLIPModel.from_pretrained(BASE), Path(place) / "adapter").eval()
        theirs = computed(model.base_model.model)
        again = adapted(open_checkpoint(BASE), Path(place) / "adapter")
        worst = 0.0
        for ours in (clip, again):  # beside the base, and merged
            vectors = {
                "image": ours.image(torch.from_numpy(inputs["pixels"])),
                "text": ours.text(torch.from_numpy(inputs["ids"])),
            }
            worst = max(worst, *(float(np.abs(unit(vectors[k]) - unit(theirs[k])).max()) for k in theirs))
    plain = {"image": inputs["image"], "text": inputs["text"]}
    assert all(np.abs(unit(plain[k]) - unit(theirs[k])).max() > 0.05 for k in theirs), "the adapter changes too little"
    return worst


def main() -> None:
    warnings.filterwarnings("ignore")
    worst = difference_of_ours()
    print(f"ours in peft: largest difference of unit vectors {worst:.1e}")
    if worst > UNIT:
        raise SystemExit("peft computes something else with our adapters")
    if "--store" in sys.argv:
        make(STORED)
        return
    with tempfile.TemporaryDirectory() as place:
        make(Path(place))
        for name in ("adapter_model.safetensors", "vectors.npz"):
            load = np.load if name.endswith(".npz") else load_file
            made, stored = load(Path(place) / name), load(STORED / name)
            for key in stored:
                np.testing.assert_allclose(made[key], stored[key], atol=1e-6)
    print("peft's adapter: as stored")


if __name__ == "__main__":
    main()
