"""Fine-tuning of the bundled recipe on short queries."""

from pathlib import Path

import numpy as np
import torch

import seesay
from recipes.bundled.typed import vectors
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.bert.tower import Bert
from seesay.tokenizers import Tokenizer
from seesay.tokenizers.spec import TokenizerSpec

BUNDLED = Path(seesay.__file__).parent / "bundled"


def test_vectors_come_in_the_order_of_their_texts() -> None:
    config = BertConfig("bert", 16, 1, 2, 32, 32822, 64, "gelu", 1e-12, "mean", "linear")
    torch.manual_seed(0)
    tower = Bert(config, 8).eval()
    spec = TokenizerSpec(context_length=64, pad_id=0, padding="longest")
    tokenizer = Tokenizer((BUNDLED / "tokenizer.json").read_bytes(), spec)
    texts = ["a long sentence about a dog on a beach", "dog", *(f"{'word ' * (at % 7)}{at}" for at in range(100)), "a cat"]
    with torch.inference_mode():
        together = vectors(tower, tokenizer, texts).numpy()
        separate = np.concatenate([vectors(tower, tokenizer, [text]).numpy() for text in texts])
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, separate, atol=2e-2)  # bfloat16 if the processor has it
