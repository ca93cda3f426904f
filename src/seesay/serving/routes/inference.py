"""Routes that need a model only: embeddings, similarity, classification, models."""

import base64
import time
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Response

from seesay.errors import InputError, ModelNotServed
from seesay.serving.errors import fault_of
from seesay.serving.photos.uploads import check_count
from seesay.serving.schemas.answers import (
    Classified,
    ClassifyAnswer,
    EmbeddingsAnswer,
    ModelAnswer,
    ModelLimits,
    ModelsAnswer,
    Score,
    SideFault,
    SimilarityAnswer,
)
from seesay.serving.schemas.requests import ClassifyRequest, EmbeddingsRequest, SimilarityRequest
from seesay.serving.service import Rows, Service
from seesay.tasks.prompts import TEMPLATES, ensemble, filled

STARTED = int(time.time())


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["model"])
    model = service.model

    def known(name: str | None) -> None:
        if name is not None and name not in (model.name, "seesay"):
            raise ModelNotServed(f"this server serves the model {model.name!r} only; leave out `model`")

    @router.post("/v1/embeddings", response_model=EmbeddingsAnswer)
    async def embeddings(asked: EmbeddingsRequest) -> Response:
        """Texts and pictures -> unit vectors of one space, as OpenAI's clients ask for them.

        Where some items cannot be encoded, the others are; where none can, the answer is an error.
        """
        known(asked.model)
        if asked.dimensions not in (None, model.dim):
            raise InputError(f"dimensions: this model's vectors have {model.dim}, got {asked.dimensions}")
        items = asked.items()
        async with service.admitted(service.cost(items)) as deadline:
            encoded = await service.encode(items, deadline)
        faults = [row for row in encoded.rows if isinstance(row, Exception)]
        if len(faults) == len(items):
            raise faults[0]
        data = []
        for index, row in enumerate(encoded.rows):
            entry: dict[str, Any] = {"object": "embedding", "index": index, "embedding": None}
            if isinstance(row, Exception):
                entry["error"] = fault_of(row).model_dump()
            elif asked.encoding_format == "base64":
                entry["embedding"] = base64.b64encode(row.astype("<f4").tobytes()).decode()
            else:
                entry["embedding"] = row
            if index in encoded.truncated:
                entry["truncated"] = True
            data.append(entry)
        usage = {"prompt_tokens": encoded.tokens, "total_tokens": encoded.tokens}
        return _json({"object": "list", "data": data, "model": model.name, "usage": usage})

    @router.post("/v1/similarity")
    async def similarity(asked: SimilarityRequest) -> SimilarityAnswer:
        """Cosines between every item of one list and every item of another."""
        async with service.admitted(service.cost(asked.a) + service.cost(asked.b)) as deadline:
            a = (await service.encode(asked.a, deadline, "a: item")).rows
            b = (await service.encode(asked.b, deadline, "b: item")).rows
        return SimilarityAnswer(
            similarity=[[_cosine(one, other) for other in b] for one in a], errors=[*_faults("a", a), *_faults("b", b)]
        )

    @router.post("/v1/classify", response_model_exclude_none=True)
    async def classify(asked: ClassifyRequest) -> ClassifyAnswer:
        """How likely each label is for each picture, among these labels. In the order of the labels."""
        check_count("pictures", len(asked.images), service.settings.pictures)
        # Before any is made: a small body can ask for a million.
        templates = len(TEMPLATES) if asked.templates is None else len(asked.templates)
        check_count("texts (labels x templates)", len(asked.labels) * templates, service.settings.texts)
        prompts = filled(asked.labels, asked.templates)
        async with service.admitted(service.cost(asked.images) + len(prompts)) as deadline:
            texts = await service.encode(prompts, deadline, "label")
            images = await service.encode(asked.images, deadline, "picture")
        for row in texts.rows:
            if isinstance(row, Exception):
                raise row
        labels = ensemble(np.stack(list(texts.rows)), len(asked.labels))  # type: ignore[arg-type]
        results = []
        for index, row in enumerate(images.rows):
            if isinstance(row, Exception):
                results.append(Classified(index=index, error=fault_of(row)))
                continue
            sure = model.logits.probabilities(row[None] @ labels.T)[0].tolist()
            scores = [Score(label=label, probability=share) for label, share in zip(asked.labels, sure, strict=True)]
            results.append(Classified(index=index, scores=scores))
        return ClassifyAnswer(results=results)

    @router.get("/v1/models")
    async def models() -> ModelsAnswer:
        """The one model that this server has."""
        return ModelsAnswer(data=[_described(service)])

    @router.get("/v1/models/{name}")
    async def one(name: str) -> ModelAnswer:
        """The same, by its name."""
        known(name)
        return _described(service)

    return router


def _described(service: Service) -> ModelAnswer:
    model, settings = service.model, service.settings
    return ModelAnswer(
        id=model.name,
        created=STARTED,
        owned_by="seesay",
        dim=model.dim,
        space_id=model.space_id,
        build_id=model.build_id,
        languages=list(model.config.languages),
        context_length=model.tokenizer.spec.context_length,
        limits=ModelLimits.model_validate(settings, from_attributes=True),
    )


def _faults(side: Literal["a", "b"], rows: Rows) -> Iterator[SideFault]:
    for index, row in enumerate(rows):
        if isinstance(row, Exception):
            fault = fault_of(row)
            yield SideFault(side=side, index=index, message=fault.message, code=fault.code)


def _cosine(a: np.ndarray | Exception, b: np.ndarray | Exception) -> float | None:
    return None if isinstance(a, Exception) or isinstance(b, Exception) else round(float(a @ b), 6)


def _json(value: Any) -> Response:
    """With vectors as they are: written by Python's own JSON they would take a third of a short request's time."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
