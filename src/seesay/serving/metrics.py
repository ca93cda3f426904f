"""The figures at /metrics, for Prometheus to read: requests, stages, batches. Nothing is sent anywhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from seesay.serving.batching import Room

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters and histograms in a registry of their own.

    Stages: decode, tokenize, wait (in the queue), encode (of a batch), search, thumbnail.
    """

    def __init__(self, room: Room) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter("seesay_requests", "Answered requests.", ("route", "status"), registry=self.registry)
        self.seconds = Histogram(
            "seesay_request_seconds", "From the request's head to the end of its answer.", ("route",), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self.stages = Histogram(
            "seesay_stage_seconds", "Time in each stage.", ("stage", "tower"), buckets=SECONDS, registry=self.registry
        )
        self.batches = Histogram("seesay_batch_size", "Items in a batch.", ("tower",), buckets=SIZES, registry=self.registry)
        waiting = Gauge(
            "seesay_items_under_way", "Texts and pictures of requests that are not answered yet.", registry=self.registry
        )
        waiting.set_function(lambda: room.occupied)

    def batch(self, tower: str, size: int, waited: list[float], took: float) -> None:
        """Records a batch. waited, took: seconds in the queue of each item, and of the batch."""
        self.batches.labels(tower).observe(size)
        self.stages.labels("encode", tower).observe(took)
        wait = self.stages.labels("wait", tower)
        for seconds in waited:
            wait.observe(seconds)

    @contextmanager
    def stage(self, name: str, tower: str = "") -> Iterator[None]:
        """Records the time of what runs inside."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(name, tower).observe(time.perf_counter() - begin)

    def text(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self.registry)
