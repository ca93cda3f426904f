"""Ready sets of labels by name: quality, kind, scene and style, in English and in Chinese."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from seesay.errors import InputError
from seesay.tasks.labels import Label

ReadySet = Literal["quality", "kind", "scene", "style", "画质", "类型", "场景", "风格"]
LABEL_SETS = ("quality", "kind", "scene", "style")
PLAIN = ("{}",)  # the template of a set's phrases, which are whole prompts


def label_set(name: str) -> tuple[Label, ...]:
    """The labels of a ready set, each with several phrases, to be encoded as they stand (`PLAIN`); the nearest counts ("max").

    name: one of LABEL_SETS for English labels, or its Chinese name (画质, 类型, 场景, 风格) for Chinese ones.
    docs/benchmarks.md says how well each works. Raises InputError.
    """
    for english, stored in _stored().items():
        for language, called in (("en", english), ("zh", stored["zh_name"])):
            if name == called:
                return tuple(Label(label, tuple(phrases)) for label, phrases in stored[language].items())
    names = ", ".join(f"{english} ({stored['zh_name']})" for english, stored in _stored().items())
    raise InputError(f"expected a ready set of labels, one of {names}, got {name!r}")


@cache
def _stored() -> dict[str, dict[str, Any]]:
    stored: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "label_sets.json").read_text(encoding="utf-8"))
    return stored
