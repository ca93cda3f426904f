"""The route that tells how far the map is."""

from typing import Literal

from fastapi import APIRouter

from seesay.serving.schemas.answers import MapProgress
from seesay.serving.service import Service


def routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["collection"])

    @router.get("/v1/map/progress")
    async def progress(language: Literal["en", "zh"] = "en") -> MapProgress:
        """How far the map is that is being drawn, to be asked while /v1/map answers 202. It starts nothing."""
        drawing, share = service.charts.progress(language)
        return MapProgress(drawing=drawing, share=round(share, 3))

    return router
