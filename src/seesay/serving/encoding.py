"""Texts and images of requests as vectors, in batches shared with other requests."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seesay.errors import InputError, LibraryError
from seesay.images.read import read
from seesay.library.search.encode import word_texts, word_vectors
from seesay.library.search.query import Query
from seesay.model import Model
from seesay.models.vectors import normalize
from seesay.serving import limits
from seesay.serving.joined_engine import JoinedEngine, stacked
from seesay.serving.metrics import Metrics
from seesay.serving.photos.photos import Photos, file_of
from seesay.serving.photos.uploads import check_count, content, fetched, may_be_clip, pixels
from seesay.serving.schemas.requests import Thing
from seesay.serving.settings import Settings
from seesay.system.paths import is_url
from seesay.tasks.clips import mean_frame

if TYPE_CHECKING:
    from PIL import Image

Row = np.ndarray | Exception
Rows = Sequence[Row]


@dataclass(frozen=True)
class Encoded:
    """rows: per item a unit vector (D,), or why there is none. tokens: of all texts, without padding. truncated: indices of
    texts that were longer than the model's context."""

    rows: Rows
    tokens: int
    truncated: frozenset[int]


@dataclass
class _Pending:
    """Rows of one call, as they come: each is in `rows`, or in a future whose results belong to `indices`. Several of one index
    are frames of a clip."""

    rows: list[Row]
    futures: list[tuple[list[int], "Future[list[Row]]"]] = field(default_factory=list)

    async def results(self) -> list[Row]:
        """Awaits the futures. Vectors are normalised; of a clip their mean is, and the first frame must have one."""
        found: dict[int, list[Row]] = {}
        for indices, future in self.futures:
            rows = await asyncio.wrap_future(future)
            for index, row in zip(indices, rows, strict=True):
                found.setdefault(index, []).append(normalize(row) if isinstance(row, np.ndarray) else row)
        for index, rows in found.items():
            vectors = [row for row in rows if isinstance(row, np.ndarray)]
            self.rows[index] = mean_frame(np.stack(vectors)) if isinstance(rows[0], np.ndarray) else rows[0]
        return self.rows


class ItemEncoder:
    """Encodes what requests hold. Items fail one by one, never their batch-mates.

    decoders: threads that decode images and tokenize long texts. URLs are fetched by other threads: a host that never answers
    must not keep those that decode.
    """

    def __init__(
        self,
        model: Model,
        engine: JoinedEngine,
        photos: Photos,
        decoders: ThreadPoolExecutor,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self.model, self.engine, self.photos, self.decoders = model, engine, photos, decoders
        self.settings, self.metrics = settings, metrics
        self._fetchers = ThreadPoolExecutor(limits.FETCH_THREADS, thread_name_prefix="seesay-fetch")

    def close(self) -> None:
        """Drops URLs that are not being fetched yet, and waits for the others."""
        self._fetchers.shutdown(wait=True, cancel_futures=True)

    async def encode(self, items: Sequence[Thing | str], deadline: float, what: str = "item", frames: int = 1) -> Encoded:
        """deadline: on time.monotonic()'s clock. what: the word for an item in messages. frames: of an animation that is sent,
        as whose mean it counts. Raises InputError for more items than a request may have, and for an item that is not exactly
        one of text, image and id."""
        things = [Thing(text=item) if isinstance(item, str) else item for item in items]
        self.check(things, what)
        pending = _Pending([InputError("")] * len(things))
        tokens, truncated = await self._submit_texts(things, what, deadline, pending)
        await self._submit_images(things, what, deadline, frames, pending)
        await self._look_up_ids(things, what, pending)
        return Encoded(await pending.results(), tokens, truncated)

    async def _submit_texts(
        self, things: Sequence[Thing], what: str, deadline: float, pending: _Pending
    ) -> tuple[int, frozenset[int]]:
        """Returns the count of tokens, and the indices of truncated texts."""
        texts: dict[int, str] = {}
        for index, thing in enumerate(things):
            if thing.text is None:
                continue
            if fault := self._fault(thing.text):
                pending.rows[index] = InputError(f"{what} {index + 1}: {fault}")
            else:
                texts[index] = thing.text
        if not texts:
            return 0, frozenset()
        ids, truncated = await self._tokens(list(texts.values()))
        pending.futures.append((list(texts), self.engine.submit_tokens(ids, deadline)))
        count = int((ids != self.model.tokenizer.spec.pad_id).sum())
        return count, frozenset(index for index, cut in zip(texts, truncated, strict=True) if cut)

    async def _submit_images(self, things: Sequence[Thing], what: str, deadline: float, frames: int, pending: _Pending) -> None:
        images = {index: thing.image for index, thing in enumerate(things) if thing.image is not None}
        decoding = [self._decoded(image, f"{what} {index + 1}", frames) for index, image in images.items()]
        for index, result in zip(images, await asyncio.gather(*decoding, return_exceptions=True), strict=True):
            if isinstance(result, np.ndarray):
                pending.futures.append(([index] * len(result), self.engine.submit_pixels(result, deadline)))
            elif isinstance(result, Exception):
                pending.rows[index] = result
            else:  # cancelled
                raise result

    async def _look_up_ids(self, things: Sequence[Thing], what: str, pending: _Pending) -> None:
        ids = {index: thing.id for index, thing in enumerate(things) if thing.id is not None}
        if not ids:
            return
        for index, vector in zip(ids, await self._library_vectors(list(ids.values())), strict=True):
            missing = InputError(f"{what} {index + 1}: the library has nothing with this id")
            pending.rows[index] = missing if vector is None else vector

    def phrased(self, query: str) -> dict[str, list[str]]:
        """Each phrase of words in a query, with the texts that a search encodes for it. Raises InputError."""
        parts = Query.parse(query).parts if query.strip() else ()
        return word_texts(self.model, [part.value for part in parts if part.kind == "words"])

    async def encode_words(self, phrased: Mapping[str, Sequence[str]], deadline: float) -> dict[str, np.ndarray]:
        """phrased: of `phrased()` -> per phrase the vector (D,) that a search takes for it. The texts share batches with those
        of other requests, which they could not in the library's few threads."""
        if not phrased:
            return {}
        ids, _ = await self._tokens([text for texts in phrased.values() for text in texts])
        rows = await asyncio.wrap_future(self.engine.submit_tokens(ids, deadline))
        return word_vectors(phrased, normalize(stacked(rows)))

    @staticmethod
    def cost(items: Sequence[Thing | str], frames: int = 1) -> int:
        """The texts that these items count as when they are admitted. frames: of what may be an animation."""
        images = [item.image if isinstance(item, Thing) else None for item in items]
        counts = [frames if frames > 1 and image is not None and may_be_clip(image) else 1 for image in images]
        weights = [1 if image is None else limits.TEXTS_PER_IMAGE for image in images]
        return sum(count * weight for count, weight in zip(counts, weights, strict=True))

    def check(self, things: Sequence[Thing], what: str) -> None:
        """Raises InputError where an item is not exactly one thing, or where there are too many."""
        for index, thing in enumerate(things):
            fields = [name for name in ("text", "image", "id") if getattr(thing, name) is not None]
            if len(fields) != 1:
                got = " and ".join(fields) or "none"
                raise InputError(f"{what} {index + 1}: expected exactly one of text, image and id, got {got}")
        check_count("pictures", sum(thing.image is not None for thing in things), self.settings.pictures)
        if self.settings.allow_urls:
            check_count("URLs of pictures", sum(is_url(thing.image) for thing in things), self.settings.urls)
        check_count("texts", sum(thing.image is None for thing in things), self.settings.texts)

    def check_pictures(self, things: Sequence[Thing], what: str) -> None:
        """As `check`, and raises InputError for a text, too, which shows nothing."""
        for index, thing in enumerate(things):
            if thing.text is not None:
                raise InputError(f"{what} {index + 1}: expected a picture, got a text")
        self.check(things, what)

    def check_length(self, texts: Sequence[str], templates: Sequence[str]) -> None:
        """Raises InputError for a text that cannot be encoded, or that does not fit the model's context in some template: what
        is cut off would count as if it had been there."""
        for number, text in enumerate(texts, start=1):
            if fault := self._fault(text):
                raise InputError(f"text {number} of {len(texts)}: {fault}")
            if self.model.tokenizer([template.replace("{}", text) for template in templates]).truncated.any():
                length = self.model.tokenizer.spec.context_length
                raise InputError(
                    f"text {number} of {len(texts)} is longer than the {length} tokens that the model reads; shorten it"
                )

    def _fault(self, text: str) -> str | None:
        """Why a text cannot be encoded; None if it can."""
        if not text.strip():
            return "the text is empty"
        try:
            text.encode()
        except UnicodeEncodeError:
            return "the text is not Unicode: it holds half a surrogate pair"
        if len(text) > self.settings.letters:
            return f"at most {self.settings.letters:,} letters of text are taken, got {len(text):,}"
        return None

    async def _tokens(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids (N, L) and whether each text was truncated (N,)."""
        with self.metrics.stage("tokenize", "text"):
            if sum(map(len, texts)) <= limits.INLINE_TOKENIZED_LETTERS:
                tokens = self.model.tokenizer(texts)
            else:
                tokens = await asyncio.get_running_loop().run_in_executor(self.decoders, self.model.tokenizer, texts)
        return tokens.ids, tokens.truncated

    async def _library_vectors(self, ids: list[str]) -> "list[np.ndarray | None] | list[LibraryError]":
        """The library's vectors, None for an unknown id; where the library cannot be used, its error for each."""
        try:
            return await self.photos.run(lambda library: [library.vector(name) for name in ids])
        except LibraryError as fault:
            return [fault] * len(ids)

    async def picture(self, thing: Thing, name: str) -> "Image.Image":
        """The whole picture that an item holds or names, upright. name: of the item, in messages. Raises InputError for a text,
        UnreadableImage, PictureNotFound, LibraryError."""
        if thing.id is not None:
            wanted = thing.id
            path = await self.photos.run(lambda library: file_of(library, wanted))
            return await self._whole(path, name)
        if thing.image is None:
            raise InputError(f"{name}: expected a picture, got a text")
        return await self._whole(await self._data(thing.image, name), name)

    async def _whole(self, source: Path | str | bytes, name: str) -> "Image.Image":
        def decode() -> "Image.Image":
            with self.metrics.stage("decode", "image"):
                data = content(source, name, self.settings) if isinstance(source, str) else source
                return read(data, name=name, most_pixels=self.settings.pixels).image

        return await asyncio.get_running_loop().run_in_executor(self.decoders, decode)

    async def _data(self, sent: str, name: str) -> str | bytes:
        """What was sent; of a URL, the bytes behind it."""
        if not is_url(sent):
            return sent
        return await asyncio.get_running_loop().run_in_executor(self._fetchers, fetched, sent, name, self.settings)

    async def _decoded(self, sent: str, name: str, frames: int) -> np.ndarray:
        """Returns pixels (N, 3, H, W), of a clip several. Raises UnreadableImage."""
        data = await self._data(sent, name)

        def decode() -> np.ndarray:
            with self.metrics.stage("decode", "image"):
                return pixels(self.model, data, name, self.settings, frames)

        return await asyncio.get_running_loop().run_in_executor(self.decoders, decode)
