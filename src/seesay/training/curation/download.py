"""Downloads the pictures of a list of URLs into tar shards, by img2dataset in an environment of its own.

img2dataset (Beaumont 2021, MIT licence) is what LAION's data sets were fetched with. It pins other versions of libraries that
SeeSay uses, so it is a program beside SeeSay and not a dependency. It leaves out pictures whose server forbids their use for
training (X-Robots-Tag), reads a picture's bytes whole before it looks at them, and asks whatever address a URL names.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seesay.errors import InputError
from seesay.system.files import file_state, write_atomically
from seesay.system.network import offline
from seesay.system.paths import printable
from seesay.training.curation.tables import column_names, parts, present_columns, text_column

PROGRAM = "img2dataset"
FORMATS = {".parquet": "parquet", ".tsv": "tsv", ".csv": "csv", ".jsonl": "jsonl"}
URL_COLUMNS = ("url", "image_url", "image")  # in order of preference, in any case
MOST_PIXELS = 100_000_000  # of a picture; larger ones are left out
LOG = "img2dataset.log"
ORIGIN = "list.txt"  # JSON: of which list the shards in a folder are; img2dataset takes every .json there for its own
WATCH_S = 0.5
HOME = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # of this environment, which the other one must not take

Watch = Callable[[int, int], None]  # (rows that were tried, pictures that were fetched)


@dataclass(frozen=True)
class Download:
    """What became of a list. rows: URLs that were tried; reasons: why pictures are missing, with how many."""

    folder: Path
    shards: int
    rows: int
    fetched: int
    reasons: Mapping[str, int]


@dataclass(frozen=True)
class Options:
    """How pictures are fetched. url, text: columns of the list; px: shorter side to which larger pictures are reduced;
    pairs_a_shard: URLs of one tar file; timeout_s: of a connection; retries: of a URL that did not answer."""

    url: str
    text: str
    px: int = 256
    processes: int = 1
    threads: int = 32
    pairs_a_shard: int = 10_000
    timeout_s: int = 10
    retries: int = 0


def find_program(given: Path | None) -> str:
    """The program: the given one, or that of the search path. Raises InputError with how to get it."""
    found = shutil.which(str(given) if given is not None else PROGRAM)
    if found is not None:
        return found
    what = f"{printable(str(given))} is not a program" if given is not None else f"{PROGRAM} is not installed"
    raise InputError(
        f"{what}. It needs an environment of its own: `uv tool install {PROGRAM}`, or `python3 -m venv FOLDER` and "
        f"`FOLDER/bin/pip install {PROGRAM}`; then say --img2dataset FOLDER/bin/{PROGRAM}"
    )


def count_rows(urls: Path) -> int | None:
    """The rows of a list, where its file says so."""
    counts = [part.rows for part in parts([urls])]
    return None if None in counts else sum(count or 0 for count in counts)


def columns(urls: Path, url: str | None = None, text: str | None = None) -> tuple[str, str]:
    """The columns of a list with the URLs and with the captions. Raises InputError, MissingExtra."""
    if urls.suffix.lower() not in FORMATS:
        raise InputError(f"{printable(urls)}: expected a list of URLs that ends in {', '.join(FORMATS)}")
    if not urls.is_file():
        raise InputError(f"no file is called {printable(urls)}")
    names = column_names(urls)
    found = next(iter(present_columns(names, URL_COLUMNS)), None) if url is None else url
    if found not in names:
        expected = f"a column {url!r}" if url is not None else f"a column with the URLs ({', '.join(URL_COLUMNS)})"
        raise InputError(f"{printable(urls)}: expected {expected}, got {', '.join(names) or 'none'}. Name it with --url-column")
    assert found is not None
    return found, text_column(urls, text)


def download(urls: Path, out: Path, program: str, options: Options, *, watch: Watch | None = None) -> Download:
    """Runs img2dataset on a list; its own messages go to `LOG` in the folder `out`.

    Shards that are complete stay, so that a run that was killed goes on with the others. Raises InputError where the program
    ends with an error, or fetched into this folder another list or with other options; and where SEESAY_OFFLINE is set.
    """
    if offline():
        raise InputError("nothing was fetched, because SEESAY_OFFLINE is set")
    _claim(out, urls, options)
    with (out / LOG).open("ab") as log:
        process = subprocess.Popen(
            _command(urls, out, program, options), stdout=log, stderr=log, env=_environment(), start_new_session=True
        )
        try:
            while process.poll() is None:
                time.sleep(WATCH_S)
                if watch is not None:
                    state = read_stats(out)
                    watch(state.rows, state.fetched)
        except BaseException:
            _stop(process)
            raise
    if process.returncode:
        lines = (out / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise InputError(
            f"{PROGRAM} ended with exit code {process.returncode}: {lines[-1] if lines else 'it said nothing'}. "
            f"All that it said is in {printable(out / LOG)}"
        )
    return read_stats(out)


def _claim(out: Path, urls: Path, options: Options) -> None:
    """Makes the folder for a list. Raises InputError where it has another list's shards, which would be taken for these."""
    state = file_state(urls)
    fixed = [str(urls.absolute()), state and state[1:], options.url, options.text, options.px, options.pairs_a_shard]
    own = json.loads(json.dumps(fixed))
    file = out / ORIGIN
    try:
        present = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    except (OSError, ValueError):
        present = None
    if present not in (None, own) or (present is None and any(out.glob("*_stats.json"))):
        raise InputError(f"{printable(out)} has shards of another list, or of other options; name another folder")
    write_atomically(file, json.dumps(own, ensure_ascii=False))


def read_stats(folder: Path) -> Download:
    """What the shards in a folder hold and lack, from the records that img2dataset keeps of them."""
    shards = rows = fetched = 0
    reasons: Counter[str] = Counter()
    for file in sorted(folder.glob("*_stats.json")):
        try:
            stats = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # it is being written
            continue
        shards, rows, fetched = shards + 1, rows + stats["count"], fetched + stats["successes"]
        reasons.update({reason: count for reason, count in stats["status_dict"].items() if reason != "success"})
    return Download(folder, shards, rows, fetched, dict(reasons.most_common()))


def _command(urls: Path, out: Path, program: str, options: Options) -> list[str]:
    settings = {
        "url_list": str(urls.absolute()),
        "output_folder": str(out.absolute()),
        "input_format": FORMATS[urls.suffix.lower()],
        "url_col": options.url,
        "caption_col": options.text,
        "output_format": "webdataset",
        "image_size": options.px,
        "resize_mode": "keep_ratio",
        "resize_only_if_bigger": True,
        "max_image_area": MOST_PIXELS,
        "processes_count": options.processes,
        "thread_count": options.threads,
        "number_sample_per_shard": options.pairs_a_shard,
        "timeout": options.timeout_s,
        "retries": options.retries,
    }
    # Its command line reads values as Python's literals: a column called 1 would be a number.
    written = {name: json.dumps(value) if isinstance(value, str) else value for name, value in settings.items()}
    return [program, *(f"--{name}={value}" for name, value in written.items())]


def _environment() -> dict[str, str]:
    """This environment without its Python; and without the question for a newer version that one of its libraries asks."""
    return {name: value for name, value in os.environ.items() if name not in HOME} | {"NO_ALBUMENTATIONS_UPDATE": "1"}


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends the program and the processes that it started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    process.wait()
