"""Encoding speed of a random full-size SigLIP-B/16, compared with transformers.

    SEESAY_PEERS=/path/to/python python benchmarks/encode_siglip.py [--quick] [--json]

Both hold the same weights and use all cores; pixels and ids are given, and every text has 64 tokens, as SigLIP needs.
Contenders in turns; the peer in a process of the interpreter that SEESAY_PEERS names. See encode.py.

Goals, as time over transformers': 1 in float32, 1/2 in int8.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from benchmark import Goal, Result, Table, run
from encode import REST_S, encode
from peer import Peer
from random_clip import configuration, pixels, write
from rounds import Times, interleave

from seesay.checkpoints.hub.catalog import architecture
from seesay.engines import OnnxEngine
from seesay.models.clip import Clip
from seesay.models.initialise import initialise

NAME = "ViT-B-16-SigLIP"
CASES = {"images-1": 1, "images-16": 16, "texts-1": 1, "texts-16": 16}
GOALS = {"float32": 1.0, "int8": 1 / 2}
PEER = "transformers"


def measure(quick: bool) -> Result:
    result, rows = Result(), list[tuple[str, ...]]()
    with tempfile.TemporaryDirectory(prefix="seesay-bench-") as place:
        folder = Path(place)
        make(folder)
        for name, count in CASES.items():
            np.save(folder / f"{name}.npy", pixels(count, 224) if name.startswith("images") else texts(count))
        engines = {storage: OnnxEngine(folder / storage) for storage in GOALS}
        peer = Peer("peer_encode.py", folder) if Peer.given() else None
        for name, count in CASES.items():
            array = np.load(folder / f"{name}.npy")
            contenders: dict[str, Callable[[], object]] = {
                f"seesay {storage}": partial(encode, engine, array) for storage, engine in engines.items()
            }
            contenders |= {library: partial(peer.run, library, name) for library in peer.names} if peer else {}
            rounds = (2 if quick else 7) if count > 1 else (3 if quick else 25)
            times = interleave(contenders, rounds, warm_ups=1, rest=REST_S)
            record(result, name, times)
            rows.append((name, *(f"{1e3 * t.median:.1f} ({count / t.median:.1f})" for t in times.values())))
        if peer:
            peer.close()
        else:
            result.notes.append("SEESAY_PEERS is not set: no peer was measured.")
    header = ("", *next(iter(result.figures["seconds"].values())))
    result.tables = [Table("Median time, ms; in brackets per second", header, rows)]
    return result


def record(result: Result, name: str, times: dict[str, Times]) -> None:
    result.figures.setdefault("seconds", {})[name] = {who: t.to_json() for who, t in times.items()}
    for storage, goal in GOALS.items() if PEER in times else ():
        ratio = times[f"seesay {storage}"].over(times[PEER])
        result.figures.setdefault("ratios", {})[f"{name} {storage}"] = round(ratio, 3)
        result.goals.append(Goal(f"{name}, {storage}, times {PEER}", ratio, goal))


def make(folder: Path) -> None:
    """Writes float32, int8 and transformers' format."""
    found = architecture(NAME, "gelu_tanh")
    torch.manual_seed(0)
    clip = Clip(configuration(found, "siglip", found.tokenizer_spec, logit_bias=-10.0))
    for tower in (clip.image, clip.text):
        initialise(tower)
    write(clip, None, folder, (PEER,))


def texts(count: int) -> np.ndarray:
    """Ids (count, 64) of random texts that are padded with their end."""
    ids = np.random.default_rng(1).integers(1000, 30000, (count, 64))
    ids[:, 16:] = 1
    return ids


if __name__ == "__main__":
    run("encode_siglip", __doc__ or "", measure)
