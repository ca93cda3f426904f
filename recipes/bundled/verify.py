"""The graphs against the original libraries on the same inputs; and the stored weights, read back into torch."""

from pathlib import Path
from typing import Any

import numpy as np

import seesay
from recipes.bundled import sources
from seesay.checkpoints.graph_weights import read_weights
from seesay.tasks.encoder import unit

TOLERANCE = 1e-5
TEXTS = ["a dog", "Sunset at the beach, with two people walking.", "naïve café", "", "word " * 300]


def against_originals(folder: Path, classes: np.ndarray, centre: np.ndarray) -> None:
    model = seesay.load(folder)
    pixels = np.random.default_rng(0).uniform(-1, 1, (4, 3, 260, 260)).astype(np.float32)
    _check("image", model.encode_pixels(pixels), unit(original_image(pixels, classes - centre)))
    ids = model.tokenizer(TEXTS).ids
    _check("text", unit(model.engine.encode_tokens(ids)), unit(original_text(ids) - centre))


def original_image(pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """EfficientNet-Lite2 as its package runs it, then ConSE in numpy."""
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    tower = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=str(sources.image_checkpoint())).eval()
    with torch.inference_mode():
        probabilities = tower(torch.from_numpy(pixels)).double().softmax(dim=1).numpy()
    return np.asarray(probabilities @ classes)


def original_text(ids: np.ndarray) -> np.ndarray:
    """MiniLM in transformers, mean over the tokens, unit length."""
    from transformers import AutoModel

    return _mean(AutoModel.from_pretrained(sources.text_folder()).eval(), ids)


def _mean(tower: Any, ids: np.ndarray) -> np.ndarray:
    import torch

    present = torch.from_numpy(ids != 0)
    with torch.inference_mode():
        hidden = tower(input_ids=torch.from_numpy(ids), attention_mask=present.long()).last_hidden_state
    weight = present.unsqueeze(-1).double()
    return unit(((hidden * weight).sum(dim=1) / weight.sum(dim=1)).numpy())


def torch_reads(folder: Path) -> None:
    """The stored graphs' weights, put into the original libraries' modules, give the stored graphs' vectors.

    The text graph rounds activations to 8 bits and torch does not, hence its wider tolerance.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet
    from transformers import BertConfig, BertModel

    model = seesay.load(folder)
    weights = {name: torch.from_numpy(value) for name, value in read_weights(folder / "image.onnx").items()}
    tower = EfficientNet.from_name("efficientnet-lite2").eval()
    with torch.no_grad():
        for ours, conv, norm in sources.folded_names():
            module = tower.get_submodule(norm)
            tower.get_submodule(conv).weight.copy_(weights[f"{ours}.weight"])
            module.weight.copy_((module.running_var + module.eps).sqrt())  # the norm was folded away: only its bias is left
            module.bias.copy_(weights[f"{ours}.bias"])
        tower._fc.weight.copy_(weights["classifier.weight"])
        tower._fc.bias.copy_(weights["classifier.bias"])
        pixels = np.random.default_rng(0).uniform(-1, 1, (4, 3, 260, 260)).astype(np.float32)
        theirs = tower(torch.from_numpy(pixels)).softmax(dim=1) @ weights["class_embedding"]
    _check("image, stored weights in torch", model.encode_pixels(pixels), unit(theirs.numpy()))

    weights = {name: torch.from_numpy(value) for name, value in read_weights(folder / "text.onnx").items()}
    bert = BertModel(BertConfig.from_pretrained(sources.text_folder()), add_pooling_layer=False).eval()
    state = bert.state_dict()
    state["embeddings.word_embeddings.weight"] = weights["embeddings.word.weight"]
    state["embeddings.position_embeddings.weight"] = weights["embeddings.position.weight"]
    state["embeddings.token_type_embeddings.weight"].zero_()  # folded into the positions
    for theirs_name, ours in sources.text_names().items():
        for part in ("weight", "bias"):
            state[f"{theirs_name}.{part}"] = weights[f"{ours}.{part}"]
    bert.load_state_dict(state)
    ids = model.tokenizer(TEXTS).ids
    stored = unit(model.engine.encode_tokens(ids))
    _check("text, stored weights in torch", stored, unit(_mean(bert, ids) - weights["centre"].numpy()), tolerance=0.02)


def _check(part: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float = TOLERANCE) -> None:
    worst = float(np.abs(ours - theirs).max())
    print(f"{part}: largest difference of unit embeddings {worst:.1e}")
    if not worst <= tolerance:
        raise SystemExit(f"{part}: {worst:.1e} is more than the tolerance {tolerance:.0e}")
