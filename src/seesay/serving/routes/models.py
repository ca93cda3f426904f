"""Routes: the model that the server serves, and its limits."""

import time

from fastapi import APIRouter

from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.answers import ModelAnswer, ModelLimits, ModelsAnswer
from seesay.serving.service import Service

STARTED = int(time.time())

router = APIRouter(tags=["model"])


@router.get("/v1/models")
async def models(service: ServiceDep) -> ModelsAnswer:
    """The one model that this server has."""
    return ModelsAnswer(data=[_described(service)])


@router.get("/v1/models/{name}")
async def one(name: str, service: ServiceDep) -> ModelAnswer:
    """The same, by its name."""
    service.check_model(name)
    return _described(service)


def _described(service: Service) -> ModelAnswer:
    model = service.model
    return ModelAnswer(
        id=model.name,
        created=STARTED,
        owned_by="seesay",
        dim=model.dim,
        space_id=model.space_id,
        build_id=model.build_id,
        languages=list(model.config.languages),
        context_length=model.tokenizer.spec.context_length,
        limits=ModelLimits.model_validate(service.settings, from_attributes=True),
    )
