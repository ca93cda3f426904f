"""What places are called, where the extra `places` is installed: the largest town near, of GeoNames' list in a package's file.

The list is read by a process of its own, `python -m seesay.serving.photos.gazetteer`, which takes some
seconds and 200 MB, and ends.
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

SIZES = ((100_000, 25.0), (5_000, 60.0))  # people of a town, and how many kilometres away it may be

Spot = tuple[float, float]


class Gazetteer:
    def __init__(self) -> None:
        self._installed = importlib.util.find_spec("reverse_geocode") is not None
        self._known: dict[Spot, str | None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def names(self, places: Sequence[Place]) -> list[str | None]:
        """Such as "Zürich, Switzerland"; None where no town is near, or not known yet: the first time a thread looks it up."""
        # To a kilometre: a picture more moves a place's middle by less, and its name stays known.
        wanted = [(round(place.latitude, 2), round(place.longitude, 2)) for place in places]
        with self._lock:
            unknown = list(dict.fromkeys(spot for spot in wanted if spot not in self._known)) if self._installed else []
            busy = self._thread is not None and self._thread.is_alive()
            if unknown and not busy:
                self._thread = threading.Thread(target=self._learn, args=(unknown,), name="seesay-places", daemon=True)
                self._thread.start()
            return [self._known.get(spot) for spot in wanted]

    def _learn(self, spots: list[Spot]) -> None:
        names: list[str | None] = [None] * len(spots)
        try:
            command = [sys.executable, "-m", __name__]
            said = subprocess.run(
                command, input=json.dumps(spots), capture_output=True, text=True, timeout=limits.TOWN_LOOKUP_S, check=True
            )
            names = json.loads(said.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as fault:  # places without names are places
            event("error", logging.WARNING, fault)
        with self._lock:
            self._known |= dict(zip(spots, names, strict=True))


def towns(spots: Sequence[Spot]) -> list[str | None]:
    """The largest of the towns that are near each, with its country."""
    import reverse_geocode

    names: list[str | None] = [None] * len(spots)
    for people, most_km in SIZES:
        left = [at for at, name in enumerate(names) if name is None]
        if not left:
            break
        for at, town in zip(left, reverse_geocode.search([spots[at] for at in left], min_population=people), strict=True):
            if kilometres(spots[at], [(town["latitude"], town["longitude"])])[0] <= most_km:
                names[at] = f"{town['city']}, {town['country']}"
    return names


if __name__ == "__main__":
    json.dump(towns([(latitude, longitude) for latitude, longitude in json.load(sys.stdin)]), sys.stdout)
