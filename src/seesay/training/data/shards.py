"""A source of samples from tar shards, as the WebDataset library writes them.

That library takes a name such as "pipe:..." for a shell command and "http:..." for a download; a recipe must do neither. So
shards are located and opened here, and the library gets streams: its tar reading, grouping and shuffling are used.
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
from seesay.training.data.captions import WeightedCaptions, check_languages, check_weight, parse_captions, weigh_captions
from seesay.training.data.samples import Sample, SampleFault
from seesay.training.data.seeds import CAPTION, ORDER

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "avif", "gif", "bmp", "tif", "tiff")  # in the order in which they are tried
Raw = dict[str, Any]  # a sample of webdataset: bytes by lower-case suffix; __key__ and __url__


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Files of one name in a shard are a sample: an image (x.jpg, ...), and a caption (x.txt) or an object (x.json) with
    `caption`, `text` or `texts` as in a manifest, and optionally `lang`, `label`, `identity`.

    shards: local files, with patterns in braces ({000..123}) and of the shell (*). samples: in one epoch; by default counted
    from the shards' headers. shuffle: size of the shuffle buffer, in encoded samples. languages: as in a manifest. weight: of
    this source in a mixture.
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

    @property
    def listed(self) -> bool:
        """Whether all samples are known in advance."""
        return False

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that the recipe names, relative to its folder."""
        return self.shards

    def open(self, root: Path) -> "ShardSource":
        """The source; paths are relative to `root`. Raises InputError, MissingExtra."""
        try:
            import webdataset
        except ImportError:
            raise MissingExtra("reading shards", "train") from None
        files = _expand(self.shards, root)
        samples = self.samples or sum(_count(file, webdataset) for file in files)
        if not samples:
            raise InputError(f"{', '.join(self.shards)}: expected samples, got none in {len(files)} shards")
        return ShardSource(self, files, samples, webdataset)


@dataclass(frozen=True, slots=True)
class _ShardImage:
    """A sample of a shard before one of its captions is drawn."""

    image: bytes
    image_id: str
    label: str | None
    name: str
    captions: WeightedCaptions

    def sample(self, text: str) -> Sample:
        """The sample with one of the captions."""
        return Sample(self.image, text, self.image_id, self.label, self.name)


class ShardSource:
    """Shards in an order drawn by seed and epoch, their samples shuffled within a buffer.

    An epoch has exactly `samples` positions, so that any position can be reached without reading the epochs before it. If the
    shards hold more, an epoch omits the last; if they hold fewer, it starts over on them.
    """

    def __init__(self, config: Shards, files: Sequence[Path], samples: int, webdataset: ModuleType) -> None:
        self.name = ", ".join(config.shards)
        self._files, self._samples = files, samples
        self._shuffle, self._languages = config.shuffle, config.languages
        self._webdataset = webdataset

    def __len__(self) -> int:
        return self._samples

    def stream(self, seed: int, start: int = 0) -> Iterator[Sample | SampleFault]:
        """See `SampleSource`."""
        first, offset = divmod(start, len(self))
        for epoch in count(first):
            chances = np.random.default_rng((seed, epoch, CAPTION)).random(len(self))
            for position, (chance, raw) in enumerate(zip(chances.tolist(), self._epoch(seed, epoch), strict=False)):
                if position < offset:
                    continue
                if isinstance(raw, SampleFault):
                    yield raw
                    continue
                image = self._read(raw)
                yield image if isinstance(image, SampleFault) else image.sample(image.captions.draw(chance))
            offset = 0

    def once(self) -> Iterator[Sample | SampleFault]:
        """See `SampleSource`."""
        for raw in self._raw(self._files):
            image = raw if isinstance(raw, SampleFault) else self._read(raw)
            if isinstance(image, SampleFault):
                yield image
                continue
            for text in image.captions.texts:
                yield image.sample(text)

    def _epoch(self, seed: int, epoch: int) -> Iterator[Raw | SampleFault]:
        """Endless: round after round over the shards, each in another order."""
        for turn in count():
            order = np.random.default_rng((seed, epoch, ORDER, turn)).permutation(len(self._files))
            empty = True
            raws = self._raw([self._files[index] for index in order])
            if self._shuffle:
                rng = random.Random(f"{seed} {epoch} {turn}")
                raws = self._webdataset.filters.shuffle(self._shuffle, initial=self._shuffle, rng=rng)(raws)
            for raw in raws:
                empty = False
                yield raw
            if empty:
                raise InputError(f"{self.name}: expected samples, got none in {len(self._files)} shards")

    def _raw(self, files: Sequence[Path]) -> Iterator[Raw | SampleFault]:
        """The samples of the shards, in order. A truncated shard yields a fault, and the next one follows."""
        expand, group = self._webdataset.tariterators.tar_file_expander, self._webdataset.tariterators.group_by_keys
        for file in files:
            faults: list[SampleFault] = []
            try:
                stream = file.open("rb")
            except OSError as error:
                yield SampleFault(printable(file), f"cannot be opened ({error.strerror or error})")
                continue
            with stream:
                # One shard at a time: after a broken one, the library would join its last files with the next one's first.
                handler = _fault_handler(printable(file), faults)
                expanded = expand([{"url": str(file), "stream": stream}], handler=handler)
                for raw in group(expanded, handler=handler):
                    yield raw
                    yield from faults
                    faults.clear()
            yield from faults

    def _read(self, raw: Raw) -> _ShardImage | SampleFault:
        shard, key = raw["__url__"], raw["__key__"]
        name = f"{printable(shard)}, {printable(key)}"
        image = next((raw[suffix] for suffix in IMAGE_SUFFIXES if suffix in raw), None)
        if image is None:
            return SampleFault(name, "has no picture")
        try:
            about = json.loads(raw["json"].decode("utf-8")) if "json" in raw else {}
            if not isinstance(about, dict):
                return SampleFault(name, "has a json that is not an object")
            text = raw["txt"].decode("utf-8") if "txt" in raw else _first(about, "caption", "text", "texts")
            if text is None:
                return SampleFault(name, "has no text")
            captions = weigh_captions(parse_captions(text, about.get("lang")), self._languages)
        except UnicodeDecodeError:
            return SampleFault(name, "has a text that is not UTF-8")
        except InputError as error:
            return SampleFault(name, f"has a text that cannot be used ({error})")
        except (ValueError, RecursionError):
            return SampleFault(name, "has a json that is none")
        if captions is None:
            return SampleFault(name, "has no text in the recipe's languages")
        identity = str(about.get("identity") or f"{shard}/{key}")
        label = about.get("label")
        return _ShardImage(image, identity, None if label in (None, "") else str(label), name, captions)


def _fault_handler(name: str, faults: list[SampleFault]) -> Callable[[Exception], bool]:
    """A webdataset handler that records faults and continues.

    The library reports one broken place repeatedly; the first report counts.
    """
    broken = False

    def handle(error: Exception) -> bool:
        nonlocal broken
        if isinstance(error, ValueError):  # a name twice in one sample: the first file is used
            faults.append(SampleFault(name, "has a file twice"))
        elif not broken:
            broken = True
            cause = str(error.args[0]).splitlines()[0].split(" @ ")[0] if error.args else type(error).__name__
            faults.append(SampleFault(name, f"is a broken tar ({cause})"))
        return True

    return handle


def _first(about: dict[str, Any], *names: str) -> Any:
    return next((about[name] for name in names if about.get(name) is not None), None)


def _expand(patterns: Sequence[str], root: Path) -> list[Path]:
    """The files that the patterns match, each once."""
    import braceexpand  # comes with webdataset

    matches: dict[Path, None] = {}
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
            matches |= dict.fromkeys(files)
    return list(matches)


def _count(file: Path, webdataset: ModuleType) -> int:
    """Samples by the names in a tar's headers; the bytes between are skipped, except in a compressed tar."""
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
