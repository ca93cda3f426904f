"""Tar shards, as the WebDataset library writes them, as a source of samples.

That library takes a name such as "pipe:..." for a shell command and "http:..." for a download; a recipe must do neither. So
shards are found and opened here, and the library gets streams: its tar reading, grouping and shuffling are used.
"""

import glob
import json
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from seesay.errors import InputError, MissingExtra
from seesay.system.paths import printable
from seesay.training.data.listing import ORDER, TEXT
from seesay.training.data.samples import Fault, Sample
from seesay.training.data.texts import Texts, check_languages, check_weight, read_texts, texts_to_draw

PICTURES = ("jpg", "jpeg", "png", "webp", "avif", "gif", "bmp", "tif", "tiff")  # the first that a sample has
Raw = dict[str, Any]  # of webdataset: bytes by lower-case suffix; __key__ and __url__


@dataclass(frozen=True, kw_only=True)
class Shards:
    """A sample is what has one name in a shard: a picture (x.jpg, ...), and its text (x.txt) or an object (x.json) with
    `caption`, `text` or `texts` as in a manifest, and where present `lang`, `label`, `identity`.

    shards: local files, with patterns in braces ({000..123}) and of the shell (*). samples: in one pass; counted from the
    shards' headers where it is not said. shuffle: samples held back, encoded, to draw the next from. languages: as in a
    manifest. weight: of this source in a mix.
    """

    shards: tuple[str, ...]
    kind: Literal["webdataset"] = "webdataset"
    samples: int | None = None
    shuffle: int = 1000
    languages: dict[str, float] = field(default_factory=dict)
    weight: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.shards, str) or not self.shards:
            raise InputError(f"expected a list of shards, got {self.shards!r}")
        if remote := [name for name in self.shards if "://" in name or "pipe:" in name.lower()]:
            raise InputError(f"expected local tar files, got {remote[0]!r}. Download shards first; commands are never run")
        if self.samples is not None and self.samples < 1:
            raise InputError(f"expected samples of at least 1, got {self.samples}; leave it out to have them counted")
        if self.shuffle < 0:
            raise InputError(f"expected shuffle of 0 or more, got {self.shuffle}")
        check_languages(self.languages)
        check_weight(self.weight)


def open_shards(config: Shards, root: Path) -> "ShardSource":
    """Paths are relative to `root`. Raises InputError, MissingExtra."""
    try:
        import webdataset
    except ImportError:
        raise MissingExtra("reading shards", "train") from None
    files = _found(config.shards, root)
    samples = config.samples or sum(_count(file, webdataset) for file in files)
    if not samples:
        raise InputError(f"{', '.join(config.shards)}: expected samples, got none in {len(files)} shards")
    return ShardSource(config, files, samples, webdataset)


class ShardSource:
    """Shards in an order by seed and pass, and their samples shuffled a little.

    A pass has just `samples` places, so that any place can be found again without reading the passes before it. Where the
    shards hold more, a pass leaves the last out; where they hold less, it begins anew on them.
    """

    def __init__(self, config: Shards, files: Sequence[Path], samples: int, webdataset: ModuleType) -> None:
        self.name = ", ".join(config.shards)
        self._files, self._samples = files, samples
        self._shuffle, self._languages = config.shuffle, config.languages
        self._webdataset = webdataset

    def __len__(self) -> int:
        return self._samples

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | Fault]:
        first, offset = divmod(start, len(self))
        for number in count(first):
            chances = np.random.default_rng((seed, number, TEXT)).random(len(self))
            for place, (chance, raw) in enumerate(zip(chances.tolist(), self._pass(seed, number), strict=False)):
                if place < offset:
                    continue
                if isinstance(raw, Fault):
                    yield raw
                    continue
                made = self._read(raw)
                yield made if isinstance(made, Fault) else made[0](made[1].drawn(chance))
            offset = 0

    def once(self) -> Iterator[Sample | Fault]:
        for raw in self._raw(self._files):
            made = raw if isinstance(raw, Fault) else self._read(raw)
            if isinstance(made, Fault):
                yield made
                continue
            for text in made[1].texts:
                yield made[0](text)

    def _pass(self, seed: int, number: int) -> Iterator[Raw | Fault]:
        """Endless: round after round over the shards, each in another order."""
        for turn in count():
            order = np.random.default_rng((seed, number, ORDER, turn)).permutation(len(self._files))
            empty = True
            raws = self._raw([self._files[index] for index in order])
            if self._shuffle:
                how = {"initial": self._shuffle, "rng": random.Random(f"{seed} {number} {turn}")}
                raws = self._webdataset.filters.shuffle(self._shuffle, **how)(raws)
            for raw in raws:
                empty = False
                yield raw
            if empty:
                raise InputError(f"{self.name}: expected samples, got none in {len(self._files)} shards")

    def _raw(self, files: Sequence[Path]) -> Iterator[Raw | Fault]:
        """What the shards hold, in order. A shard that breaks off is a fault and not an end."""
        expand, group = self._webdataset.tariterators.tar_file_expander, self._webdataset.tariterators.group_by_keys
        for file in files:
            faults: list[Fault] = []
            try:
                stream = file.open("rb")
            except OSError as error:
                yield Fault(printable(file), f"cannot be opened ({error.strerror or error})")
                continue
            with stream:
                # One shard at a time: after a broken one, the library would join what is left of it with the next.
                keep = _keeper(printable(file), faults)
                expanded = expand([{"url": str(file), "stream": stream}], handler=keep)
                for raw in group(expanded, handler=keep):
                    yield raw
                    yield from faults
                    faults.clear()
            yield from faults

    def _read(self, raw: Raw) -> tuple[Callable[[str], Sample], Texts] | Fault:
        """(what makes a sample of a text, the texts), or what is wrong."""
        shard, key = raw["__url__"], raw["__key__"]
        name = f"{printable(shard)}, {printable(key)}"
        picture = next((raw[suffix] for suffix in PICTURES if suffix in raw), None)
        if picture is None:
            return Fault(name, "has no picture")
        try:
            about = json.loads(raw["json"].decode("utf-8")) if "json" in raw else {}
            if not isinstance(about, dict):
                return Fault(name, "has a json that is not an object")
            said = raw["txt"].decode("utf-8") if "txt" in raw else _first(about, "caption", "text", "texts")
            if said is None:
                return Fault(name, "has no text")
            texts = texts_to_draw(read_texts(said, about.get("lang")), self._languages)
        except UnicodeDecodeError:
            return Fault(name, "has a text that is not UTF-8")
        except InputError as error:
            return Fault(name, f"has a text that cannot be used ({error})")
        except (ValueError, RecursionError):
            return Fault(name, "has a json that is none")
        if texts is None:
            return Fault(name, "has no text in the recipe's languages")
        identity = str(about.get("identity") or f"{shard}/{key}")
        label = about.get("label")
        return lambda text: Sample(picture, text, identity, None if label in (None, "") else str(label), name), texts


def _keeper(name: str, faults: list[Fault]) -> Callable[[Exception], bool]:
    """A handler of webdataset's that goes on. The library reports one broken place more than once; the first counts."""
    broken = False

    def keep(error: Exception) -> bool:
        nonlocal broken
        if isinstance(error, ValueError):  # a name twice in one sample: the first file is kept
            faults.append(Fault(name, "has a file twice"))
        elif not broken:
            broken = True
            said = str(error.args[0]).splitlines()[0].split(" @ ")[0] if error.args else type(error).__name__
            faults.append(Fault(name, f"is a broken tar ({said})"))
        return True

    return keep


def _first(about: dict[str, Any], *names: str) -> Any:
    return next((about[name] for name in names if about.get(name) is not None), None)


def _found(patterns: Sequence[str], root: Path) -> list[Path]:
    import braceexpand  # comes with webdataset

    found: dict[Path, None] = {}
    for pattern in patterns:
        try:
            names = list(braceexpand.braceexpand(pattern))
        except ValueError as error:
            raise InputError(f"{pattern!r} is not a pattern: {error}") from None
        for name in names:
            path = root / name
            files = [Path(match) for match in sorted(glob.glob(str(path)))] if glob.has_magic(name) else [path]
            files = [file for file in files if file.is_file()]
            if not files:
                raise InputError(
                    f"{printable(path)}: expected a shard, there is no such file; paths begin at the recipe's folder or `root`"
                )
            found |= dict.fromkeys(files)
    return list(found)


def _count(file: Path, webdataset: ModuleType) -> int:
    """Samples by the names in a tar's headers; the bytes between are passed over, but for a compressed tar."""
    samples, last = 0, None
    try:
        with tarfile.open(file) as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps every header
                key, _ = webdataset.tariterators.base_plus_ext(member.name)
                if member.isreg() and key is not None and key != last:
                    samples, last = samples + 1, key
    except (tarfile.TarError, OSError, EOFError):
        samples += 1  # the fault
    return samples
