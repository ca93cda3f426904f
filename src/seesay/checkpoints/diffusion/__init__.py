"""Reads the text encoders that lie in image generators' files, and says what else is in them."""

from seesay.checkpoints.diffusion.text_encoder import TextEncoderFile
from seesay.checkpoints.diffusion.text_encoders import text_encoders

__all__ = ["TextEncoderFile", "text_encoders"]
