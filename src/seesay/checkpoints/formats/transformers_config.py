"""Settings that text and image towers share in Hugging Face transformers' configurations, and its BERT text towers."""

from collections.abc import Mapping
from typing import Any

from seesay.checkpoints.formats.foreign_config import ForeignConfig
from seesay.models.families.bert.config import BertConfig
from seesay.models.fields import Activation

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "quick_gelu": "quick_gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
}
BERT_DEFAULTS = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
ROBERTA_DEFAULTS = BERT_DEFAULTS | {"vocab_size": 50265, "pad_token_id": 1}
# Published models that others name without their sizes, or have as defaults.
ROBERTA = {"max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
XLM_ROBERTA = ROBERTA_DEFAULTS | ROBERTA | {"model_type": "xlm-roberta", "vocab_size": 250002}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
BERT_KINDS = {
    "bert": (BERT_DEFAULTS, "from-zero"),
    "roberta": (ROBERTA_DEFAULTS, "after-padding"),
    "xlm-roberta": (ROBERTA_DEFAULTS, "after-padding"),
    "chinese_clip_text_model": (BERT_DEFAULTS, "from-zero"),
}


def sizes(s: ForeignConfig) -> dict[str, Any]:
    """The fields that every transformer of that library has under the same keys."""
    return {
        "width": s.integer("hidden_size"),
        "depth": s.integer("num_hidden_layers"),
        "heads": s.integer("num_attention_heads"),
        "mlp_width": s.integer("intermediate_size"),
        "activation": s.choice("hidden_act", ACTIVATIONS),
        "layer_norm_eps": s.number("layer_norm_eps"),
    }


def bert_config(values: Mapping[str, Any], *, pooling: Any, head: Any, at: str, faults: list[str]) -> BertConfig:
    """A BERT, RoBERTa or XLM-R text tower, by its `model_type`; also used by OpenCLIP's text towers."""
    defaults, position_ids = ForeignConfig(values, at, faults).choice("model_type", BERT_KINDS)
    s = ForeignConfig(defaults | dict(values), at, faults)
    s.refuse("position_embedding_type", lambda v: v in (None, "absolute"), "only absolute positions are known")
    vocabulary = s.integer("vocab_size")
    return BertConfig(
        kind="bert",
        **sizes(s),
        vocabulary=vocabulary,
        positions=s.integer("max_position_embeddings"),
        pooling=pooling,
        head=head,
        pad_id=s.integer("pad_token_id", least=0, most=vocabulary - 1),
        types=s.integer("type_vocab_size", least=0),
        position_ids=position_ids,
    )
