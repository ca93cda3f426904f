"""A record of samples that a run skipped: how many, why, and examples."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from seesay.training.data.samples import SampleFault

EXAMPLES = 10


@dataclass
class SkippedSamples:
    """reasons: number of skips by shortened reason; a bad sample counts once per epoch. examples: the first different samples,
    name -> full reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "SkippedSamples":
        """The inverse of `schema.to_json`."""
        return cls(Counter(values["reasons"]), values["examples"])

    def __bool__(self) -> bool:
        return bool(self.reasons)

    def add(self, fault: SampleFault) -> str:
        """Counts a fault; returns its shortened reason."""
        reason = short_reason(fault.reason)
        self.reasons[reason] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.setdefault(fault.name, fault.reason)
        return reason

    def lines(self, where: str) -> list[str]:
        """Lines for people: the counts, then the examples."""
        times = [(reason, f"{count} {'time' if count == 1 else 'times'}") for reason, count in self.reasons.items()]
        counts = [f"left out {count} in {where}: {reason}" for reason, count in times]
        return counts + [f"left out: {name}: {reason}" for name, reason in self.examples.items()]


def short_reason(reason: str) -> str:
    """A reason without its details, so that faults of the same kind are counted together."""
    return re.sub(r"(?<!UTF-)\d+", "N", re.split(r" \(|;| = ", reason, maxsplit=1)[0])[:100]
