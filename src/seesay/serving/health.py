"""Whether the server does its work: proven by doing it."""

import asyncio
import base64
import io
import time

import numpy as np
from PIL import Image

from seesay.serving import limits
from seesay.serving.schemas.requests import Thing
from seesay.serving.service import Service


class Health:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._fault: str | None = None
        stream = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").save(stream, "JPEG")
        self._items = [Thing(image=base64.b64encode(stream.getvalue()).decode()), Thing(text="a gradient")]

    async def fault(self) -> str | None:
        """What is wrong, or None. It takes its turn in the queues, but no room: a busy server is a healthy one."""
        async with self._lock:
            if time.monotonic() > self._until:
                self._fault = await self._tried()
                self._until = time.monotonic() + limits.HEALTH_CACHED_S
            return self._fault

    async def _tried(self) -> str | None:
        try:
            async with asyncio.timeout(limits.HEALTH_S):
                encoded = await self._service.encode(self._items, time.monotonic() + limits.HEALTH_S)
        except TimeoutError:
            return f"a picture and a text took longer than {limits.HEALTH_S:g} s"
        except Exception as fault:
            return type(fault).__name__
        for row in encoded.rows:
            if isinstance(row, Exception):
                return type(row).__name__
            if not np.isfinite(row).all() or abs(float(np.linalg.norm(row)) - 1) > 1e-3:
                return "a vector is no unit vector"
        return None
