"""Checkpoints of the CLIP family in anybody's format: opened safely, told apart by their keys, accounted for key by key."""

from seesay.checkpoints.description import Said
from seesay.checkpoints.reader import Checkpoint, open_checkpoint

__all__ = ["Checkpoint", "Said", "open_checkpoint"]
