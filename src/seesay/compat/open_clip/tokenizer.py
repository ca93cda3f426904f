"""OpenCLIP's tokenizers: `get_tokenizer`, `tokenize` and `SimpleTokenizer`."""

import warnings
from collections.abc import Sequence

from torch import Tensor

from seesay.checkpoints.hub.catalog import architecture, catalog
from seesay.compat.lookup import InputSpec, find_input_spec
from seesay.compat.open_clip.pretrained import architecture_name, whole_model
from seesay.compat.processors import CONTEXT, TextTokenizer, padded_ids, text_list
from seesay.errors import ModelError, TruncatedText
from seesay.tokenizers import SPECS, tokenizer_json, vocabulary


class SimpleTokenizer:
    """One text or a list -> ids (N, context_length) int64, padded. Longer texts are truncated, which a warning reports."""

    def __init__(self, tokenizer: TextTokenizer, context_length: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.context_length = context_length or tokenizer.context

    def __call__(self, texts: str | Sequence[str], context_length: int | None = None) -> Tensor:
        texts, length = text_list(texts), context_length or self.context_length
        tokens = self.tokenizer(texts, length)
        if count := int(tokens.truncated.sum()):
            warnings.warn(
                f"{count} of {len(texts)} texts are longer than {length} tokens and lost their end", TruncatedText, stacklevel=2
            )
        return padded_ids(tokens, length, self.tokenizer.spec.pad_id)


def tokenize(texts: str | Sequence[str], context_length: int = CONTEXT) -> Tensor:
    """One text or a list -> ids (N, context_length) int64 of OpenAI's vocabulary, padded with 0 (others: `get_tokenizer`)."""
    return get_tokenizer()(texts, context_length)


def get_tokenizer(model_name: str = "", context_length: int | None = None, cache_dir: str | None = None) -> SimpleTokenizer:
    """The tokenizer of a name that `create_model_and_transforms` takes. At most its vocabulary is fetched, no weights."""
    return SimpleTokenizer(_input_spec(model_name).require_tokenizer(), context_length)


def _input_spec(model_name: str) -> InputSpec:
    if (whole := whole_model(model_name)) is not None:
        return find_input_spec(whole)
    if not model_name:
        return InputSpec("", None, None, SPECS["open_clip"], vocabulary("open_clip"))
    name = architecture_name(model_name)
    published = architecture(name)
    pieces = _fetched_vocabulary(name) if published.vocabulary == "folder" else vocabulary(published.vocabulary)
    return InputSpec(model_name, None, published.text, published.tokenizer_spec, pieces)


def _fetched_vocabulary(architecture: str) -> bytes:
    """The vocabulary of an architecture whose weights bring it; all weights of one architecture have the same."""
    from seesay.checkpoints.hub.repository import hub_folder

    for model in catalog().models:
        if model.architecture == architecture and model.source.repo is not None:
            return tokenizer_json(hub_folder(model.source.repo, weights=(), revision=model.source.revision))
    raise ModelError(
        f"the vocabulary of {architecture!r} comes with its weights, and the catalogue has none; name them: hf-hub:OWNER/NAME"
    )
