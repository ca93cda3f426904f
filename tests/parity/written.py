"""Opens written folders with the libraries that they are for: `python -m tests.parity.written`, with these installed.

transformers 4.57 and 5 differ in their layouts, so this runs in both environments.
"""

import json
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seesay.checkpoints.convert import convert_to
from tests.checkpoints.test_writing import EXACT, square_crop
from tests.parity.test_checkpoints import UNIT, open_fixture, unit


def by_transformers(folder: Path, expected: dict[str, np.ndarray]) -> dict[str, Any]:
    import transformers

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))  # 4.57 has no AutoConfig for a tower alone
    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder).eval()
    outputs: dict[str, Any] = {}
    with torch.no_grad():
        if "pixels" in expected:
            inputs = torch.from_numpy(expected["pixels"])
            out = model.get_image_features(inputs) if hasattr(model, "get_image_features") else model(inputs)
            outputs["image"] = _tensor(out)
        if "ids" in expected:
            inputs = torch.from_numpy(expected["ids"])
            if config["model_type"] == "chinese_clip":
                hidden = model.text_model(inputs, attention_mask=(inputs != 0).long()).last_hidden_state[:, 0]
                outputs["text"] = model.text_projection(hidden)
            else:
                out = model.get_text_features(inputs) if hasattr(model, "get_text_features") else model(inputs)
                outputs["text"] = _tensor(out)
    return outputs


def _tensor(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output
    for name in ("text_embeds", "image_embeds", "pooler_output"):
        if getattr(output, name, None) is not None:
            return getattr(output, name)
    raise SystemExit(f"no vector in {type(output).__name__}")


def by_open_clip(folder: Path, expected: dict[str, np.ndarray]) -> dict[str, Any]:
    import open_clip

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    with torch.no_grad():
        return {
            "image": model.encode_image(torch.from_numpy(expected["pixels"])),
            "text": model.encode_text(torch.from_numpy(expected["ids"])),
        }


def main() -> None:
    readers = {"transformers": by_transformers, "open_clip": by_open_clip}
    failed = 0
    for name, target in EXACT:
        if find_spec(target) is None:
            continue
        checkpoint, expected = open_fixture(name)
        with tempfile.TemporaryDirectory() as place:
            convert_to(square_crop(checkpoint), Path(place) / "made", target)
            vectors = readers[target](Path(place) / "made", expected)
        worst = max(float(np.abs(unit(value) - unit(expected[part])).max()) for part, value in vectors.items())
        failed += not worst <= UNIT
        print(f"{name} written for {target}: {', '.join(vectors)} differ by at most {worst:.1e}")
    if failed:
        raise SystemExit(f"{failed} differ by more than {UNIT:.0e}")


if __name__ == "__main__":
    main()
