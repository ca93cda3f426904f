"""Configuration of CLIPSeg's image tower."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from seesay.errors import InputError
from seesay.models.families.vit.config import VitConfig
from seesay.models.fields import Size, check_heads
from seesay.system.schema import Bounded


@dataclass(frozen=True)
class DecoderConfig(Bounded):
    """CLIPSeg's decoder (Lüddecke & Ecker 2022): post-norm blocks over what chosen blocks of the tower give.

    blocks: numbers of these, from 0. query_at: the block of the decoder before which the query changes the tokens (FiLM).
    convolutions: one transposed convolution from tokens to pixels, or three convolutions, which draw finer.
    """

    blocks: tuple[int, ...]
    width: Size
    heads: Size
    mlp_width: Size
    query_at: int = 0
    convolutions: Literal[1, 3] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_heads(self.width, self.heads)
        if not self.blocks or not 0 <= self.query_at < len(self.blocks):
            raise InputError(f"expected blocks, and a query before one of them, got {self.blocks} and {self.query_at}")


@dataclass(frozen=True)
class ClipSegConfig(VitConfig):
    """CLIP's Vision Transformer and a decoder that makes a mask of its tokens and the vector of a text or a picture.

    positions_px: side in pixels of the pictures that the learned positions are for; those of `image_px` are interpolated.
    """

    overridable: ClassVar[frozenset[str]] = frozenset()
    finds: ClassVar[Literal["masks"]] = "masks"

    kind: Literal["clipseg"]  # type: ignore[assignment]
    positions_px: Size = 224
    decoder: DecoderConfig = DecoderConfig((3, 6, 9), 64, 4, 2048)

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.decoder.blocks) >= self.depth or min(self.decoder.blocks) < 0:
            raise InputError(f"expected blocks of the decoder below {self.depth}, got {self.decoder.blocks}")
        if self.image_px % self.patch_px or self.positions_px < self.patch_px:
            raise InputError(f"expected an image_px of whole patches of {self.patch_px} pixels, got {self.image_px}")
        if self.decoder.convolutions == 3 and self.patch_px != 16:  # the published code draws a quarter of a patch twice
            raise InputError(f"expected patches of 16 pixels for three convolutions, got {self.patch_px}")

    @property
    def has_dense(self) -> bool:
        return False

    def further_outputs(self, dim: int) -> dict[str, list[int]]:
        return {"masks": [self.image_px, self.image_px]}

    @property
    def positions_grid(self) -> int:
        """Patches of a side of the grid that the learned positions are for."""
        return self.positions_px // self.patch_px
