"""Dependencies that FastAPI injects into routes: the application's `Service`."""

from typing import Annotated

from fastapi import Depends, Request

from seesay.serving.service import Service


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]
