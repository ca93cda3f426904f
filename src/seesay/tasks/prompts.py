"""Prompt templates and the ensemble that turns a label into one vector."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from seesay.errors import InputError
from seesay.models.encoder import Encoder
from seesay.models.vectors import normalize
from seesay.system.chinese import is_chinese
from seesay.tasks.labels import check_labels

# Short on purpose: with a small text tower long templates drown the label (measured in docs/benchmarks.md).
TEMPLATES = ("{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.")
TEMPLATES_ZH = ("{}", "一张{}的照片。", "{}的照片。", "{}的特写照片。")
SHORT = {"en": TEMPLATES, "zh": TEMPLATES_ZH}
Templates = str | Sequence[str] | Mapping[str, Sequence[str]] | None
TemplateSet = Literal["short", "photo", "texture", "satellite", "food", "art", "digits", "clothing", "imagenet"]
SETS: tuple[str, ...] = get_args(TemplateSet)
LANGUAGES = tuple(SHORT)


def named_templates(name: str, language: str = "en") -> tuple[str, ...]:
    """A set of templates in one language by name (see `template_set`). Raises InputError."""
    if name not in SETS or language not in LANGUAGES:
        raise InputError(
            f"expected one of {', '.join(SETS)} in one of {', '.join(LANGUAGES)}, got {name!r} in {language!r}; "
            "templates of your own are a list of texts with {} where the label goes"
        )
    return template_set(name)[language]


def template_set(name: str) -> dict[str, tuple[str, ...]]:
    """A set of templates by language: "short"; one for a domain, such as "food"; or "imagenet", the 80 of Radford et al. 2021
    (in Chinese as CLIP_benchmark translates them). Raises InputError."""
    if name not in SETS:
        raise InputError(f"expected a set of templates, one of {', '.join(SETS)}, got {name!r}")
    if name == "short":
        return dict(SHORT)
    by_language = _stored("imagenet_templates.json") if name == "imagenet" else _stored("template_sets.json")[name]
    return {language: tuple(by_language[language]) for language in LANGUAGES}


@cache
def _stored(file: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return data


def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes in its order, as Radford et al. 2021 write them."""
    return tuple((Path(__file__).parent / "imagenet_classes.txt").read_text(encoding="utf-8").splitlines())


def label_embeddings(encoder: Encoder, labels: Sequence[str], templates: Templates = None) -> np.ndarray:
    """labels -> (len(labels), D) unit vectors: per label, the mean of its prompts' unit vectors, normalized again.

    This is the ensemble of Radford et al. 2021, section 3.1.4. Templates hold one `{}` in place of the label; those by language
    (`template_set`) are for labels of that language, and without any every label gets the short ones of its own.
    """
    return ensemble(encoder.encode_text(filled(labels, templates)), len(labels))


def filled(labels: Sequence[str], templates: Templates = None) -> list[str]:
    """The prompts of every label with every template, label after label. Raises InputError for empty labels, and for templates
    without {}."""
    by_language = _by_language(templates)
    check_labels(labels)
    for each in by_language.values():
        _check_templates(each)
    return [template.replace("{}", label) for label in labels for template in by_language["zh" if is_chinese(label) else "en"]]


def _by_language(templates: Templates) -> Mapping[str, Sequence[str]]:
    if templates is None:
        return SHORT
    if not isinstance(templates, Mapping):
        return dict.fromkeys(LANGUAGES, [templates] if isinstance(templates, str) else templates)
    if not set(LANGUAGES) <= set(templates) or len({len(each) for each in templates.values()}) != 1:
        raise InputError(f"expected as many templates in each of {', '.join(LANGUAGES)}, got {dict(templates)!r:.200}")
    return templates


def count(templates: Templates = None) -> int:
    """How many prompts `filled` makes of one label."""
    return len(next(iter(_by_language(templates).values())))


def ensemble(prompts: np.ndarray, labels: int) -> np.ndarray:
    """Unit vectors (labels x templates, D) of `filled` -> one unit vector per label (labels, D)."""
    return normalize(prompts.reshape(labels, -1, prompts.shape[-1]).mean(axis=1))


def _check_templates(templates: Sequence[str]) -> None:
    if not templates:
        raise InputError("expected at least one template, got an empty list")
    bad = [template for template in templates if "{}" not in template]
    if bad:
        raise InputError(f"a template needs {{}} where the label goes, such as 'a photo of a {{}}.'; got {bad[0]!r}")
