"""Configurations with one odd value: each raises an error that names it, or opens as a model."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seesay.checkpoints.reader import open_checkpoint
from seesay.errors import SeeSayError
from tests.parity.test_checkpoints import DATA

ODD = (None, "x", 0, -1, 1.5, [], {"a": 1}, 10**9)
FILES = [
    ("open-clip-native", "open_clip_config.json"),
    ("open-clip-resnet", "open_clip_config.json"),
    ("open-clip-roberta-linear", "open_clip_config.json"),
    ("open-clip-roberta-linear", "config.json"),
    ("hf-clip-5", "config.json"),
    ("hf-clip-4", "preprocessor_config.json"),
    ("hf-clip-5", "processor_config.json"),
    ("hf-chinese-clip-5", "config.json"),
]


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*at, key)
        yield from places(part, (*at, key))


def changed(config: Any, at: tuple[str | int, ...], value: object) -> Any:
    copy = json.loads(json.dumps(config))
    inside = copy
    for key in at[:-1]:
        inside = inside[key]
    inside[at[-1]] = value
    return copy


@pytest.mark.parametrize(("name", "file"), FILES)
def test_one_odd_value(name: str, file: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(DATA / name, folder)
    config = json.loads((folder / file).read_text())
    open_checkpoint(folder).check_towers()
    refused = 0
    for at in places(config):
        for value in ODD:
            (folder / file).write_text(json.dumps(changed(config, at, value)))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    open_checkpoint(folder).check_towers()
            except SeeSayError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"{'.'.join(map(str, at))} = {value!r}: {error!r}") from error
    assert refused > len(ODD)
