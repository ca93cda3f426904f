"""`Towers`: a model in torch that says at its door what is wrong with a tensor, instead of computing nonsense."""

import torch
from torch import Tensor, nn

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.inputs import Preprocess, Words
from seesay.engines.threads import Threads
from seesay.errors import InputError, MissingCapability
from seesay.models.clip import Clip
from seesay.tokenizers.vocabulary import PIECES


class Towers(Clip):
    """What the three packages' models have in common. Its state_dict has SeeSay's names; `config` is SeeSay's ModelConfig."""

    ids_come_from = "the model's own tokenizer"

    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        """threads: of torch on a CPU, by default as many as there are free cores (`engines.threads`)."""
        said = Threads(threads)
        clip = checkpoint.model()
        with torch.device("meta"):
            super().__init__(clip.config)
        self.threads = said
        self.load_state_dict(clip.state_dict(), assign=True)
        spec = clip.config.tokenizer_spec
        self.words = None if spec is None else Words(checkpoint.tokenizer(), spec, clip.config.name)
        if clip.config.image is not None:
            side = clip.config.image.image_px
            self.visual.__dict__.update(input_resolution=side, image_size=(side, side), output_dim=clip.config.dim)

    @property
    def visual(self) -> nn.Module:
        """The image tower, with its picture's side under OpenAI's name and OpenCLIP's."""
        tower = self._modules.get("image")
        if tower is None:
            raise MissingCapability(f"model {self.config.name!r} has no image tower: it encodes texts only")
        return tower

    @property
    def preprocess(self) -> Preprocess:
        assert self.config.image_spec is not None, "an image tower never comes without its preprocessing"
        return Preprocess(self.config.image_spec)

    @property
    def context_length(self) -> int:
        return 0 if self.words is None else self.words.context

    @property
    def vocab_size(self) -> int:
        return 0 if self.config.text is None else self.config.text.vocabulary

    @property
    def dtype(self) -> torch.dtype:
        return self.logit_scale.dtype

    @property
    def device(self) -> torch.device:
        return self.logit_scale.device

    def pictures(self, image: Tensor) -> Tensor:
        """pixels (B, 3, side, side) -> raw projections (B, dim)"""
        tower, pixels = self.visual, self.checked_pixels(image)
        self.share_cores()
        return tower(pixels)  # type: ignore[no-any-return]

    def checked_pixels(self, image: Tensor) -> Tensor:
        """The pixels in the model's dtype. Raises InputError for what this model's preprocessing cannot have made."""
        side = self.visual.input_resolution
        if image.ndim != 4 or not len(image) or image.shape[1:] != (3, side, side) or not image.is_floating_point():
            raise InputError(
                f"model {self.config.name!r} takes pixels (N, 3, {side}, {side}) as floats, got {tuple(image.shape)} "
                f"{image.dtype}. Make them with this model's own preprocess; of one picture: preprocess(picture).unsqueeze(0)"
            )
        return image.to(self.dtype)

    def texts(self, ids: Tensor) -> Tensor:
        """ids (B, L) -> raw projections (B, dim)"""
        known = self.checked(ids)  # first, since a model without texts has no `text`
        self.share_cores()
        return self.text(known)  # type: ignore[no-any-return]

    def share_cores(self) -> None:
        if self.device.type == "cpu":
            self.threads.apply()

    def checked(self, ids: Tensor) -> Tensor:
        """The ids as int64. Raises InputError for what cannot be ids of this model's vocabulary."""
        if self.config.text is None:
            raise MissingCapability(f"model {self.config.name!r} has no text tower: it encodes pictures only")
        if ids.ndim != 2 or not ids.numel() or ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
            fault: str | None = f"expected token ids (N, L) as whole numbers, got {tuple(ids.shape)} {ids.dtype}"
        else:
            fault = self._fault(ids)
        if fault is not None:
            raise InputError(f"{fault}. Make the ids for model {self.config.name!r} with {self.ids_come_from}")
        return ids.long()

    def _fault(self, ids: Tensor) -> str | None:
        """What shows that these are another vocabulary's ids, or cut or padded as this model's never are."""
        text, spec, words = self.config.text, self.config.tokenizer_spec, self.words
        assert text is not None
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= text.vocabulary:
            return f"the vocabulary has ids 0 to {text.vocabulary - 1}, got {low} to {high}"
        if text.max_tokens is not None and ids.shape[1] > text.max_tokens:
            return f"the text tower takes at most {text.max_tokens} tokens, got {ids.shape[1]}"
        if spec is not None and spec.padding == "context" and ids.shape[1] != spec.context_length:
            return f"the text tower takes exactly {spec.context_length} tokens, padding included, got {ids.shape[1]}"
        if text.end_id is not None and not bool((ids == text.end_id).any(dim=1).all()):
            return f"every text ends with the id {text.end_id}, which some row lacks"
        if text.vocabulary != PIECES["clip"] and words is not None and words.vocabulary is not None:
            first = words.first
            if first is not None and first < text.vocabulary and not bool((ids[:, 0] == first).all()):
                return f"every text begins with the id {first}, got {int(ids[ids[:, 0] != first][0, 0])}"
        return None


def default_device() -> str:
    """As the originals choose it."""
    return "cuda" if torch.cuda.is_available() else "cpu"
