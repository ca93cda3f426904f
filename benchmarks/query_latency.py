"""Time that sums of words and pictures, filters, tags, orders and relevance add to a plain search.

    python benchmarks/query_latency.py [--quick] [--json]

A library as if of 200,000 photos over ten years, from four cameras, in 200 folders, with places and tags, and random vectors of
the bundled model's space. Every kind of query runs in turns with the plain one, those with a photo with a search by that photo
alone; words and photos are encoded with the bundled model.

Then the cost of relevance: the same vector is searched for by corrected ranks, with marked hits, and by cosine alone, in turns;
also in a library as if of 1,000 photos.

Goals: each query takes at most 1.3 times as long as the plain search; ranks and marks take at most 2 ms over 1,000 photos, 5 ms
over 200,000.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from benchmark import Goal, Result, Table, run
from rounds import interleave

import seesay
from seesay.images.metadata import Metadata
from seesay.library import Filters
from seesay.library.search.background import Form
from seesay.library.search.encode import EncodedQuery
from seesay.library.search.search import Options, Score, search_encoded
from seesay.library.search.terms import Terms
from seesay.library.storage.store import Store
from seesay.library.vectors import open_index
from seesay.library.vectors.sync import sync
from seesay.model import Model
from seesay.models.vectors import normalize

GOAL = 1.3
RELEVANCE_MS, RELEVANCE_MS_MANY = 2.0, 5.0
SMALL, PHOTOS, QUICK, ROUNDS = 1000, 200_000, 20_000, 30
CAMERAS = ("Canon EOS 5D", "Nikon D850", "Apple iPhone 15", "Fujifilm X100V")
PLAIN = "a dog on the grass"
PHOTO = "a photo"
EXAMPLE = Path(__file__).parent.parent / "examples" / "photos" / "animals" / "dalmatian-1.jpg"


def measure(quick: bool) -> Result:
    result = Result()
    photos, rounds = (QUICK, 8) if quick else (PHOTOS, ROUNDS)
    model = seesay.load()
    relevance: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        fill(Path(folder) / "small", model, SMALL)
        with seesay.Library(Path(folder) / "small", model) as library:
            relevance.append(_relevance(result, library, SMALL, 5 * rounds))
        fill(Path(folder) / "library", model, photos)
        with seesay.Library(Path(folder) / "library", model) as library:
            hit = library.search(PLAIN)[0]
            searches = _searches(library, str(hit.id), Path(folder) / "library" / "photos")
            times = interleave(searches, rounds, warm_ups=2)
            relevance.append(_relevance(result, library, photos, rounds))
    rows: list[tuple[str, ...]] = []
    for name, measured in times.items():
        plain = PHOTO if "photo" in name else PLAIN
        ratio = measured.over(times[plain])
        rows.append((name, f"{1e3 * measured.median:.1f}", f"{1e3 * measured.best:.1f}", f"{ratio:.2f}"))
        result.figures[name] = {**measured.to_json(1e3), "ratio": round(ratio, 3)}
        if name != plain:
            result.goals.append(Goal(f"{name}, times {'a photo alone' if plain == PHOTO else 'the plain search'}", ratio, GOAL))
    header = ("query", "median ms", "best", "ratio")
    result.tables = [Table(f"The ten nearest of {photos:,} photos, {rounds} rounds in turns", header, rows)]
    columns = ("photos", "by rank, ms", "by cosine, ms", "the product alone, ms", "ranks and marks, ms", "of the processor")
    result.tables.append(Table("What ranks and marks add: medians, and the difference of the bests", columns, relevance))
    return result


def _relevance(result: Result, library: seesay.Library, photos: int, rounds: int) -> tuple[str, ...]:
    """Measures what ranks and marks add to the same search by cosine.

    It is little beside the product, whose time varies more from round to round, so the bests of both are compared.
    """
    query = EncodedQuery(Terms(library.model.encode_text([PLAIN])[0]), Form.SENTENCE)
    scores: tuple[Score, ...] = ("rank", "cosine")

    def search(options: Options) -> None:
        with library.session() as session:
            search_encoded(session, query, options)

    with library.session() as session:
        vectors = session.vectors("image")
    runs: dict[str, Callable[[], object]] = {each: partial(search, Options(score=each)) for each in scores}
    times = interleave({**runs, "product": lambda: vectors.cosines(query.terms.positive)}, rounds, warm_ups=2)
    used = {score: _processor_s(run, rounds) for score, run in runs.items()}
    by_clock, by_processor = (1e3 * (by["rank"] - by["cosine"]) for by in ({s: times[s].best for s in scores}, used))
    result.figures[f"relevance over {photos} photos"] = {
        "milliseconds": round(by_clock, 3),
        "processor_milliseconds": round(by_processor, 3),
        **{name: measured.to_json(1e3) for name, measured in times.items()},
    }
    limit = RELEVANCE_MS if photos == SMALL else RELEVANCE_MS_MANY
    result.goals.append(Goal(f"what ranks and marks add to a search of {photos:,} photos, ms", by_clock, limit))
    medians = (f"{1e3 * times[name].median:.2f}" for name in times)
    return (f"{photos:,}", *medians, f"{by_clock:.2f}", f"{by_processor:.2f}")


def _processor_s(run: Callable[[], object], rounds: int) -> float:
    """The processor time of this thread in the fastest run."""
    used = []
    for _ in range(rounds):
        begin = time.thread_time()
        run()
        used.append(time.thread_time() - begin)
    return min(used)


def _searches(library: seesay.Library, hit: str, photos: Path) -> dict[str, Callable[[], object]]:
    def filtered(**filters: object) -> Callable[[], object]:
        return lambda: library.search(PLAIN, filters=Filters(**filters))  # type: ignore[arg-type]

    return {
        PLAIN: lambda: library.search(PLAIN),
        "a sum of two words less a third": lambda: library.search('"a dog" + 0.5*grass - people'),
        "words and an earlier hit": lambda: library.search(f"{PLAIN} + like:{hit}"),
        PHOTO: lambda: library.search(image=EXAMPLE),
        "a photo and words less others": lambda: library.search(f'photo:"{EXAMPLE}" + {PLAIN} - people'),
        "a photo, one year, one camera": lambda: library.search(
            image=EXAMPLE, filters=Filters(after="2019", before="2019", camera="nikon")
        ),
        "only what is likely": lambda: library.search(PLAIN, likely=True),
        "a word": lambda: library.search("dog"),
        "a part of a name": lambda: library.search(f"{PLAIN} + name:0042"),
        "one year of ten": filtered(after="2019", before="2019"),
        "one day": filtered(after="2019-05-17", before="2019-05-17"),
        "one camera of four": filtered(camera="nikon"),
        "a place, a thousandth": filtered(place=(47.0, 8.0, 48.0, 11.0)),
        "one folder of 200": filtered(under=photos / "0042"),
        "a tag of one in 1,000": filtered(tag="receipt"),
        "a year, a camera and upright": filtered(after="2019", before="2019", camera="canon", orientation="portrait"),
        "by date above a score": lambda: library.search(PLAIN, sort="newest", filters=Filters(min_score=0.15)),
    }


def fill(folder: Path, model: Model, photos: int) -> None:
    """Writes a library as if of so many photos."""
    generator = np.random.default_rng(0)
    store = Store(folder, create=True)
    space = store.ensure_space(model.space_id, model.dim, model.name)
    root = store.add_root(str(folder / "photos"))
    with store.transaction():
        tagged = []
        for number in range(photos):
            year, month, day, hour = 2015 + number % 10, 1 + number // 10 % 12, 1 + number // 120 % 28, number // 3360 % 24
            taken_at = f"{year}-{month:02d}-{day:02d}T{hour:02d}:00:00"
            latitude, longitude = generator.uniform(-60, 70), generator.uniform(-180, 180)
            path = f"{number * 200 // photos:04d}/photo-{number:07d}.jpg"
            sizes = (4000, 3000) if generator.random() < 0.7 else (3000, 4000)
            exif = Metadata(1, taken_at, CAMERAS[generator.integers(4)], latitude, longitude)
            content = store.put_content(hashlib.sha256(path.encode()).digest(), "image", *sizes, exif)
            vector = normalize(generator.standard_normal(model.dim).astype(np.float32))
            store.put_vector(store.put_item(content), space, model.build_id, vector.tobytes())
            store.put_file(root, path, 2_000_000, 0, content)
            if number % 1000 == 0:
                tagged.append((content, "receipt", None))
        store.put_tags(tagged)
    sync(open_index(store.vector_folder(space), space.dim), store, space)
    store.close()


if __name__ == "__main__":
    run("query_latency", __doc__ or "", measure)
