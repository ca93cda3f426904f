"""Hugging Face's `CLIPConfig`: the values of a model's config.json."""

import os
from typing import Any

from seesay.checkpoints.formats import hugging_face
from seesay.compat.hf.attribute_dict import AttributeDict
from seesay.compat.lookup import find_checkpoint


class CLIPConfig(AttributeDict):
    """transformers' config.json of a model, by name and as attributes: config.text_config.hidden_size.

    Raises CheckpointError for a model that transformers cannot express.
    """

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str]) -> "CLIPConfig":
        """The configuration of any name that `seesay.load` takes."""
        return cls(_nested(hugging_face.model_config(find_checkpoint(name).config())))


def _nested(values: dict[str, Any]) -> AttributeDict:
    return AttributeDict({key: _nested(value) if isinstance(value, dict) else value for key, value in values.items()})
