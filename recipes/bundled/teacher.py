"""Unit vectors of English texts in the published MiniLM, computed once and stored."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx

from recipes.bundled import sources
from seesay.engines import OnnxEngine
from seesay.models.families.bert.config import BertConfig
from seesay.models.graphs import text_graph
from seesay.models.vectors import normalize
from seesay.system.files import read_arrays, write_arrays
from seesay.tokenizers import Tokenizer
from seesay.tokenizers.spec import TokenizerSpec

CONFIG = BertConfig("bert", 384, 6, 12, 1536, 30522, 512, "gelu", 1e-12, "mean", "none")
SPEC = TokenizerSpec(context_length=256, pad_id=0, padding="longest")
BATCH = 128


def tokenizer_json() -> bytes:
    """The published tokenizer without its fixed padding and truncation, which SeeSay's TokenizerSpec decides."""
    spec = json.loads((sources.text_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    spec |= {"truncation": None, "padding": None}
    return json.dumps(spec, ensure_ascii=False, separators=(",", ":")).encode()


def vectors(texts: Iterable[str], work: Path) -> dict[str, np.ndarray]:
    """(384,) float32 for each text, and for all stored before."""
    file = work / "teacher" / "vectors.npz"
    stored = read_arrays(file)
    vectors_by_text = {} if stored is None else dict(zip(json.loads(stored["texts"].tobytes()), stored["vectors"], strict=True))
    missing = sorted(set(texts) - vectors_by_text.keys(), key=lambda text: (len(text), text))
    if missing:
        engine, tokenizer = _engine(work / "teacher"), Tokenizer(tokenizer_json(), SPEC)
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            vectors_by_text |= zip(part, normalize(engine.encode_tokens(tokenizer(part).ids)).astype(np.float16), strict=True)
            if start % (100 * BATCH) == 0:
                print(f"MiniLM's vectors: {start} of {len(missing)}", flush=True)
        names = np.frombuffer(json.dumps(list(vectors_by_text)).encode(), dtype=np.uint8)
        write_arrays(file, texts=names, vectors=np.stack(list(vectors_by_text.values())))
    return {text: row.astype(np.float32) for text, row in vectors_by_text.items()}


def _engine(folder: Path) -> OnnxEngine:
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(text_graph(CONFIG, CONFIG.width, sources.text_weights(), "int8"), folder / "text.onnx")
    return OnnxEngine(folder)
