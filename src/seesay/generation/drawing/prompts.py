"""Prompts with weights, as the command line and notebooks write them: "a red apple | on a table:0.5"."""

import math
import re
from dataclasses import dataclass

from seesay.errors import InputError

SEPARATOR = "|"
# After a digit a colon belongs to the text, as in "a clock at 12:30".
WEIGHT = re.compile(
    r"(?s)(.*[^\d\s])?\s*:\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?nan|[+-]?inf(?:inity)?)\s*", re.IGNORECASE
)
MOST_WEIGHT = 100.0
NEGATIVE_WEIGHT = 0.3  # of a negative prompt, unless it says otherwise; CLIPDraw's


@dataclass(frozen=True)
class Prompt:
    """A text, and how much it counts."""

    text: str
    weight: float = 1.0


def parse_prompts(text: str, weight: float = 1.0) -> tuple[Prompt, ...]:
    """Texts between |, each with :NUMBER behind it where it does not weigh `weight`. Raises InputError for an empty text and
    for weights that are not above 0 and at most 100."""
    return tuple(_prompt(part, weight) for part in text.split(SEPARATOR))


def _prompt(part: str, weight: float) -> Prompt:
    if found := WEIGHT.fullmatch(part):
        part, weight = found[1] or "", float(found[2])
        if not (math.isfinite(weight) and 0 < weight <= MOST_WEIGHT):
            raise InputError(
                f"expected a weight above 0 and at most {MOST_WEIGHT:g} behind {part.strip()!r}, got {found[2]}; what is not "
                "to be shown goes into the negative prompt"
            )
    if not part.strip():
        raise InputError("a prompt is empty; write what is to be drawn, with | between several prompts")
    return Prompt(part.strip(), weight)
