"""The losses of training, by name: functions over a batch's vectors, each a scalar with gradients.

Image i and text i of a batch are a pair. Vectors have unit length; that is not checked, since the check would cost a pass over
them. The losses over all pairs never hold all logits (`tiles`); they compute in float32, under autocast too, and in float64 for
float64 vectors. Gradients of gradients are not offered.

A new loss is a file here with its `LOSS`, and one line in a table below: recipes name it, the model that they train gets its
scale, bias and score, and the objective calls it.
"""

from seesay.training.losses import embedding, infonce, interactive, sigmoid, similarity
from seesay.training.losses.classification import class_loss
from seesay.training.losses.embedding import embedding_distillation
from seesay.training.losses.infonce import info_nce
from seesay.training.losses.interactive import interactive_distillation
from seesay.training.losses.registry import Registry
from seesay.training.losses.sigmoid import sigmoid_loss
from seesay.training.losses.similarity import similarity_distillation

__all__ = [
    "CONTRASTIVE",
    "DISTILLATION",
    "class_loss",
    "embedding_distillation",
    "info_nce",
    "interactive_distillation",
    "sigmoid_loss",
    "similarity_distillation",
]

# `loss.kind` of a recipe
CONTRASTIVE = Registry(
    (
        infonce.LOSS,
        sigmoid.LOSS,
    )
)
# `loss.distillation.kind`
DISTILLATION = Registry(
    (
        similarity.LOSS,
        embedding.LOSS,
        interactive.LOSS,
    )
)
