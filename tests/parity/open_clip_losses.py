"""OpenCLIP's losses of a few vectors, with all gradients, compared with data/losses.json.

    python -m tests.parity.open_clip_losses [--store]

Needs open_clip and torch, nothing of SeeSay; tests/training/test_losses.py holds ours against what is stored.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss, DistillClipLoss, SigLipLoss

STORED = Path(__file__).parent / "data" / "losses.json"
PAIRS, DIM, TEACHER_DIM = 6, 5, 3


def main() -> None:
    content = {"open_clip": results()}
    if "--store" in sys.argv:
        STORED.write_text(json.dumps(content) + "\n", encoding="utf-8")
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    differing = [name for name, case in content["open_clip"].items() if not close(case, stored["open_clip"][name])]
    print(f"losses: {len(content['open_clip'])} cases, {len(differing)} differ from the stored ones", *differing)
    if differing:
        raise SystemExit(1)


def results() -> dict[str, Any]:
    random = torch.Generator().manual_seed(0)

    def unit(dim: int) -> torch.Tensor:
        return F.normalize(torch.randn(PAIRS, dim, dtype=torch.float64, generator=random), dim=-1)

    images, texts, teacher_images, teacher_texts = unit(DIM), unit(DIM), unit(TEACHER_DIM), unit(TEACHER_DIM)
    scale, bias, teacher_scale = (torch.tensor(value, dtype=torch.float64) for value in (14.3, -10.0, 20.0))
    teacher = {"teacher_images": teacher_images, "teacher_texts": teacher_texts, "teacher_scale": teacher_scale}
    student = {"images": images, "texts": texts, "scale": scale}

    def distill(*tensors: torch.Tensor) -> torch.Tensor:
        return DistillClipLoss()(*tensors, *teacher.values())[1]

    return {
        "ClipLoss": case(ClipLoss(), student, {}),
        "SigLipLoss": case(SigLipLoss(), student | {"bias": bias}, {}),
        "DistillClipLoss": case(distill, student, teacher),
    }


def case(loss: Any, tensors: dict[str, torch.Tensor], constant: dict[str, torch.Tensor]) -> dict[str, Any]:
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
    value = loss(*leaves.values())
    value.backward()
    return {
        "given": {name: tensor.tolist() for name, tensor in tensors.items()},
        "constant": {name: tensor.tolist() for name, tensor in constant.items()},
        "loss": value.item(),
        "gradients": {name: leaf.grad.tolist() for name, leaf in leaves.items()},
    }


def close(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    return torch.allclose(*(torch.tensor(x, dtype=torch.float64) for x in (one, other)), rtol=1e-10, atol=1e-12)


if __name__ == "__main__":
    main()
