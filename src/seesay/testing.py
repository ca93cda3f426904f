"""A model without weights, for tests of code that uses a Model."""

from seesay.engines.fake import FAKE_IMAGE_SPEC, FakeEngine, FakeTokenizer
from seesay.model import Model
from seesay.models.config import ModelConfig, SearchSpec
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.efficientnet_lite.config import EfficientNetLiteConfig


def fake_model(dim: int = 16, *, space_id: str = "fa4e" * 8) -> Model:
    """A deterministic model that sees colours and knows their names: encode_text("red") is near a red image."""
    positions, pieces = FakeTokenizer.spec.context_length, FakeTokenizer.vocabulary
    config = ModelConfig(
        format_version=1,
        name="fake",
        dim=dim,
        image=EfficientNetLiteConfig("efficientnet-lite", FAKE_IMAGE_SPEC.size_px, ((1, 3, 1),), (8, 8, 8), 0, "conse"),
        text=BertConfig("bert", dim, 1, 1, dim, pieces, positions, "gelu", 0.0, "mean", "unit-centred"),
        image_spec=FAKE_IMAGE_SPEC,
        tokenizer_spec=FakeTokenizer.spec,
        logit_scale=3.0,
        logit_bias=None,
        score="softmax",
        precision={"image": "float32", "text": "float32"},
        languages=("en",),
        licence="Apache-2.0",
        provenance=(),
        space_id=space_id,
        search=SearchSpec({}, hub=0.0, spread=0.0, sentence_hub=0.0),  # phrasings mean nothing to it
    )
    return Model(config, FakeTokenizer(), FakeEngine(dim))
