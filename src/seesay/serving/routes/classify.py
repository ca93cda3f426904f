"""Route: zero-shot classification of images among labels."""

import numpy as np
from fastapi import APIRouter

from seesay.serving.encoding import Rows
from seesay.serving.errors import fault_of
from seesay.serving.joined_engine import stacked
from seesay.serving.photos.uploads import check_count
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.requests import ClassifyRequest
from seesay.serving.schemas.task_answers import Classified, ClassifyAnswer, Score
from seesay.tasks.prompts import count
from seesay.tasks.zero_shot import Classifier, label_prompts, none_of_these

router = APIRouter(tags=["model"])


@router.post("/v1/classify", response_model_exclude_none=True)
async def classify(request: ClassifyRequest, service: ServiceDep) -> ClassifyAnswer:
    """How likely each label is for each picture, among these labels. In the order of the labels."""
    check_count("pictures", len(request.images), service.settings.pictures)
    labels, templates = request.made_labels(), request.made_templates()
    # Counted before the prompts are made: a small body can ask for a million.
    texts = sum(len(label.names) for label in labels) * count(templates)
    check_count("texts (labels x templates)", texts, service.settings.texts)
    prompts = label_prompts(labels, templates)
    async with service.admitted(service.encoder.cost(request.images, request.frames) + len(prompts)) as deadline:
        encoded = await service.encoder.encode(prompts, deadline, "label")
        images = await service.encoder.encode(request.images, deadline, "picture", request.frames)
        phrases = await service.phrases() if request.none else None
    classifier = Classifier.of_prompts(labels, stacked(encoded.rows), service.model.logits, request.made_names())
    return ClassifyAnswer(score=service.model.logits.score, results=_results(images.rows, classifier, phrases))


def _results(rows: Rows, classifier: Classifier, phrases: np.ndarray | None) -> list[Classified]:
    """rows: per image its vector (D,) or why there is none. phrases: (B, D), where "none of these" is asked for."""
    results = []
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            results.append(Classified(index=index, error=fault_of(row)))
            continue
        rest = None if phrases is None else none_of_these(row[None], phrases)
        shares = classifier.probabilities(row[None], rest)[0].tolist()
        none = None if phrases is None else shares.pop()
        scores = [Score(label=label.name, probability=share) for label, share in zip(classifier.labels, shares, strict=True)]
        results.append(Classified(index=index, scores=scores, none=none))
    return results
