"""`Filters`: which pictures a search considers, by folder, date, camera, place, size, tag and name."""

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from seesay.errors import InputError
from seesay.library.search.names import contents_with_name, has_name, name_key
from seesay.system.paths import absolute

Orientation = Literal["landscape", "portrait", "square"]
ORIENTATIONS: dict[str, str] = {"landscape": ">", "portrait": "<", "square": "="}  # width to height
DATE = re.compile(  # neither in 2024-02-31 nor in ２０２４
    r"[0-9]{4}(-(0[1-9]|1[0-2])(-(?!(?<=02-)3|(?<=0[469]-|11-)31)(0[1-9]|[12][0-9]|3[01])"
    r"(T([01][0-9]|2[0-3])(:[0-5][0-9](:[0-5][0-9])?)?)?)?)?"
)
# Every camera's name, found by one step in the index each: cameras are few, pictures many.
CAMERAS = """WITH RECURSIVE cameras (name) AS (
    SELECT min(camera) FROM contents UNION ALL
    SELECT (SELECT min(camera) FROM contents WHERE camera > name) FROM cameras WHERE name IS NOT NULL
) SELECT name FROM cameras"""


@dataclass(frozen=True)
class Filters:
    """Conditions that a picture has to meet, all of them; a picture whose date, camera or place is unknown fails those.

    under: a folder, with all folders below it. after, before: dates or beginnings of one, in the camera's local time, both
    inclusive: "2024-05" is the whole month. camera: a part of its name. name: a part of the name of the file or of a folder
    above it, or a whole tag, or several, all of which have to match; not_name: none of which may. tag: one, or several, all of
    which the picture has. Names, cameras and tags are compared in any case. place: south, west, north, east in degrees; west >
    east crosses the date line. min_px: the least shorter side. min_score: the least cosine. Raises InputError.
    """

    under: str | os.PathLike[str] | None = None
    after: str | None = None
    before: str | None = None
    camera: str | None = None
    place: tuple[float, float, float, float] | None = None
    orientation: Orientation | None = None
    min_px: int | None = None
    tag: str | tuple[str, ...] | None = None
    min_score: float | None = None
    name: str | tuple[str, ...] | None = None
    not_name: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("after", "before"):
            date = getattr(self, name)
            if date is not None and not DATE.fullmatch(date):
                raise InputError(
                    f"{name}: expected a date such as 2024, 2024-05, 2024-05-17 or 2024-05-17T18:30, got {date!r}",
                    parameter=name,
                    expected="a date",
                    got=date,
                )
        if self.after and self.before and self.after[: len(self.before)] > self.before[: len(self.after)]:
            raise InputError(f"after {self.after} and before {self.before} leave no time between them")
        if self.camera is not None and not self.camera.strip():
            raise InputError(
                "camera: expected a part of its name, such as Canon, got nothing",
                parameter="camera",
                expected="a part of its name",
                got=self.camera,
            )
        if self.place is not None:
            _check_place(self.place)
        if self.orientation is not None and self.orientation not in ORIENTATIONS:
            raise InputError(
                f"orientation: expected one of {', '.join(ORIENTATIONS)}, got {self.orientation!r}",
                parameter="orientation",
                expected=f"one of {', '.join(ORIENTATIONS)}",
                got=self.orientation,
            )
        if self.min_px is not None and self.min_px < 1:
            raise InputError(
                f"min_px: expected at least 1, got {self.min_px}", parameter="min_px", expected="at least 1", got=self.min_px
            )
        if not all(tag.strip() for tag in self.tags):
            raise InputError("tag: expected a name, got nothing", parameter="tag", expected="a name", got=self.tag)
        for name in (*self.names, *self.other_names):
            if not name_key(name):
                raise InputError(
                    f"name: expected a part of a file's or folder's name, got {name!r}",
                    parameter="name",
                    expected="a part of a file's or folder's name",
                    got=name,
                )
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise InputError(
                f"min_score: expected a cosine from -1 to 1, got {self.min_score}",
                parameter="min_score",
                expected="a cosine from -1 to 1",
                got=self.min_score,
            )

    @property
    def folder(self) -> str | None:
        """`under` as an absolute path."""
        return None if self.under is None else absolute(self.under)

    @property
    def tags(self) -> tuple[str, ...]:
        """`tag` as a tuple, also where it is one or none."""
        return (self.tag,) if isinstance(self.tag, str) else self.tag or ()

    @property
    def names(self) -> tuple[str, ...]:
        """`name` as a tuple."""
        return (self.name,) if isinstance(self.name, str) else self.name or ()

    @property
    def other_names(self) -> tuple[str, ...]:
        """`not_name` as a tuple."""
        return (self.not_name,) if isinstance(self.not_name, str) else self.not_name or ()

    def conditions(self, *, few: bool = False) -> Iterator[tuple[str, list[object]]]:
        """SQL conditions over the table `contents c`, each with its values; all but those of the folder and the cosine.

        few: the form that is fast where few contents are tested one by one.
        """
        if self.after is not None:
            yield "c.taken_at >= ?", [self.after]
        if self.before is not None:
            yield "c.taken_at < ?", [self.before + "~"]  # sorts after everything with this beginning
        if self.camera is not None:
            yield f"c.camera IN ({CAMERAS} WHERE instr(lower(name), lower(?)) > 0)", [self.camera.strip()]
        if self.place is not None:
            south, west, north, east = self.place
            yield "c.latitude BETWEEN ? AND ?", [south, north]
            crossing = "OR" if west > east else "AND"
            yield f"(c.longitude >= ? {crossing} c.longitude <= ?)", [west, east]
        if self.orientation is not None:
            yield f"c.width {ORIENTATIONS[self.orientation]} c.height", []
        if self.min_px is not None:
            yield "min(c.width, c.height) >= ?", [self.min_px]
        for tag in self.tags:
            yield "c.id IN (SELECT content_id FROM tags WHERE key = ?)", [tag_key(tag)]
        for names, negation in ((self.names, ""), (self.other_names, "NOT ")):
            for name in names:
                tag = tag_key(name)
                sql, values = has_name(name, tag) if few else contents_with_name(name, tag)
                yield f"{negation}{sql}" if few else f"c.id {negation}IN ({sql})", values


EVERYTHING = Filters()


def tag_name(tag: str) -> str:
    """A tag as it is stored and shown: accents composed (macOS types them as letters of their own), single spaces."""
    return " ".join(unicodedata.normalize("NFC", tag).split())


def tag_key(tag: str) -> str:
    """The key that tags are compared by: equal for one tag in any case, in any alphabet."""
    return unicodedata.normalize("NFC", tag_name(tag).casefold())


def _check_place(place: tuple[float, float, float, float]) -> None:
    south, west, north, east = place
    if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
        raise InputError(
            "place: expected south, west, north, east in degrees, such as 47.2,8.3,47.5,8.8, with south at most north, got "
            + ",".join(f"{side:g}" for side in place),
            parameter="place",
            expected="south, west, north, east in degrees",
            got=place,
        )
