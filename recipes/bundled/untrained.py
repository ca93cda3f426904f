"""The published towers, joined without training: `python -m recipes.bundled.untrained FOLDER`.

ConSE (Norouzi et al. 2014): the vector of an image is its class probabilities times the class names' text vectors; both sides
are centred on the mean class. It is a baseline, and the start of recipes/flickr8k/lit.toml.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from recipes.bundled import sources, teacher
from recipes.bundled.start import provenance
from recipes.bundled.targets import PROMPTS, classes
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import digest, space_of
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig
from seesay.models.vectors import normalize

IMAGE_PX = 260  # the published tower's in training
IMAGE = EfficientNetLiteConfig("efficientnet-lite", IMAGE_PX, sources.STAGES, sources.WIDTHS, 1000, "conse")
TEXT = BertConfig("bert", 384, 6, 12, 1536, 30522, 512, "gelu", 1e-12, "mean", "unit-centred")
LOGIT_SCALE = 2.27  # logarithm of the scale with the highest likelihood of Caltech101's labels


def write(folder: Path, work: Path) -> None:
    """Writes the model folder."""
    names = [[prompt.format(c.en) for prompt in PROMPTS] for c in classes()]
    vectors = teacher.vectors([text for phrasings in names for text in phrasings], work)
    rows = normalize(np.stack([np.mean([vectors[text] for text in phrasings], axis=0) for phrasings in names]))
    centre = rows.mean(axis=0)
    image = sources.image_weights() | {"class_embedding": rows - centre}
    text = sources.text_weights() | {"centre": centre}
    config = ModelConfig(
        format_version=1,
        name="untrained",
        dim=TEXT.width,
        image=IMAGE,
        text=TEXT,
        image_spec=replace(sources.IMAGE_SPEC, size_px=IMAGE_PX, resize_px=IMAGE_PX),
        tokenizer_spec=teacher.SPEC,
        logit_scale=LOGIT_SCALE,
        logit_bias=None,
        score="softmax",
        precision={},
        languages=("en",),
        licence="Apache-2.0",
        provenance=provenance(),
        space_id="",
    )
    with torch.device("meta"):
        clip = Clip(config)
    state = {f"image.{name}": torch.from_numpy(value.astype(np.float32)) for name, value in image.items()}
    state |= {f"text.{name}": torch.from_numpy(value.astype(np.float32)) for name, value in text.items()}
    state["logit_scale"] = torch.tensor(LOGIT_SCALE)
    clip.load_state_dict(state, assign=True)
    clip.config = replace(config, space_id=space_of(config, digest(sorted(state.items()))))
    with new_folder(folder) as draft:
        write_folder(clip.eval(), teacher.tokenizer_json(), draft, "float32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("out/bundled"), help="where MiniLM's vectors are kept")
    options = parser.parse_args()
    write(options.folder, options.work)


if __name__ == "__main__":
    main()
