"""Time to tokenize many short captions, compared with OpenCLIP's tokenizer.

    SEESAY_DATA=... SEESAY_PEERS=/path/to/python python benchmarks/tokenizing.py [--quick] [--json]

Us: `Tokenizer` with OpenCLIP's vocabulary, padded to 77 columns. Peers, in a process of the interpreter that SEESAY_PEERS
names: `open_clip.tokenizer.SimpleTokenizer` and, where it is installed, `CLIPTokenizerFast` of transformers. All in turns:
one batch of 10,000 distinct captions of Flickr8k (of prompts made from class names where SEESAY_DATA is not set), then
batches of 64. OpenCLIP's tokenizer and ours remember words that they have met, and the rounds repeat the same captions; the
first round, which meets them all, is shown apart. Without SEESAY_PEERS only our own time is taken.

Goal: ours takes at most a third of the time that OpenCLIP's takes for the whole batch.
"""

import csv
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark import Goal, Result, Table, run
from peer import Peer
from pictures import data
from rounds import Times, interleave

from seesay.tasks.prompts import TEMPLATES
from seesay.tokenizers import SPECS, Tokenizer, vocabulary

GOAL = 1 / 3
COUNT = 10_000
BATCHES = (COUNT, 64)
US = "seesay"
CLASSNAMES = Path(__file__).parent.parent / "recipes" / "bundled" / "classes.tsv"


def measure(quick: bool) -> Result:
    result = Result()
    source, texts = captions(COUNT // 10 if quick else COUNT)
    tokenizer = Tokenizer(vocabulary("open_clip"), replace(SPECS["open_clip"], padding="context"))
    tokenizer(["a dog"])  # what loads lazily
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as folder:
        peer = tokenizing_peer(Path(folder), texts) if Peer.given() else None
        names = peer.names if peer else []

        def contenders(batch: int) -> dict[str, Callable[[], str]]:
            theirs: dict[str, Callable[[], str]] = {name: partial(peer.run, name, batch) for name in names} if peer else {}
            return {US: lambda: in_batches(tokenizer, texts, batch)} | theirs

        digests = {}
        for name, first_run in contenders(COUNT).items():
            started = time.perf_counter()
            digests[name] = first_run()
            record(result, "first run", {name: Times((time.perf_counter() - started,))})
        for batch in BATCHES:
            record(result, f"{batch:,}", interleave(contenders(batch), 3 if quick else 7))
        if peer:
            peer.close()
    if "open_clip" in names:
        ratio = result.figures["ratios"][f"{COUNT:,}"]["open_clip"]
        result.goals.append(Goal("one batch of captions, times OpenCLIP's tokenizer", ratio, GOAL))
        same = "the same as" if digests["open_clip"] == digests[US] else "NOT the same as"
        result.notes.append(f"OpenCLIP's ids of these captions are {same} ours.")
    else:
        result.notes.append("SEESAY_PEERS is not set: no peer was measured.")
    header = ("texts a batch", US, *(part for name in names for part in (name, f"{US} / {name}")))
    rows = [row(run, names, seconds) for run, seconds in result.figures["seconds"].items()]
    result.tables = [Table(f"{len(texts):,} captions ({source}), median of the rounds, ms", header, rows)]
    return result


def record(result: Result, run: str, times: dict[str, Times]) -> None:
    seconds = result.figures.setdefault("seconds", {}).setdefault(run, {})
    seconds.update({name: t.to_json() for name, t in times.items()})
    ratios = {name: round(seconds[US]["median"] / s["median"], 3) for name, s in seconds.items() if name != US}
    result.figures.setdefault("ratios", {})[run] = ratios


def row(run: str, names: list[str], seconds: dict[str, dict[str, float]]) -> tuple[str, ...]:
    cells = [run, f"{1e3 * seconds[US]['median']:.0f}"]
    for name in names:
        cells += [f"{1e3 * seconds[name]['median']:.0f}", f"{seconds[US]['median'] / seconds[name]['median']:.3f}"]
    return tuple(cells)


def captions(count: int) -> tuple[str, list[str]]:
    """(their source, distinct short English texts)."""
    folder = data()
    table = folder / "flickr8k" / "captions.tsv" if folder else None
    if table is not None and table.is_file():
        with table.open(encoding="utf-8", newline="") as stream:
            texts = dict.fromkeys(r["text"] for r in csv.DictReader(stream, delimiter="\t") if r["lang"] == "en")
        return "Flickr8k", list(texts)[:count]
    with CLASSNAMES.open(encoding="utf-8") as stream:
        names = [row["en"] for row in csv.DictReader(stream, delimiter="\t")]
    templates = [f"{start}{template}" for start in ("", "today: ", "look, ") for template in TEMPLATES]
    return "prompts", [template.replace("{}", name) for template in templates for name in names][:count]


def in_batches(tokenizer: Tokenizer, texts: list[str], batch: int) -> str:
    """Tokenizes all texts in batches; returns a digest of the last batch's ids."""
    for start in range(0, len(texts), batch):
        ids = tokenizer(texts[start : start + batch]).ids
    return hashlib.sha256(ids.astype("<i8").tobytes()).hexdigest()


def tokenizing_peer(folder: Path, texts: list[str]) -> Peer:
    (folder / "captions.json").write_text(json.dumps(texts), encoding="utf-8")
    (folder / "clip.json").write_bytes(vocabulary("clip"))
    return Peer("peer_tokenizers.py", folder / "captions.json")


if __name__ == "__main__":
    run("tokenizing", __doc__ or "", measure)
