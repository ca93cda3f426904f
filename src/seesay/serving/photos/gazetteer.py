"""Names of places by the largest town nearby (extra `places`: reverse_geocode, with GeoNames' list).

Reading the list takes some seconds and 200 MB, so a process of its own does it: `python -m seesay.serving.photos.gazetteer`.
"""

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence

from seesay.library.places import Place, kilometres
from seesay.serving import limits
from seesay.serving.log import event

TOWNS = ((100_000, 25.0), (5_000, 60.0))  # inhabitants of a town, and its largest distance in kilometres

Coordinates = tuple[float, float]  # latitude, longitude in degrees


class Gazetteer:
    """Looks names up in the background and keeps them while the server runs."""

    def __init__(self) -> None:
        self._installed = importlib.util.find_spec("reverse_geocode") is not None
        self._names: dict[Coordinates, str | None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def names(self, places: Sequence[Place]) -> list[str | None]:
        """Such as "Zürich, Switzerland"; None where no town is near, or while a background lookup has not found it yet."""
        # Rounded to a kilometre: another image moves a place's centre by less, and the name is found again.
        spots = [(round(place.latitude, 2), round(place.longitude, 2)) for place in places]
        with self._lock:
            unknown = list(dict.fromkeys(spot for spot in spots if spot not in self._names)) if self._installed else []
            busy = self._thread is not None and self._thread.is_alive()
            if unknown and not busy:
                self._thread = threading.Thread(target=self._look_up, args=(unknown,), name="seesay-places", daemon=True)
                self._thread.start()
            return [self._names.get(spot) for spot in spots]

    def _look_up(self, spots: list[Coordinates]) -> None:
        names: list[str | None] = [None] * len(spots)
        try:
            command = [sys.executable, "-m", __name__]
            process = subprocess.run(
                command, input=json.dumps(spots), capture_output=True, text=True, timeout=limits.TOWN_LOOKUP_S, check=True
            )
            names = json.loads(process.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as fault:  # the page shows coordinates instead
            event("error", logging.WARNING, fault)
        with self._lock:
            self._names |= dict(zip(spots, names, strict=True))


def towns(spots: Sequence[Coordinates]) -> list[str | None]:
    """The largest town near each, with its country; None where there is none."""
    import reverse_geocode

    names: list[str | None] = [None] * len(spots)
    for people, most_km in TOWNS:
        unnamed = [index for index, name in enumerate(names) if name is None]
        if not unnamed:
            break
        nearest = reverse_geocode.search([spots[index] for index in unnamed], min_population=people)
        for index, town in zip(unnamed, nearest, strict=True):
            if kilometres(spots[index], [(town["latitude"], town["longitude"])])[0] <= most_km:
                names[index] = f"{town['city']}, {town['country']}"
    return names


if __name__ == "__main__":
    json.dump(towns([(latitude, longitude) for latitude, longitude in json.load(sys.stdin)]), sys.stdout)
