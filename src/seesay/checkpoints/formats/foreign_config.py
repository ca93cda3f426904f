"""`ForeignConfig`: another library's configuration, read key by key, with every fault collected."""

from collections.abc import Callable, Mapping
from typing import Any

from seesay.errors import CheckpointError
from seesay.images.spec import MOST_PIXELS


class ForeignConfig:
    """Values by key; settings that would change the model and are not supported are refused.

    at: the object's path in messages. faults: filled while reading; after a fault a value of the right type is returned, so
    that reading continues and reports the next one too. `raise_faults` then raises them together.
    """

    def __init__(self, values: object, at: str, faults: list[str]) -> None:
        self.at, self.faults = at, faults
        if not isinstance(values, Mapping):
            faults.append(f"{at or 'configuration'}: expected an object, got {values!r}")
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}

    def part(self, key: str) -> "ForeignConfig":
        """An object inside; a missing one and null are empty."""
        value = self.values.get(key)
        return ForeignConfig({} if value is None else value, self._name(key), self.faults)

    def integer(self, key: str, default: int | None = None, *, least: int = 1, most: int = 10_000_000) -> int:
        """A whole number; 3.0 counts."""
        value = self.values.get(key, default)
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole or not least <= value <= most:
            self._fault(key, f"expected a whole number from {least} to {most}, got {value!r}")
            return least
        return int(value)

    def number(self, key: str, default: float | None = None) -> float:
        """A positive, finite number."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            self._fault(key, f"expected a positive number, got {value!r}")
            return 1.0
        return float(value)

    def three(self, key: str, default: tuple[float, float, float] | None = None) -> tuple[float, float, float]:
        """Three numbers, one per colour channel."""
        value = self.values.get(key, default)
        numbers = value if isinstance(value, list | tuple) else ()
        if len(numbers) != 3 or not all(isinstance(number, int | float) for number in numbers):
            self._fault(key, f"expected three numbers, got {value!r}")
            return 1.0, 1.0, 1.0
        return float(numbers[0]), float(numbers[1]), float(numbers[2])

    def choice(self, key: str, options: Mapping[Any, Any], default: Any = None) -> Any:
        """The option that the value stands for."""
        value = self.values.get(key, default)
        if isinstance(value, list | dict) or value not in options:
            self._fault(key, f"{value!r} is not one of {', '.join(map(repr, options))}")
            return next(iter(options.values()))
        return options[value]

    def side(self, key: str, default: int | None = None) -> int:
        """A side in pixels, written as a number or as two equal ones: a pair, or height and width."""
        value = self.values.get(key, default)
        sides = [value.get("height"), value.get("width")] if isinstance(value, Mapping) else value
        if isinstance(sides, list | tuple) and len(sides) == 2 and sides[0] == sides[1]:
            sides = sides[0]
        if isinstance(sides, bool) or not isinstance(sides, int) or not 1 <= sides <= MOST_PIXELS:
            self._fault(key, f"expected pixels, at most {MOST_PIXELS} and the same for both sides, got {value!r}")
            return 1
        return sides

    def refuse(self, key: str, unless: Callable[[Any], bool], why: str) -> None:
        """A fault where the key has a value that `unless` does not accept."""
        if key in self.values and not unless(self.values[key]):
            self.faults.append(f"{self._name(key)} = {self.values[key]!r}: {why}")

    def _fault(self, key: str, fault: str) -> None:
        self.faults.append(f"{self._name(key)}: {fault}")

    def _name(self, key: str) -> str:
        return f"{self.at}.{key}" if self.at else key


def raise_faults(faults: list[str], name: str) -> None:
    """Raises CheckpointError with all faults, if there are any; `name`: the configuration's file."""
    if faults:
        raise CheckpointError(f"{name} cannot be followed:\n" + "\n".join(f"  {fault}" for fault in faults))
