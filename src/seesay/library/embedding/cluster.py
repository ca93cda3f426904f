"""Embedding on a Ray cluster (`embed_on_ray`): Ray Data hands units of work to actors, this process alone writes the file.

Paths go out and vectors come back, no pixels. The file is the one that a plain run writes, with the same parts beside it, so a
run that was stopped goes on, here or without Ray. An actor that dies is started again by Ray and its unit done anew; whether
every unit came back whole is counted here, and a row that comes twice is taken once.
"""

import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seesay.errors import InputError
from seesay.library.embedding.connection import LOCAL, check_resources, connected, own_errors
from seesay.library.embedding.embed import EmbedReport, NothingToEmbed
from seesay.library.embedding.item import Batch, Item
from seesay.library.embedding.kept import KeptTable
from seesay.library.embedding.listing import Archive, Listing
from seesay.library.embedding.table import Origin, arrow, keys
from seesay.library.embedding.workers import KEY_BYTES, Encoder, ModelSource, describe, packed
from seesay.library.indexing.report import Failure
from seesay.system.progress import Progress

UNIT_ITEMS = (16, 256)  # pictures of one unit of work, at least and at most: what the death of an actor may cost
UNITS_EACH = 4  # units for each actor, so that all end at about the same time
MOST_UNITS = 10_000  # more work makes larger units, for the sake of Ray's books
ROUNDS = 3  # tries for units that did not come back whole
DEATHS = 5  # of actors at one unit, after which it is taken to be what kills them; Ray would go on for ever


@dataclass(frozen=True)
class Cluster:
    """Where Ray is, and what each actor gets. address: "local" starts Ray here, for this run; "auto" joins the cluster that
    this machine belongs to; or HOST:PORT of its head. cpus, gpus: of an actor, fractions among them."""

    address: str = LOCAL
    actors: int = 1
    cpus: float = 1.0
    gpus: float = 0.0

    @property
    def threads(self) -> int:
        """Of an actor's engine."""
        return max(1, int(self.cpus))


def embed_on_ray(
    source: ModelSource, listing: Listing, output: Path, cluster: Cluster, progress: Progress | None = None
) -> tuple[EmbedReport, Origin]:
    """As `embed.embed` into a Parquet file, by the actors of a cluster, which see the same files under the same paths.

    Raises InputError where Ray cannot be reached or has not the resources, MissingExtra, ModelError, OSError.
    """
    arrow()
    source = replace(source, threads=cluster.threads, folder=os.getcwd())
    with connected(cluster.address) as ray:
        check_resources(ray, cluster.cpus, cluster.gpus)
        resources = {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus}
        with own_errors(ray):
            origin: Origin = ray.get(ray.remote(**resources)(describe).remote(source))
        origin = replace(origin, folder=source.folder, roots=tuple(listing.roots))
        with KeptTable(output, origin) as table:
            run = _Run(listing, table, cluster.actors, progress)
            units = run.units
            for _ in range(ROUNDS):
                with own_errors(ray):
                    for reply in _replies(ray, cluster, source, origin, run.work(units), table.done):
                        run.take(reply)
                units = run.incomplete
                if not units:
                    return run.finish(output), origin
            raise InputError(
                f"{len(units)} units of work did not come back whole in {ROUNDS} tries; what was done is kept. Run it again"
            )


def _replies(
    ray: Any, cluster: Cluster, source: ModelSource, origin: Origin, work: Sequence[dict[str, Any]], done: set[bytes]
) -> Iterator[dict[str, Any]]:
    """The actors' replies, as they come."""
    if not work:
        return
    dataset = ray.data.from_items(list(work), override_num_blocks=len(work))
    with warnings.catch_warnings():  # max_task_retries has no name of its own in Ray Data, which will take it away unnamed
        warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
        replies = dataset.map_batches(
            Encoder,
            fn_constructor_args=(source, origin, ray.put(frozenset(done))),
            batch_size=1,
            batch_format="numpy",
            compute=ray.data.ActorPoolStrategy(size=min(cluster.actors, len(work))),
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
            max_task_retries=DEATHS,
        )
    yield from replies.iter_rows()


class _Run:
    """The books of one run."""

    def __init__(self, listing: Listing, table: KeptTable, actors: int, progress: Progress | None) -> None:
        self._listing, self._table, self._progress = listing, table, progress
        self._actors = actors
        self.report = EmbedReport(failed=list(listing.failed), skipped=listing.skipped)
        self._wanted: set[bytes] = set()
        self._written: set[bytes] = set()
        self._failed: set[tuple[str, str]] = set()
        self.units: dict[int, Batch | Archive] = dict(enumerate(self._units()))
        self._counts: dict[int, int] = dict.fromkeys(self.units, 0)
        self.incomplete = dict(self.units)

    def _units(self) -> Iterator[Batch | Archive]:
        """The work that is not done, in units."""
        for unit in self._listing.units():
            if isinstance(unit, Batch):
                items = [item for item in unit.read() if self._is_new(item)]
                least, most = UNIT_ITEMS
                size = max(least, min(most, len(items) // (UNITS_EACH * self._actors)), -(-len(items) // MOST_UNITS))
                yield from (Batch(tuple(items[at : at + size])) for at in range(0, len(items), size))
            else:
                yield unit

    def _is_new(self, item: Item) -> bool:
        key = item.key
        if key in self._wanted:
            return False
        self._wanted.add(key)
        self.report.kept += key in self._table.done
        return key not in self._table.done

    def work(self, units: dict[int, Batch | Archive]) -> list[dict[str, Any]]:
        """Units as Ray takes them. What they have replied so far counts no more."""
        for number in units:
            self._counts[number] = 0
        return [{"unit": number, "work": packed(unit)} for number, unit in units.items()]

    def take(self, reply: dict[str, Any]) -> None:
        """Adds a reply's rows, each once."""
        pa = arrow()
        number = int(reply["unit"])
        table = pa.ipc.open_stream(reply["rows"]).read_all()
        mask = []
        for key in keys(table):
            mask.append(key not in self._written)
            self._written.add(key)
        if any(mask):
            self._table.add_table(table if all(mask) else table.filter(pa.array(mask)))
        for path, reason in json.loads(reply["failed"]):
            if (path, reason) not in self._failed:
                self._failed.add((path, reason))
                self.report.failed.append(Failure(path, reason))
        kept = bytes(reply["kept"])
        for at in range(0, len(kept), KEY_BYTES):
            if (key := kept[at : at + KEY_BYTES]) not in self._wanted:
                self._wanted.add(key)
                self.report.kept += 1
        self._counts[number] += int(reply["results"])
        if reply["count"] >= 0 and self._counts[number] == reply["count"]:
            self.incomplete.pop(number, None)
        if self._progress is not None:
            seen = len(self._written) + len(self._failed) + self.report.kept
            self._progress(seen, max(seen, self._listing.count))

    def finish(self, output: Path) -> EmbedReport:
        """Completes the file. Raises InputError where it would be empty, unless it is one of several."""
        if not self._written and not self.report.kept and self._listing.shard.count == 1:
            raise NothingToEmbed(output, self.report)
        self.report.written = self._table.finish(self._wanted | self._written)
        return self.report
