"""`CheckedClip`: a model in torch that checks its input tensors and says what is wrong with them."""

import torch
from torch import Tensor, nn

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.processors import Preprocess, TextTokenizer
from seesay.engines.threads import Threads
from seesay.errors import InputError, MissingCapability
from seesay.models.clip import Clip
from seesay.tokenizers.vocabulary import PIECES


class CheckedClip(Clip):
    """Base of the three packages' models. Its state_dict has SeeSay's names; `config` is SeeSay's ModelConfig.

    `threads`: of torch on a CPU, by default as many as there are free cores (`engines.threads`).
    """

    ids_source = "the model's own tokenizer"  # for messages: where correct ids come from

    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        policy = Threads(threads)
        clip = checkpoint.model()
        with torch.device("meta"):
            super().__init__(clip.config)
        self.threads = policy
        self.load_state_dict(clip.state_dict(), assign=True)
        spec = clip.config.tokenizer_spec
        self.tokenizer = None if spec is None else TextTokenizer(checkpoint.tokenizer(), spec, clip.config.name)
        if clip.config.image is not None:
            side = clip.config.image.image_px
            self.visual.__dict__.update(input_resolution=side, image_size=(side, side), output_dim=clip.config.dim)

    @property
    def visual(self) -> nn.Module:
        """The image tower, with the image's side under OpenAI's name and OpenCLIP's. Raises MissingCapability."""
        tower = self._modules.get("image")
        if tower is None:
            raise MissingCapability(f"model {self.config.name!r} has no image tower: it encodes texts only")
        return tower

    @property
    def preprocess(self) -> Preprocess:
        """The model's own preprocessing."""
        assert self.config.image_spec is not None, "an image tower never comes without its preprocessing"
        return Preprocess(self.config.image_spec)

    @property
    def context_length(self) -> int:
        """Tokens that texts are padded to; 0 for a model without texts."""
        return 0 if self.tokenizer is None else self.tokenizer.context

    @property
    def vocab_size(self) -> int:
        """Number of ids; 0 for a model without texts."""
        return 0 if self.config.text is None else self.config.text.vocabulary

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the parameters."""
        return self.logit_scale.dtype

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.logit_scale.device

    def project_image(self, pixels: Tensor) -> Tensor:
        """pixels (B, 3, side, side) -> raw projections (B, dim). Raises InputError, MissingCapability."""
        tower, pixels = self.visual, self.checked_pixels(pixels)
        self.apply_threads()
        return tower(pixels)  # type: ignore[no-any-return]

    def project_text(self, ids: Tensor) -> Tensor:
        """ids (B, L) -> raw projections (B, dim). Raises InputError, MissingCapability."""
        ids = self.checked_ids(ids)  # first, since a model without texts has no `text`
        self.apply_threads()
        return self.text(ids)  # type: ignore[no-any-return]

    def apply_threads(self) -> None:
        """Sets torch's threads for a forward pass on the CPU."""
        if self.device.type == "cpu":
            self.threads.apply()

    def checked_pixels(self, pixels: Tensor) -> Tensor:
        """The pixels in the model's dtype. Raises InputError for what this model's preprocessing cannot have made."""
        side = self.visual.input_resolution
        if pixels.ndim != 4 or not len(pixels) or pixels.shape[1:] != (3, side, side) or not pixels.is_floating_point():
            raise InputError(
                f"model {self.config.name!r} takes pixels (N, 3, {side}, {side}) as floats, got {tuple(pixels.shape)} "
                f"{pixels.dtype}. Make them with this model's own preprocess; of one picture: preprocess(picture).unsqueeze(0)",
                parameter="image",
                expected=f"pixels (N, 3, {side}, {side}) as floats",
                got=f"{tuple(pixels.shape)} {pixels.dtype}",
            )
        return pixels.to(self.dtype)

    def checked_ids(self, ids: Tensor) -> Tensor:
        """The ids as int64. Raises InputError for what cannot be ids of this model's vocabulary."""
        if self.config.text is None:
            raise MissingCapability(f"model {self.config.name!r} has no text tower: it encodes pictures only")
        if ids.ndim != 2 or not ids.numel() or ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
            fault: str | None = f"expected token ids (N, L) as whole numbers, got {tuple(ids.shape)} {ids.dtype}"
        else:
            fault = self._foreign_ids(ids)
        if fault is not None:
            raise InputError(
                f"{fault}. Make the ids for model {self.config.name!r} with {self.ids_source}", parameter="text", got=ids
            )
        return ids.long()

    def _foreign_ids(self, ids: Tensor) -> str | None:
        """How ids (N, L) show that they come from another vocabulary, or are truncated or padded as this model's never are."""
        text, spec, tokenizer = self.config.text, self.config.tokenizer_spec, self.tokenizer
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
        if text.vocabulary != PIECES["clip"] and tokenizer is not None and tokenizer.vocabulary is not None:
            start = tokenizer.start_id
            if start is not None and start < text.vocabulary and not bool((ids[:, 0] == start).all()):
                return f"every text begins with the id {start}, got {int(ids[ids[:, 0] != start][0, 0])}"
        return None


def default_device() -> str:
    """The first GPU if there is one, else the CPU, as the original packages choose."""
    return "cuda" if torch.cuda.is_available() else "cpu"
