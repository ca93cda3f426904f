"""OpenCLIP's names: architectures and the tags of their weights, as SeeSay's catalogue has them."""

import os
from typing import Literal, overload

from seesay.checkpoints.hub.catalog import CatalogModel, catalog, find
from seesay.checkpoints.hub.source import HUB

LOCAL, REMOTE = "local-dir:", "hf-hub:"


@overload
def list_pretrained(as_str: Literal[False] = False) -> list[tuple[str, str]]: ...
@overload
def list_pretrained(as_str: Literal[True]) -> list[str]: ...
def list_pretrained(as_str: bool = False) -> list[tuple[str, str]] | list[str]:
    """(architecture, tag) of all weights that a model can be created with; `as_str`: "architecture:tag"."""
    aliases = {alias for model in catalog().models if model.family != "chinese-clip" for alias in model.aliases if ":" in alias}
    pairs = sorted((alias.split(":")[0], alias.split(":")[1]) for alias in aliases)
    return [":".join(pair) for pair in pairs] if as_str else pairs


def list_pretrained_tags_by_model(model: str) -> list[str]:
    """The tags of an architecture; an empty list if it has none."""
    return [tag for name, tag in list_pretrained() if name == architecture_name(model)]


def list_pretrained_models_by_tag(tag: str) -> list[str]:
    """The architectures that have a tag."""
    return [name for name, each in list_pretrained() if each == tag]


def list_openai_models() -> list[str]:
    """The architectures of OpenAI's own weights."""
    return list_pretrained_models_by_tag("openai")


def list_models() -> list[str]:
    """The names of all architectures."""
    return sorted(name for name in catalog().architectures if "@" not in name)


def whole_model(model_name: str) -> str | None:
    """The name or path of a model that needs no `pretrained`; None if the name is an architecture's."""
    if model_name.startswith(LOCAL):
        return model_name.removeprefix(LOCAL)
    if model_name.startswith(REMOTE):
        return HUB + model_name.removeprefix(REMOTE)
    is_path = os.path.exists(model_name) and (
        os.sep in model_name or architecture_name(model_name) not in catalog().architectures
    )
    return model_name if is_path or model_name == "bundled" else None


def catalog_entry(model_name: str, pretrained: str | os.PathLike[str]) -> CatalogModel | None:
    """The published model of an architecture and a tag."""
    return find(f"{architecture_name(model_name)}:{os.fspath(pretrained)}")


def architecture_name(model_name: str) -> str:
    """OpenCLIP's spelling of an architecture: OpenAI writes "ViT-B/32" for "ViT-B-32"."""
    return model_name.replace("/", "-")
