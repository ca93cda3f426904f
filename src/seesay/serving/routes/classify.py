"""Route: zero-shot classification of images among labels."""

import numpy as np
from fastapi import APIRouter

from seesay.model import Model
from seesay.serving.encoding import Rows
from seesay.serving.errors import fault_of
from seesay.serving.joined_engine import stacked
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import Classified, ClassifyAnswer, Score
from seesay.serving.schemas.requests import ClassifyRequest
from seesay.tasks.prompts import TEMPLATES, ensemble, filled

router = APIRouter(tags=["model"])


@router.post("/v1/classify", response_model_exclude_none=True)
async def classify(request: ClassifyRequest, service: ServiceDep) -> ClassifyAnswer:
    """How likely each label is for each picture, among these labels. In the order of the labels."""
    check_count("pictures", len(request.images), service.settings.pictures)
    # Counted before the prompts are made: a small body can ask for a million.
    templates = len(TEMPLATES) if request.templates is None else len(request.templates)
    check_count("texts (labels x templates)", len(request.labels) * templates, service.settings.texts)
    prompts = filled(request.labels, request.templates)
    async with service.admitted(service.encoder.cost(request.images) + len(prompts)) as deadline:
        texts = await service.encoder.encode(prompts, deadline, "label")
        images = await service.encoder.encode(request.images, deadline, "picture")
    classifier = ensemble(stacked(texts.rows), len(request.labels))
    results = _results(service.model, images.rows, classifier, request.labels)
    return ClassifyAnswer(score=service.model.logits.score, results=results)


def _results(model: Model, rows: Rows, classifier: np.ndarray, labels: list[str]) -> list[Classified]:
    """rows: per image its vector (D,) or why there is none; classifier (labels, D)."""
    results = []
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            results.append(Classified(index=index, error=fault_of(row)))
            continue
        shares = model.logits.probabilities(row[None] @ classifier.T)[0].tolist()
        scores = [Score(label=label, probability=share) for label, share in zip(labels, shares, strict=True)]
        results.append(Classified(index=index, scores=scores))
    return results
