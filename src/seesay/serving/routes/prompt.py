"""Route: a prompt for an image generator from an image."""

from fastapi import APIRouter

from seesay.serving.prompts import cost
from seesay.serving.routes.dependencies import ServiceDep
from seesay.serving.schemas.requests import PromptRequest
from seesay.serving.schemas.task_answers import PromptAnswer, PromptPhrase
from seesay.tasks.interrogation.context import own_tokens

router = APIRouter(tags=["model"])


@router.post("/v1/prompt")
async def prompt(request: PromptRequest, service: ServiceDep) -> PromptAnswer:
    """Phrases that describe a picture, as an image generator takes them. The first request in a language may take longer."""
    service.encoder.check_pictures([request.image], "picture")
    async with service.admitted(service.encoder.cost([request.image]) + cost(request.mode, request.count)) as deadline:
        (row,) = (await service.encoder.encode([request.image], deadline, "picture")).rows
        if isinstance(row, Exception):
            raise row
        found = await service.prompts.write(row, request.language, request.mode, request.count)
    tokenizer = service.model.tokenizer
    own = own_tokens(tokenizer, found.text)[1]
    return PromptAnswer(
        prompt=found.text,
        phrases=[
            PromptPhrase(text=each.text, kind=each.kind, score=round(each.score, 6), cosine=round(each.cosine, 6))
            for each in found.phrases
        ],
        mode=request.mode,
        language=request.language,
        cosine=round(found.cosine, 6),
        steps=[round(cosine, 6) for cosine in found.steps],
        tokens=own.stop - own.start,
        context=tokenizer.spec.context_length,
    )
