"""Fixtures of models that find things, from Hugging Face transformers: OWL-ViT and OWLv2 (boxes), CLIPSeg (masks)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    Owlv2Config,
    Owlv2ForObjectDetection,
    Owlv2ImageProcessor,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessor,
    ViTImageProcessor,
)

from tests.parity.fixtures import FIXTURES, Made, pixels, randomise, record, text_ids
from tests.parity.make_hugging_face import END, LENGTH, TEXT, VISION, VOCABULARY, tensor

MAJOR = transformers.__version__.split(".")[0]
SIZES = torch.tensor([[48, 64], [100, 30], [32, 32]])  # height and width of the pictures that boxes are scaled to


def fixture(make: Any) -> Any:
    FIXTURES[f"{make.__name__.replace('_', '-')}-{MAJOR}"] = make
    return make


def ids(pad: int) -> np.ndarray:
    return text_ids(VOCABULARY, LENGTH, first=END - 1, last=END, pad=pad)


def run(model: Any, clip: Any, folder: Path, x: np.ndarray, pad: int) -> Made:
    """The towers, as those of any CLIP."""

    def image(given: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden = clip.vision_model(given, output_hidden_states=True).hidden_states
        return tensor(clip.get_image_features(pixel_values=given)), list(hidden)

    def text(given: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        mask = (torch.arange(LENGTH) <= (given == END).int().argmax(dim=1, keepdim=True)).long()
        hidden = clip.text_model(given, output_hidden_states=True).hidden_states
        return tensor(clip.get_text_features(input_ids=given, attention_mask=mask)), list(hidden)

    return record(folder, model, image=image, text=text, scale=clip.logit_scale, ids=ids(pad), px=x, facts={"file": ""})


def add(folder: Path, found: dict[str, torch.Tensor | np.ndarray]) -> None:
    """Adds to the recorded numbers."""
    file = folder / "expected.npz"
    more = {name: np.asarray(value) for name, value in found.items()}
    np.savez_compressed(file, **dict(np.load(file)), **more)


def query_pixels(size: int) -> np.ndarray:
    return np.random.default_rng(9).standard_normal((3, 3, size, size)).astype(np.float32)


def find_boxes(folder: Path, model: Any, processor: Any, *, guided: bool) -> None:
    x, texts = torch.from_numpy(pixels(32)), torch.from_numpy(ids(0))
    with torch.no_grad():
        out = model(input_ids=texts.repeat(3, 1), pixel_values=x, attention_mask=(texts != 0).long().repeat(3, 1))
    found: dict[str, Any] = {"found.logits": out.logits, "found.boxes": out.pred_boxes, "found.classes": out.class_embeds}
    if hasattr(out, "objectness_logits"):
        found["found.objectness"] = out.objectness_logits
    found |= chosen("shown", processor.post_process_object_detection(out, threshold=0.1, target_sizes=SIZES))
    if guided:
        queries = torch.from_numpy(query_pixels(32))
        with torch.no_grad():
            out = model.image_guided_detection(pixel_values=x, query_pixel_values=queries)
        found |= {"guided.queries": queries, "guided.logits": out.logits, "guided.boxes": out.target_pred_boxes}
        found |= chosen(
            "guided",
            processor.post_process_image_guided_detection(out, threshold=0.6, nms_threshold=0.3, target_sizes=SIZES),
        )
    add(folder, found)


def chosen(name: str, results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """What is left after post-processing, of all pictures one after another."""
    assert len(results) == len(SIZES)
    assert sum(len(each["scores"]) for each in results) > 5
    kept = {
        f"{name}.pictures": np.repeat(np.arange(len(results)), [len(each["scores"]) for each in results]),
        f"{name}.scores": torch.cat([each["scores"] for each in results]).numpy(),
        f"{name}.kept": torch.cat([each["boxes"] for each in results]).numpy(),
    }
    if results[0]["labels"] is not None:
        kept[f"{name}.labels"] = torch.cat([each["labels"] for each in results]).numpy()
    return kept


def owl(folder: Path, kind: Any, config: Any, processor: Any, seed: int, *, guided: bool) -> Made:
    text = TEXT | {"hidden_act": "quick_gelu", "pad_token_id": 0}
    model = kind(config(text_config=text, vision_config=VISION | {"hidden_act": "quick_gelu"}, projection_dim=24)).eval()
    randomise(model, seed)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    made = run(model, model.owlvit if hasattr(model, "owlvit") else model.owlv2, folder, pixels(32), 0)
    find_boxes(folder, model, processor, guided=guided)
    return made


@fixture
def hf_owl_vit(folder: Path) -> Made:
    processor = OwlViTImageProcessor(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32})
    return owl(folder, OwlViTForObjectDetection, OwlViTConfig, processor, 101, guided=True)


@fixture
def hf_owl_v2(folder: Path) -> Made:
    """Version 4 chooses the object in a query picture by overlap, as for OWL-ViT; version 5 by objectness, and so do we."""
    processor = Owlv2ImageProcessor(size={"height": 32, "width": 32})
    return owl(folder, Owlv2ForObjectDetection, Owlv2Config, processor, 95, guided=MAJOR != "4")


def clipseg(folder: Path, seed: int, size: int, vision: dict[str, Any], **how: Any) -> Made:
    text = TEXT | {"hidden_act": "quick_gelu"}
    vision = VISION | {"hidden_act": "quick_gelu"} | vision
    decoder = {"reduce_dim": 12, "decoder_num_attention_heads": 3, "decoder_intermediate_size": 20}
    config = CLIPSegConfig(text_config=text, vision_config=vision, projection_dim=24, **decoder, **how)
    model = CLIPSegForImageSegmentation(config).eval()
    randomise(model, seed)
    model.save_pretrained(folder)
    ViTImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    made = run(model, model.clip, folder, pixels(size), END)
    x, texts = torch.from_numpy(pixels(size)), torch.from_numpy(ids(END))
    queries = torch.from_numpy(query_pixels(size))
    with torch.no_grad():
        masks = [model(pixel_values=x, input_ids=each.repeat(3, 1)).logits for each in texts]
        guided = model(pixel_values=x, conditional_pixel_values=queries).logits  # a query for each picture
    add(folder, {"masks": torch.stack(masks, dim=1), "guided.queries": queries, "guided.masks": guided})
    return made


@fixture
def hf_clipseg(folder: Path) -> Made:
    return clipseg(folder, 93, 48, {}, extract_layers=[0, 1])


@fixture
def hf_clipseg_fine(folder: Path) -> Made:
    """Three convolutions, the query after the first block of the decoder, and as many patches as positions."""
    vision = {"patch_size": 16, "num_hidden_layers": 3, "layer_norm_eps": 1e-3}
    fine = {"extract_layers": [0, 2], "conditional_layer": 1, "use_complex_transposed_convolution": True}
    return clipseg(folder, 94, 32, vision, **fine)
