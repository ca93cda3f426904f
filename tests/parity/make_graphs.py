"""Makes tiny repositories of ONNX graphs in the layouts of transformers.js and immich, and what the exported models compute.

    PYTHONPATH=src python -m tests.parity.make_graphs [OUT]

runs where the libraries of requirements-parity.txt are. Per layout OUT/NAME/ gets the files of such a repository, every weight
random, and `expected.npz` of the torch model: unit vectors of pixels, of one picture, and of texts as its own library prepares
them; the ids of these texts, and the scale and bias of its cosines.
"""

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import open_clip
import torch
import torch.nn.functional as F
import transformers
from onnxruntime.quantization import QuantType, quantize_dynamic
from PIL import Image
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn

from tests.parity.fixtures import randomise

GRAPHS = Path(__file__).parent / "data" / "graphs"
PX, DIM = 32, 16
TEXTS = ["a red dog", "two cats on a mat by the sea, and a boat", "A", "Caf\u00e9 & <b>crême</b>"]
LAYERS = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 24}
Encode = Callable[[torch.Tensor], torch.Tensor]


class Call(nn.Module):
    """A function of a model as a module, which the exporter needs."""

    def __init__(self, model: nn.Module, call: Callable[..., Any]) -> None:
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.call(*inputs)


def export(
    file: Path, model: nn.Module, call: Callable[..., Any], inputs: dict[str, Any], outputs: list[str], axes: Any = None
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Call(model, call).eval(),
            tuple(inputs.values()),
            str(file),
            input_names=[*inputs],
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )
    graph = onnx.load(file)
    graph.doc_string = ""
    for node in graph.graph.node:
        node.ClearField("doc_string")
    onnx.save(graph, file)


def picture() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (40, 56, 3), dtype=np.uint8)


def pixels() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(6).standard_normal((3, 3, PX, PX)).astype(np.float32))


def record(
    folder: Path, image: Encode, text: Encode, ids: Any, prepared: torch.Tensor, scale: float, bias: float | None
) -> None:
    ids = torch.as_tensor(np.asarray(ids))
    with torch.no_grad():
        vectors = {
            "image": F.normalize(image(pixels()), dim=-1),
            "text": F.normalize(text(ids), dim=-1),
            "picture": F.normalize(image(prepared), dim=-1),
        }
    arrays: dict[str, Any] = {name: vector.numpy() for name, vector in vectors.items()}
    if bias is not None:
        arrays["bias"] = np.float32(bias)
    arrays |= {"ids": ids.numpy(), "prepared": prepared.numpy(), "scale": np.float32(scale)}
    np.savez_compressed(folder / "expected.npz", **arrays)
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder.name}: {total / 1e3:.0f} kB")


# Tokenizers, each with a vocabulary of characters


def clip_tokenizer(folder: Path, length: int) -> Any:
    from seesay.tokenizers.from_files import byte_alphabet

    letters = list(byte_alphabet().values())
    pieces = [*letters, *(letter + "</w>" for letter in letters), "do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nd o\ndo g</w>\n")
    made = transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=length)
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").unlink()
    made.save_pretrained(folder)
    return made


def unigram_tokenizer(folder: Path, length: int, *, first: str | None, end: str, pad: str, lower: bool) -> Any:
    specials = list(dict.fromkeys([first or end, pad, end, "<unk>"]))
    letters = [chr(code) for code in range(33, 127)] + ["\u2581", "\u00e9", "\u00ea", "\u2581dog", "\u2581the", "at"]
    pieces = [(piece, 0.0) for piece in specials] + [(piece, -float(len(letters)) / len(piece)) for piece in letters]
    backend = Tokenizer(models.Unigram(pieces, unk_id=specials.index("<unk>")))
    backend.normalizer = normalizers.Lowercase() if lower else normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    template = f"{first} $A {end}" if first else f"$A {end}"
    ids = [(token, specials.index(token)) for token in dict.fromkeys([*([first] if first else []), end])]
    backend.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token=end, pad_token=pad, unk_token="<unk>", model_max_length=length, padding_side="right"
    )
    made.save_pretrained(folder)
    return made


def bert_tokenizer(folder: Path) -> Any:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *map(chr, range(33, 127)),
        *(f"##{chr(c)}" for c in range(97, 123)),
        "dog",
    ]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    made = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)
    (folder / "vocab.txt").unlink()
    made.save_pretrained(folder)
    return made


# transformers.js: as optimum exports

SEQUENCE = {0: "text_batch_size", 1: "sequence_length"}
PICTURES = {0: "image_batch_size", 1: "num_channels", 2: "height", 3: "width"}


def save_description(folder: Path, model: Any, processor: Any) -> None:
    model.config.save_pretrained(folder)
    processor.save_pretrained(folder)


def processed(processor: Any) -> torch.Tensor:
    made: torch.Tensor = processor(Image.fromarray(picture()), return_tensors="pt")["pixel_values"]
    return made


def vector(output: Any) -> torch.Tensor:
    """transformers 5 wraps what version 4 returned."""
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def clip(folder: Path) -> None:
    tokenizer = clip_tokenizer(folder, 20)
    end = tokenizer.eos_token_id
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 20, "eos_token_id": end, "bos_token_id": end - 1}
    vision = {**LAYERS, "image_size": PX, "patch_size": 16}
    shared = {"projection_dim": DIM}
    model = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text | shared, vision_config=vision | shared, **shared, attn_implementation="eager")
    )
    randomise(model, 61)
    model.eval()
    processor = transformers.CLIPImageProcessorPil(size={"shortest_edge": 36}, crop_size={"height": PX, "width": PX})
    save_description(folder, model, processor)
    image = lambda x: vector(model.get_image_features(pixel_values=x))  # noqa: E731
    encode = lambda x: vector(model.get_text_features(input_ids=x))  # noqa: E731
    ids = tokenizer(TEXTS, padding="longest", truncation=True)["input_ids"]
    export(
        folder / "onnx/vision_model.onnx",
        model,
        image,
        {"pixel_values": pixels()},
        ["image_embeds"],
        {"pixel_values": PICTURES},
    )
    axes = {"input_ids": SEQUENCE}
    export(folder / "onnx/text_model.onnx", model, encode, {"input_ids": torch.tensor(ids)}, ["text_embeds"], axes)
    for name in ("vision_model", "text_model"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_dynamic(folder / f"onnx/{name}.onnx", folder / f"onnx/{name}_quantized.onnx", weight_type=QuantType.QUInt8)
    record(folder, image, encode, ids, processed(processor), float(model.logit_scale.exp()), None)


def siglip(folder: Path) -> None:
    tokenizer = unigram_tokenizer(folder, 16, first=None, end="</s>", pad="</s>", lower=True)
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 16}
    vision = {**LAYERS, "image_size": PX, "patch_size": 16}
    model = transformers.SiglipModel(
        transformers.SiglipConfig(text_config=text, vision_config=vision, attn_implementation="eager")
    )
    randomise(model, 62)
    model.eval()
    half = [0.5, 0.5, 0.5]
    processor = transformers.SiglipImageProcessorPil(size={"height": PX, "width": PX}, image_mean=half, image_std=half)
    save_description(folder, model, processor)
    image = lambda x: vector(model.get_image_features(pixel_values=x))  # noqa: E731
    encode = lambda x: vector(model.get_text_features(input_ids=x))  # noqa: E731
    ids = tokenizer(TEXTS, padding="max_length", truncation=True)["input_ids"]
    axes = {"pixel_values": PICTURES}
    export(folder / "onnx/vision_model.onnx", model, image, {"pixel_values": pixels()}, ["pooler_output"], axes)
    axes = {"input_ids": SEQUENCE}
    export(folder / "onnx/text_model.onnx", model, encode, {"input_ids": torch.tensor(ids)}, ["pooler_output"], axes)
    record(folder, image, encode, ids, processed(processor), float(model.logit_scale.exp()), float(model.logit_bias))


def chinese_clip(folder: Path) -> None:
    tokenizer = bert_tokenizer(folder)
    text = {**LAYERS, "vocab_size": len(tokenizer), "max_position_embeddings": 512, "pad_token_id": 0}
    vision = {**LAYERS, "image_size": PX, "patch_size": 16, "projection_dim": DIM}
    config = transformers.ChineseCLIPConfig(
        text_config=text, vision_config=vision, projection_dim=DIM, attn_implementation="eager"
    )
    model = transformers.ChineseCLIPModel(config)
    randomise(model, 63)
    model.eval()
    processor = transformers.ChineseCLIPImageProcessorPil(size={"height": PX, "width": PX}, do_center_crop=False)
    save_description(folder, model, processor)
    tokens = tokenizer(TEXTS, padding="longest", truncation=True, max_length=52, return_tensors="pt")
    mask = tokens["attention_mask"]

    def both(ids: torch.Tensor, pictures: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        out = model(input_ids=ids, pixel_values=pictures, attention_mask=mask)
        return out.logits_per_image, out.logits_per_text, out.text_embeds, out.image_embeds

    inputs = {"input_ids": tokens["input_ids"], "pixel_values": pixels(), "attention_mask": mask}
    axes = {"input_ids": SEQUENCE, "attention_mask": SEQUENCE, "pixel_values": PICTURES}
    outputs = ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
    export(folder / "onnx/model.onnx", model, both, inputs, outputs, axes)
    image = lambda x: vector(model.get_image_features(pixel_values=x))  # noqa: E731
    encode = lambda x: vector(model.get_text_features(input_ids=x, attention_mask=mask))  # noqa: E731
    record(folder, image, encode, tokens["input_ids"], processed(processor), float(model.logit_scale.exp()), None)


# immich: one picture or one text at a time, unit vectors

PREPROCESS = {
    "size": [PX, PX],
    "mode": "RGB",
    "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}


def immich_visual(folder: Path, model: Any, config: Any) -> torch.Tensor:
    """Writes the files that do not depend on the text tower; returns the prepared picture."""
    inputs = {"image": torch.randn(1, 3, PX, PX)}
    export(folder / "visual/model.onnx", model, lambda x: model.encode_image(x, normalize=True), inputs, ["embedding"])
    (folder / "visual/preprocess_cfg.json").write_text(json.dumps(PREPROCESS))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "visual/model.armnn").write_bytes(b"for another engine")
    settings = open_clip.transform.PreprocessCfg(**PREPROCESS)
    made: torch.Tensor = open_clip.transform.image_transform_v2(settings, is_train=False)(Image.fromarray(picture()))[None]
    return made


def open_clip_config(vocabulary: int) -> dict[str, Any]:
    vision = {"image_size": PX, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8}
    text = {"context_length": 20, "vocab_size": vocabulary, "width": 16, "heads": 2, "layers": 1}
    return {"embed_dim": DIM, "vision_cfg": vision, "text_cfg": text}


def immich(folder: Path) -> None:
    (folder / "textual").mkdir()
    tokenizer = clip_tokenizer(folder / "textual", 20)
    config = open_clip_config(len(tokenizer))
    model = open_clip.model.CLIP(**config)
    randomise(model, 64)
    model.eval()
    prepared = immich_visual(folder, model, config)
    ids = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=20)["input_ids"]
    inputs = {"text": torch.ones(1, 20, dtype=torch.int32)}
    export(folder / "textual/model.onnx", model, lambda x: model.encode_text(x, normalize=True), inputs, ["embedding"])
    record(folder, model.encode_image, model.encode_text, ids, prepared, float(model.logit_scale.exp()), None)


class MultilingualText(nn.Module):
    """M-CLIP's text tower: the mean of an XLM-R, then a linear layer."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.transformer = transformers.XLMRobertaModel(config, add_pooling_layer=False)
        self.LinearTransformation = nn.Linear(config.hidden_size, DIM)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.transformer(ids, mask)[0]
        mean = (states * mask.unsqueeze(2)).sum(dim=1) / mask.sum(dim=1)[:, None]
        return F.normalize(self.LinearTransformation(mean), dim=-1)


def immich_mclip(folder: Path) -> None:
    (folder / "textual").mkdir()
    tokenizer = unigram_tokenizer(folder / "textual", 512, first="<s>", end="</s>", pad="<pad>", lower=False)
    config = open_clip_config(600)  # describes the text tower that M-CLIP's replaces
    images = open_clip.model.CLIP(**config)
    texts = MultilingualText(
        transformers.XLMRobertaConfig(
            **LAYERS, vocab_size=len(tokenizer), max_position_embeddings=80, pad_token_id=1, attn_implementation="eager"
        )
    )
    randomise(images, 65)
    randomise(texts, 66)
    images.eval()
    texts.eval()
    prepared = immich_visual(folder, images, config)
    tokens = tokenizer(TEXTS, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    ones = torch.ones(1, 77, dtype=torch.int32)
    export(folder / "textual/model.onnx", texts, texts, {"input_ids": ones, "attention_mask": ones.clone()}, ["embedding"])
    mask = tokens["attention_mask"]
    record(folder, images.encode_image, lambda x: texts(x, mask), tokens["input_ids"], prepared, 1.0, None)


MAKERS = {"clip": clip, "siglip": siglip, "chinese-clip": chinese_clip, "immich": immich, "immich-mclip": immich_mclip}


def main() -> None:
    torch.backends.mha.set_fastpath_enabled(False)
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else GRAPHS
    for number, (name, make) in enumerate(MAKERS.items()):
        torch.manual_seed(number)
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)


if __name__ == "__main__":
    main()
