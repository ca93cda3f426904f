"""OpenCLIP's `build_zero_shot_classifier`, with the prompt templates and class names of ImageNet."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seesay.compat.open_clip.model import CLIP
from seesay.errors import InputError
from seesay.tasks.prompts import imagenet_classes, named_templates

SIMPLE = (73, 7, 44, 69, 35, 67, 64)  # of the 80 templates, the seven that Radford et al. found to do nearly as well


class Template(str):
    """A prompt with {} where the label goes, which is called with the label, or formatted."""

    def __call__(self, label: str) -> str:
        return self.format(label)


OPENAI_IMAGENET_TEMPLATES = tuple(map(Template, named_templates("imagenet")))
SIMPLE_IMAGENET_TEMPLATES = tuple(OPENAI_IMAGENET_TEMPLATES[number] for number in SIMPLE)
IMAGENET_CLASSNAMES = imagenet_classes()


def build_zero_shot_classifier(
    model: CLIP,
    tokenizer: Callable[[list[str]], Tensor],
    classnames: Sequence[str],
    templates: Sequence[Callable[[str], str] | str],
    num_classes_per_batch: int | None = 10,
    device: str | torch.device = "cpu",
    use_tqdm: bool = False,
) -> Tensor:
    """-> (dim, classes): for each class the mean of its prompts' unit vectors, at unit length. `use_tqdm` shows nothing."""
    if isinstance(templates, str) or not len(templates) or isinstance(classnames, str) or not len(classnames):
        raise InputError("expected a list of at least one class name, and a list of at least one template")
    step, columns = num_classes_per_batch or len(classnames), []
    with torch.no_grad():
        for start in range(0, len(classnames), step):
            names = classnames[start : start + step]
            prompts = [
                template(name) if callable(template) else template.format(name) for name in names for template in templates
            ]
            vectors = model.encode_text(tokenizer(prompts).to(device), normalize=True)
            columns.append(F.normalize(vectors.view(len(names), len(templates), -1).mean(dim=1), dim=-1).T)
    return torch.cat(columns, dim=1)
