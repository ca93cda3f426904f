"""Models written for other libraries: read back bit for bit, or refused where the format cannot express them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seesay.checkpoints.convert import convert_to
from seesay.checkpoints.hub.locate import BUNDLED
from seesay.checkpoints.reader import Checkpoint, open_checkpoint
from seesay.errors import CheckpointError
from seesay.tokenizers import SPECS, Tokenizer, vocabulary
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.to_files import transformers_files
from tests.parity.test_checkpoints import RELATIVE, UNIT, compare, open_fixture

EXACT: tuple[tuple[str, str], ...] = (
    ("openai-vit-archive", "transformers"),
    ("openai-vit-archive", "open_clip"),
    ("openai-resnet-archive", "open_clip"),
    ("hf-clip-5", "open_clip"),
    ("hf-clip-gelu-4", "open_clip"),
    ("hf-clip-gelu-4", "transformers"),
    ("open-clip-native", "transformers"),
    ("open-clip-custom-text", "open_clip"),
    ("open-clip-clipa", "open_clip"),
    ("open-clip-eos", "open_clip"),
    ("cn-clip-vit", "transformers"),
    ("hf-chinese-clip-5", "transformers"),
    ("hf-text-5", "transformers"),
    ("hf-text-projection-4", "transformers"),
    ("hf-siglip-4", "transformers"),
    ("hf-siglip-text-5", "transformers"),
    ("hf-siglip-vision-5", "transformers"),
    ("open-clip-siglip-2", "transformers"),
    ("big-vision-siglip", "transformers"),
    ("hf-vision-4", "transformers"),
    ("hf-vision-projection-5", "transformers"),
)


def square_crop(checkpoint: Checkpoint) -> Checkpoint:
    """OpenCLIP resizes and crops to one size; the fixtures of transformers have two."""
    d = checkpoint.description
    spec = d.image_spec and replace(d.image_spec, resize_px=d.image_spec.size_px)
    return replace(checkpoint, description=replace(d, image_spec=spec))


@pytest.mark.parametrize(("name", "target"), EXACT, ids=[f"{name} to {target}" for name, target in EXACT])
def test_what_is_written_is_read_back_bit_for_bit(name: str, target: str, tmp_path: Path) -> None:
    checkpoint, expected = open_fixture(name)
    checkpoint = square_crop(checkpoint)
    convert_to(checkpoint, tmp_path / "made", target)
    reread = open_checkpoint(tmp_path / "made")
    assert reread.format.writer is not None
    assert reread.format.writer.target == target
    original, again = checkpoint.model(), reread.model()
    assert (again.config.image, again.config.text) == (original.config.image, original.config.text)
    assert again.state_dict().keys() == original.state_dict().keys()
    for key, tensor in original.state_dict().items():
        if key != "logit_scale" or (original.config.image and original.config.text):
            assert torch.equal(tensor, again.state_dict()[key]), key
    with torch.no_grad():
        worst = compare(again, expected, None)
    assert worst["unit"] <= UNIT
    assert worst["hidden"] <= RELATIVE


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("openai-resnet-archive", "transformers", "its image tower is modified-resnet"),
    ("open-clip-clipa", "transformers", "pools the mean of its patches"),
    ("open-clip-clipa", "transformers", "not causal"),
    ("open-clip-eos", "transformers", "scales its layers"),
    ("open-clip-xlm-roberta", "transformers", "not pooled and projected"),
    ("cn-clip-vit", "open_clip", "its text tower is bert"),
    ("hf-text-5", "open_clip", "one tower alone"),
    ("hf-clip-5", "open_clip", "resized to 36 and cropped to 32"),
)


@pytest.mark.parametrize(("name", "target", "reason"), REFUSED)
def test_what_a_format_cannot_say_is_refused_with_the_reason(name: str, target: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=reason):
        convert_to(open_fixture(name)[0], tmp_path / "made", target)
    assert not list(tmp_path.iterdir())


def test_the_bundled_model_fits_no_other_format(tmp_path: Path) -> None:
    for target in ("transformers", "open_clip"):
        with pytest.raises(CheckpointError, match="its image tower is efficientnet-lite"):
            convert_to(open_checkpoint(BUNDLED), tmp_path / "made", target)


def test_vocabularies_are_written_for_transformers(tmp_path: Path) -> None:
    """The same ids, but for what transformers does not clean."""
    for folder, name in (("english", "clip"), ("chinese", "chinese_clip")):
        (tmp_path / folder).mkdir()
        for file, content in transformers_files(vocabulary(name), 77).items():  # type: ignore[arg-type]
            (tmp_path / folder / file).write_text(
                content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
            )
    texts = ["A photo of a cat, it's 3 o'clock!", "naïve café", "两只狗在雪地里奔跑", "a\u3000b"]
    for folder, name in (("english", "clip"), ("chinese", "chinese_clip")):
        of_transformers = Tokenizer(tmp_path / folder / "tokenizer.json", TokenizerSpec(77, SPECS[name].pad_id, "longest"))
        np.testing.assert_array_equal(of_transformers(texts).ids, Tokenizer(vocabulary(name), SPECS[name])(texts).ids)  # type: ignore[arg-type]
    assert json.loads((tmp_path / "english" / "tokenizer_config.json").read_text())["tokenizer_class"] == "CLIPTokenizer"
    assert len(json.loads((tmp_path / "english" / "vocab.json").read_text())) == 49408
    assert len((tmp_path / "chinese" / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")) == 21128
