"""Hugging Face's CLIP classes: CLIPModel, its towers, CLIPProcessor, CLIPTokenizerFast, their Chinese-CLIP and Auto names.

    from seesay.compat.hf import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained("openai/clip-vit-base-patch32")   # also a folder, "bundled", any name in the catalogue
    processor = CLIPProcessor.from_pretrained("openai/clip-vit-base-patch32")

get_text_features and get_image_features return tensors, as in transformers 4. A name in the catalogue means the weights that
the authors published, with the preprocessing and the tokenizer that they were trained with; those of transformers crop some
images a pixel elsewhere and leave broken Unicode as it is.
"""

from seesay.compat.hf.config import CLIPConfig
from seesay.compat.hf.model import AutoModel, CLIPModel
from seesay.compat.hf.processors import AutoProcessor, CLIPImageProcessor, CLIPProcessor, CLIPTokenizerFast
from seesay.compat.hf.tower_models import (
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)
from seesay.compat.missing_names import missing_names

__all__ = [
    "AutoConfig",
    "AutoImageProcessor",
    "AutoModel",
    "AutoProcessor",
    "AutoTokenizer",
    "CLIPConfig",
    "CLIPImageProcessor",
    "CLIPModel",
    "CLIPProcessor",
    "CLIPTextModel",
    "CLIPTextModelWithProjection",
    "CLIPTokenizer",
    "CLIPTokenizerFast",
    "CLIPVisionModel",
    "CLIPVisionModelWithProjection",
    "ChineseCLIPConfig",
    "ChineseCLIPImageProcessor",
    "ChineseCLIPModel",
    "ChineseCLIPProcessor",
    "ChineseCLIPVisionModel",
]
__getattr__ = missing_names(__name__, "transformers", __all__)

AutoConfig = ChineseCLIPConfig = CLIPConfig
ChineseCLIPModel = CLIPModel
ChineseCLIPVisionModel = CLIPVisionModel
ChineseCLIPProcessor = CLIPProcessor
AutoTokenizer = CLIPTokenizer = CLIPTokenizerFast
AutoImageProcessor = ChineseCLIPImageProcessor = CLIPImageProcessor
