"""transformers' models of one tower: CLIPTextModel, CLIPVisionModel, and each with its projection.

They keep one tower of any model and drop the other.
"""

from dataclasses import replace

from torch import Tensor

from seesay.checkpoints.reader import Checkpoint
from seesay.compat.hf.attribute_dict import AttributeDict
from seesay.compat.hf.pretrained_model import PreTrainedModel
from seesay.errors import MissingCapability


class _TextTower(PreTrainedModel):
    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        super().__init__(checkpoint, threads)
        if self.config.text is None:
            raise MissingCapability(f"model {self.config.name!r} has no text tower: it encodes pictures only")
        if self._modules.pop("image", None) is not None:
            self.config = replace(self.config, image=None, image_spec=None)

    def _forward(self, input_ids: Tensor, attention_mask: Tensor | None) -> tuple[Tensor, list[Tensor], Tensor]:
        """-> the last hidden states (N, L, width), those of every block, and the pooled ones (N, width), not projected"""
        ids = self.checked_ids(input_ids if attention_mask is None else self.without_padding(input_ids, attention_mask))
        self.apply_threads()
        states = self.text.hidden_states(ids)
        return self.text.last_state(states), states, self.text.pool_states(states, ids)


class CLIPTextModel(_TextTower):
    """ids (N, L) -> last_hidden_state (N, L, width), pooler_output (N, width): before any projection.

    States at padding differ from those of transformers, which masks it there; no other state depends on them.
    """

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, output_hidden_states: bool = False
    ) -> AttributeDict:
        last, states, pooled = self._forward(input_ids, attention_mask)
        hidden = tuple(states) if output_hidden_states else None
        return AttributeDict(last_hidden_state=last, pooler_output=pooled, hidden_states=hidden)


class CLIPTextModelWithProjection(_TextTower):
    """ids (N, L) -> text_embeds (N, dim), not normalised, and last_hidden_state (N, L, width)"""

    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        super().__init__(checkpoint, threads)
        if self.config.text is not None and not self.config.text.projects:
            raise MissingCapability(
                f"the text tower of {self.config.name!r} has no projection; CLIPTextModel takes it as it is"
            )

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, output_hidden_states: bool = False
    ) -> AttributeDict:
        last, states, pooled = self._forward(input_ids, attention_mask)
        hidden = tuple(states) if output_hidden_states else None
        return AttributeDict(text_embeds=self.text.project(pooled), last_hidden_state=last, hidden_states=hidden)


class _VisionTower(PreTrainedModel):
    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        super().__init__(checkpoint, threads)
        _ = self.visual  # raises if there is none
        if self.config.image is None or not self.config.image.is_sequence:
            raise MissingCapability(
                f"the image tower of {self.config.name!r} is no ViT, which these classes are for; use CLIPModel"
            )
        if self._modules.pop("text", None) is not None:
            self.config, self.tokenizer = replace(self.config, text=None, tokenizer_spec=None), None

    def _forward(self, pixel_values: Tensor) -> tuple[list[Tensor], Tensor]:
        """-> hidden states (N, 1 + patches, width) of every block, and the pooled ones (N, width), not projected"""
        pixels = self.checked_pixels(pixel_values)
        self.apply_threads()
        states = self.image.hidden_states(pixels)
        return states, self.image.pool_states(states, pixels)


class CLIPVisionModel(_VisionTower):
    """pixels (N, 3, side, side) -> last_hidden_state (N, 1 + patches, width), pooler_output (N, width), before a projection"""

    def forward(self, pixel_values: Tensor, output_hidden_states: bool = False) -> AttributeDict:
        states, pooled = self._forward(pixel_values)
        hidden = tuple(states) if output_hidden_states else None
        return AttributeDict(last_hidden_state=states[-1], pooler_output=pooled, hidden_states=hidden)


class CLIPVisionModelWithProjection(_VisionTower):
    """pixels (N, 3, side, side) -> image_embeds (N, dim), not normalised, and last_hidden_state (N, 1 + patches, width)"""

    def __init__(self, checkpoint: Checkpoint, threads: int | None = None) -> None:
        super().__init__(checkpoint, threads)
        if self.config.image is not None and not self.config.image.projects:
            raise MissingCapability(
                f"the image tower of {self.config.name!r} has no projection; CLIPVisionModel takes it as it is"
            )

    def forward(self, pixel_values: Tensor, output_hidden_states: bool = False) -> AttributeDict:
        states, pooled = self._forward(pixel_values)
        hidden = tuple(states) if output_hidden_states else None
        return AttributeDict(image_embeds=self.image.project(pooled), last_hidden_state=states[-1], hidden_states=hidden)
