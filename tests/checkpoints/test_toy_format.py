"""A checkpoint format takes one file: this one defines a format and shows that everything around it works unchanged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import seesay
from seesay.checkpoints.convert import convert, convert_to
from seesay.checkpoints.description import Description
from seesay.checkpoints.formats import registry
from seesay.checkpoints.formats.foreign_config import ForeignConfig, raise_faults
from seesay.checkpoints.formats.format import Evidence, ForeignModel, Format, Writer, has_any
from seesay.checkpoints.formats.tables import OPENAI_TEXT, OPENAI_VIT, SCALE
from seesay.checkpoints.formats.writing import require_expressible
from seesay.checkpoints.inspect import inspect
from seesay.checkpoints.names import Table, nested
from seesay.checkpoints.overrides import Overrides
from seesay.checkpoints.preprocessing import preset
from seesay.checkpoints.reader import open_checkpoint
from seesay.cli.models.convert import convert as convert_command
from seesay.errors import CheckpointError, InputError
from seesay.models.config import ModelConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.families.vit.config import VitConfig
from seesay.tokenizers.spec import TokenizerSpec
from tests.parity.test_checkpoints import UNIT, open_fixture, unit

NAMES: Table = (*nested(OPENAI_VIT, "eye.", "image."), *nested(OPENAI_TEXT, "mouth.", "text."), *SCALE)


def _configuration(evidence: Evidence) -> Description | None:
    file, faults = evidence.folder / "toy.json", list[str]()
    if not file.is_file():
        return None
    values = ForeignConfig(json.loads(file.read_text()), "", faults)
    eye, mouth = values.part("eye"), values.part("mouth")
    shared = {"activation": "quick_gelu", "layer_norm_eps": 1e-5}
    eye_sizes = {key: eye.integer(key) for key in ("image_px", "patch_px", "width", "depth", "heads", "mlp_width")}
    mouth_keys = ("width", "depth", "heads", "mlp_width", "vocabulary", "positions", "eos_id")
    mouth_sizes = {key: mouth.integer(key) for key in mouth_keys}
    dim = values.integer("dim")
    raise_faults(faults, str(file))
    image: Any = VitConfig(kind="vit", **shared, **eye_sizes)  # type: ignore[arg-type]
    text: Any = ClipTextConfig(kind="clip-text", causal=True, pooling="eos", **shared, **mouth_sizes)  # type: ignore[arg-type]
    spec = TokenizerSpec(context_length=text.positions, pad_id=0, padding="longest")
    return Description(dim, image, text, preset("openai", image.image_px), spec, "folder", str(file))


def _rule(evidence: Evidence) -> Description:
    raise CheckpointError(f"{evidence.folder} has no toy.json")


def _translate(config: ModelConfig, vocabulary: bytes | None) -> ForeignModel:
    image, text = config.image, config.text
    if not isinstance(image, VitConfig) or not isinstance(text, ClipTextConfig):
        require_expressible("Toy", ["its towers are not a ViT and CLIP's text transformer"])
    assert isinstance(image, VitConfig)
    assert isinstance(text, ClipTextConfig)
    toy = {"dim": config.dim, "eye": vars(image), "mouth": vars(text)}
    files = {"toy.json": toy} | ({} if vocabulary is None else {"tokenizer.json": vocabulary.decode()})
    return ForeignModel("Toy", NAMES, files)


TOY = Format(
    name="toy",
    title="Toy",
    recognises=has_any("eye.conv1.weight"),
    table=lambda names: NAMES,
    rule=_rule,
    configuration=_configuration,
    preprocessing="openai",
    writer=Writer("toy", "toy.safetensors", _translate),
)


@pytest.fixture(autouse=True)
def _registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "FORMATS", [*registry.FORMATS])
    registry.register(TOY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A toy checkpoint, written from OpenAI's archive."""
    convert_to(open_fixture("openai-vit-archive")[0], tmp_path / "toy", "toy")
    return tmp_path / "toy"


def test_it_is_told_apart_and_described(folder: Path) -> None:
    original = open_fixture("openai-vit-archive")[0].description
    checkpoint = open_checkpoint(folder)
    assert checkpoint.format is TOY
    assert (checkpoint.description.image, checkpoint.description.text) == (original.image, original.text)
    inspection = inspect(folder)
    assert (inspection.format, inspection.unknown, inspection.faults) == ("Toy", None, None)
    (folder / "toy.json").write_text(json.dumps({"eye": {"width": 0}}))
    with pytest.raises(CheckpointError, match=r"(?s)eye.width: expected a whole number.*mouth.heads: expected"):
        open_checkpoint(folder)
    (folder / "toy.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no toy\.json"):
        open_checkpoint(folder)
    with pytest.raises(CheckpointError, match="the architecture ViT-B-32 of the catalogue"):
        open_checkpoint(folder, Overrides(architecture="ViT-B-32"))


def test_it_is_read_tensor_by_tensor(folder: Path) -> None:
    original = open_fixture("openai-vit-archive")[0].model()
    model = open_checkpoint(folder).model()
    assert model.config.space_id == original.config.space_id
    assert model.config.provenance[0].package == "Toy"
    for name, tensor in original.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_it_is_converted_and_loaded(folder: Path, tmp_path: Path) -> None:
    _, expected = open_fixture("openai-vit-archive")
    convert(open_checkpoint(folder), tmp_path / "made")
    for model in (seesay.load(folder), seesay.load(tmp_path / "made")):
        assert np.abs(model.encode_pixels(expected["pixels"]) - unit(expected["image"])).max() <= UNIT


def test_it_is_written_where_it_can_express_the_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="Toy cannot express this model exactly"):
        convert_to(open_fixture("cn-clip-vit")[0], tmp_path / "made", "toy")
    with pytest.raises(InputError, match="no format 'other' can be written; there are .*toy"):
        convert_to(open_fixture("openai-vit-archive")[0], tmp_path / "made", "other")


def test_the_command_line_offers_it(folder: Path, tmp_path: Path) -> None:
    assert "toy" in CliRunner().invoke(convert_command, ["--help"]).output
    arguments = [str(folder), str(tmp_path / "again"), "--to", "toy"]
    CliRunner().invoke(convert_command, arguments, catch_exceptions=False)
    assert (tmp_path / "again" / "toy.safetensors").read_bytes() == (folder / "toy.safetensors").read_bytes()
