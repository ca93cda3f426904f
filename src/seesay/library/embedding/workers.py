"""What runs in the processes of a Ray cluster: one model per actor, which encodes the units of work that it is handed."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from seesay.errors import ModelError, UnreadableImage
from seesay.library.embedding.archives import TablePart, Tar
from seesay.library.embedding.encode import Row, encode_items
from seesay.library.embedding.item import Batch, Item, item_key
from seesay.library.embedding.listing import Archive
from seesay.library.embedding.table import Origin, to_table
from seesay.library.indexing.report import Failure
from seesay.model import Model, load

REPLY_ROWS = 128  # results of one reply


@dataclass(frozen=True)
class ModelSource:
    """What a process opens: `name` and `options` of `seesay.load`. threads: of its engine, and as many that decode. folder:
    where relative paths begin."""

    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    folder: str = "."

    def open(self) -> Model:
        """The model, as `seesay index` uses it. Only for a process of its own, whose working folder is changed."""
        with suppress(OSError):  # absolute paths are right without it
            os.chdir(self.folder)
        return load(self.name, threads=self.threads, **self.options).sharing().with_decode("fast")


def packed(unit: Batch | Archive) -> str:
    """A unit of work as text, for `unpacked` in another process."""
    facts = unit.items if isinstance(unit, Batch) else asdict(unit)
    return json.dumps([type(unit).__name__, facts])


def unpacked(text: str) -> Batch | Archive:
    """The unit that `packed` was given."""
    kind, facts = json.loads(text)
    if kind == Batch.__name__:
        return Batch(tuple(Item(*each) for each in facts))
    return Tar(**facts) if kind == Tar.__name__ else TablePart(**facts)


def describe(source: ModelSource) -> Origin:
    """What the vectors of a model are of, where this is called. Raises ModelError, InputError."""
    return Origin.of(source.open())


class Encoder:
    """An actor: opens its model once. done: keys of items that need not be made again."""

    def __init__(self, source: ModelSource, origin: Origin, done: Any) -> None:
        import ray

        self._model, self._threads, self._origin = source.open(), source.threads, origin
        here = Origin.of(self._model)
        if not here.same_make(origin):
            raise ModelError(f"the processes' models differ: {here.build_id} here, {origin.build_id} in the first")
        self._done: frozenset[bytes] = ray.get(done)

    def __call__(self, batch: Any) -> Iterator[dict[str, list[Any]]]:
        """A batch with columns `unit` (its number) and `work` -> replies, a few for each unit, the last with its count."""
        for number, work in zip(batch["unit"], batch["work"], strict=True):
            yield from self._unit(int(number), str(work))

    def _unit(self, number: int, work: str) -> Iterator[dict[str, list[Any]]]:
        kept: list[bytes] = []
        broken: list[Failure] = []
        results: list[Row | Failure] = []
        count = 0
        for result in encode_items(self._model, self._pending(work, kept, broken), threads=self._threads):
            results.append(result)
            count += 1
            if len(results) == REPLY_ROWS:
                yield self._reply(number, results, [], [], None)
                results = []
        yield self._reply(number, results, broken, kept, count)

    def _pending(self, work: str, kept: list[bytes], broken: list[Failure]) -> Iterator[Item]:
        """The unit's items that are not done. Fills `kept` with the keys of the others, `broken` with an archive's fault."""
        try:
            for item in unpacked(work).read():
                if (key := item.key) in self._done:
                    kept.append(key)
                else:
                    yield item
        except UnreadableImage as fault:
            broken.append(Failure(fault.source, fault.reason))

    def _reply(
        self, unit: int, results: list[Row | Failure], broken: list[Failure], kept: list[bytes], count: int | None
    ) -> dict[str, list[Any]]:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        table = to_table([each for each in results if isinstance(each, Row)], self._origin)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        failed = [[each.path, each.reason] for each in (*results, *broken) if isinstance(each, Failure)]
        return {
            "unit": [unit],
            "rows": [sink.getvalue().to_pybytes()],
            "failed": [json.dumps(failed)],
            "kept": [b"".join(kept)],
            "count": [-1 if count is None else count],  # of the unit's results, in its last reply
            "results": [len(results)],
        }


KEY_BYTES = len(item_key(None, None, None, None, None))
