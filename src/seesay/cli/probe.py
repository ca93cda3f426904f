"""`seesay probe`: trains a classifier on the vectors of a model."""

from seesay.cli.finetune import probe

__all__ = ["probe"]
