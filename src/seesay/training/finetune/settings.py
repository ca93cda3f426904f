"""The settings of a fine-tuning, as `seesay finetune` takes them; None is the method's own value."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from seesay.system.schema import Bounded, Bounds

Method = Literal["lora", "full", "probe"]
Count = Annotated[int, Bounds(least=1)]
Positive = Annotated[float, Bounds(above=0)]


@dataclass(frozen=True, kw_only=True)
class FineTuning(Bounded):
    """model: a name or path. data: a table of pictures with labels, or with captions; or a folder that has one of pictures for
    each class. out: the result's folder. val: a table or folder of held-out pictures; without it a part of `data` is held out.
    images, label_column, names: as for `seesay eval zero-shot`.

    method "lora": changes of low rank beside layers; "full": the layers themselves; "probe": a classifier on the vectors, which
    leaves the model as it is. loss: "classes", cross-entropy over prompts of all classes, or "contrast" within each batch.
    others: a folder or table of other pictures, without labels, at which the model stays as it is; without it everyday ones
    that come with SeeSay. anchor: how strongly, 0 for not at all. With captions there are no anchors.
    """

    model: str = "bundled"
    data: Path
    out: Path
    method: Method = "lora"
    val: Path | None = None
    images: Path | None = None
    label_column: str = "label"
    names: Path | None = None
    loss: Literal["classes", "contrast"] | None = None
    others: Path | None = None
    anchor: Annotated[float, Bounds(least=0)] = 10.0
    epochs: Positive | None = None
    learning_rate: Positive | None = None
    batch: Annotated[int, Bounds(least=2)] = 32
    rank: Count = 8
    patience: Count = 3
    seed: Annotated[int, Bounds(least=0)] = 0
    threads: Count | None = None
