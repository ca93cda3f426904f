"""Facts that all checkpoints of SigLIP and SigLIP 2 share: how texts are prepared, by the vocabulary that lies beside them.

SigLIP has T5's vocabularies (unigrams), SigLIP 2 has Gemma's (byte pairs). Both end every text with the id 1 and pad it to the
full length; SigLIP pads with that same id. From big_vision's code and demonstrations.
"""

import json
from pathlib import Path

from seesay.checkpoints.containers.parsing import parsing
from seesay.checkpoints.description import TokenizerTraits
from seesay.tokenizers.spec import TokenizerSpec

EPS = 1e-6
END = 1
GEMMA_PIECES = 256_000
TRAITS = TokenizerTraits(ends=(END,), spare=100)  # mT5's vocabulary has 100 pieces without a row in the tables


def tokenizer_spec(folder: Path, vocabulary: int, positions: int) -> TokenizerSpec:
    """How texts are prepared. vocabulary: of the text tower, which tells where the folder has no tokenizer.json."""
    gemma = _model_type(folder / "tokenizer.json") == "BPE" if _has(folder) else vocabulary == GEMMA_PIECES
    return TokenizerSpec(
        context_length=positions,
        pad_id=0 if gemma else END,
        padding="context",
        cleaning="ascii-lower" if gemma else "unmarked",
    )


def _has(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file()


def _model_type(file: Path) -> str | None:
    with parsing(file, "a tokenizer.json"):
        kind: str | None = json.loads(file.read_bytes())["model"].get("type")
    return kind
