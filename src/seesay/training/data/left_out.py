"""Samples that a run could not use: how many, why, and which."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from seesay.training.data.samples import Fault

EXAMPLES = 10


@dataclass
class LeftOut:
    """reasons: in few words, and how often a sample was left out for it; a bad one is met again in every pass. examples: the
    first that differ, name -> reason in full."""

    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "LeftOut":
        return cls(Counter(values["reasons"]), values["examples"])

    def __bool__(self) -> bool:
        return bool(self.reasons)

    def add(self, fault: Fault) -> str:
        """Its reason in few words."""
        reason = in_few_words(fault.reason)
        self.reasons[reason] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.setdefault(fault.name, fault.reason)
        return reason

    def lines(self, where: str) -> list[str]:
        """For people: the counts, then which."""
        times = [(reason, f"{count} {'time' if count == 1 else 'times'}") for reason, count in self.reasons.items()]
        counts = [f"left out {count} in {where}: {reason}" for reason, count in times]
        return counts + [f"left out: {name}: {reason}" for name, reason in self.examples.items()]


def in_few_words(reason: str) -> str:
    """A reason without what differs from picture to picture, so that few reasons are counted."""
    return re.sub(r"(?<!UTF-)\d+", "N", re.split(r" \(|;| = ", reason, maxsplit=1)[0])[:100]
