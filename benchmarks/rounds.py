"""Times contenders in turns, so that other work on the machine affects all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """The seconds of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    def over(self, peer: "Times") -> float:
        """The ratio of the median to the peer's."""
        return self.median / peer.median

    def to_json(self, unit: float = 1.0) -> dict[str, float]:
        return {"median": round(self.median * unit, 4), "best": round(self.best * unit, 4), "rounds": len(self.seconds)}


def interleave(
    contenders: Mapping[str, Callable[[], object]], rounds: int, *, warm_ups: int = 1, rest: float = 0.0
) -> dict[str, Times]:
    """A B A B ...: each contender once per round. The first `warm_ups` rounds are not counted.

    `rest`: seconds before each turn. The threads of ONNX Runtime and of OpenMP wait for more work in a loop that takes a whole
    core for some milliseconds, which the contender after them would pay for.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warm_ups + rounds):
        for name, run in contenders.items():
            time.sleep(rest)
            started = time.perf_counter()
            run()
            elapsed = time.perf_counter() - started
            if number >= warm_ups:
                seconds[name].append(elapsed)
    return {name: Times(tuple(values)) for name, values in seconds.items()}
