"""A health check that encodes an image and a text."""

import asyncio
import base64
import io
import time

import numpy as np
from PIL import Image

from seesay.serving import limits
from seesay.serving.encoding import ItemEncoder
from seesay.serving.schemas.requests import Thing


class HealthCheck:
    """Results are cached for a moment, so that unauthenticated probes cannot load the model."""

    def __init__(self, encoder: ItemEncoder) -> None:
        self._encoder = encoder
        self._lock = asyncio.Lock()
        self._cached_until = 0.0
        self._fault: str | None = None
        stream = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").save(stream, "JPEG")
        self._items = [Thing(image=base64.b64encode(stream.getvalue()).decode()), Thing(text="a gradient")]

    async def fault(self) -> str | None:
        """What is wrong, or None. The check waits in the queues but needs no admission: a busy server is healthy."""
        async with self._lock:
            if time.monotonic() > self._cached_until:
                self._fault = await self._check()
                self._cached_until = time.monotonic() + limits.HEALTH_CACHED_S
            return self._fault

    async def _check(self) -> str | None:
        try:
            async with asyncio.timeout(limits.HEALTH_S):
                encoded = await self._encoder.encode(self._items, time.monotonic() + limits.HEALTH_S)
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
