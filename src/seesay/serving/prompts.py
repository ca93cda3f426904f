"""`Prompts`: prompts from pictures, written in threads whose texts share batches with those of other requests."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from seesay.model import Model
from seesay.serving import limits
from seesay.tasks.interrogation.bank import phrase_bank
from seesay.tasks.interrogation.chain import TRIES, WIDTH
from seesay.tasks.interrogation.interrogator import Interrogator, Mode, Prompt


class Prompts:
    """Writes prompts with the packaged phrases. model: runs its towers in shared batches.

    The phrases of a language are encoded when they are first needed, unless the cache has their vectors. That takes longer than
    some requests wait; it goes on after they were answered, so that later ones find it done.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._writers = ThreadPoolExecutor(limits.PROMPT_THREADS, thread_name_prefix="seesay-prompt")
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="seesay-phrases")
        self._lock = threading.Lock()
        self._interrogators: dict[str, Future[Interrogator]] = {}

    def close(self) -> None:
        """Drops prompts that are not being written yet, and waits for the others."""
        self._encoder.shutdown(wait=True, cancel_futures=True)
        self._writers.shutdown(wait=True, cancel_futures=True)

    async def write(self, picture: np.ndarray, language: str, mode: Mode, count: int) -> Prompt:
        """A picture's unit vector (D,) -> its prompt. Raises InputError, MissingCapability."""
        interrogator = await asyncio.shield(asyncio.wrap_future(self._interrogator(language)))
        return await asyncio.get_running_loop().run_in_executor(self._writers, interrogator.prompt, picture, mode, count)

    def _interrogator(self, language: str) -> "Future[Interrogator]":
        with self._lock:
            future = self._interrogators.get(language)
            if future is None or (future.done() and future.exception() is not None):  # what failed is tried again
                future = self._encoder.submit(Interrogator.of, self._model, phrase_bank(language))
                self._interrogators[language] = future
            return future


def cost(mode: Mode, count: int) -> int:
    """The texts that a prompt counts as when it is admitted: the most that are encoded at a time for it."""
    return 1 if mode == "fast" else min(count, 2) * WIDTH * TRIES
