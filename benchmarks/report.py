"""Runs every benchmark, or those that are named, and rewrites docs/benchmarks.md (`make bench`).

    SEESAY_DATA=... python benchmarks/report.py [NAME ...] [--quick]

What was measured is kept in docs/benchmarks.json, so that the page can be written again when some of it is measured anew; every
section tells its day. A benchmark that fails ends the run; those before it are written.
"""

import argparse
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
KEPT = PAGE.with_suffix(".json")
SCRIPTS = (
    "cold_start",
    "index_throughput",
    "search_latency",
    "query_latency",
    "everyday",
    "likely",
    "detection",
    "few_shot",
    "segmentation",
    "explanation",
    "regions",
    "zero_shot",
    "duplicates",
    "map",
    "prompt",
    "mix",
    "generated_scores",
    "drawing",
    "encode",
    "encode_siglip",
    "engines",
    "bundled",
    "beside_others",
    "load_time",
    "inspecting",
    "conditioning",
    "tokenizing",
    "data_loading",
    "curation",
    "contrastive_loss",
    "train_step",
    "short_inputs",
    "finetune",
    "distillation",
    "serve_load",
    "laptop",
)
TITLES = {
    "cold_start": "Cold start",
    "index_throughput": "Indexing",
    "search_latency": "Searching",
    "query_latency": "What sums, filters and orders add to a search",
    "everyday": "What people look for",
    "likely": "Which hits are likely",
    "detection": "Boxes of what labels name",
    "few_shot": "Names learned from a few pictures",
    "segmentation": "Where things are",
    "explanation": "Why a text fits",
    "regions": "Small things in a library",
    "zero_shot": "Which label fits",
    "duplicates": "Pictures that are one",
    "map": "The map",
    "prompt": "A prompt from a picture",
    "mix": "Pictures mixed with words",
    "generated_scores": "Scores of generated pictures",
    "drawing": "Drawing what a text says",
    "encode": "Encoding",
    "encode_siglip": "Encoding with SigLIP",
    "engines": "OpenVINO beside ONNX Runtime",
    "bundled": "The bundled model's picture tower",
    "beside_others": "Beside other work",
    "load_time": "Opening a checkpoint",
    "inspecting": "What is in a generator's file",
    "conditioning": "What a generator is given",
    "tokenizing": "Tokenizing",
    "data_loading": "Loading for training",
    "curation": "Captions balanced over queries",
    "contrastive_loss": "The contrastive loss",
    "train_step": "A training step",
    "short_inputs": "A training step on short inputs",
    "finetune": "Fine-tuning, and what it forgets",
    "distillation": "A small student of the bundled model",
    "serve_load": "A server under load",
    "laptop": "What this machine does without a GPU",
}

WIDTH = 128

INTRODUCTION = """\
# Benchmarks

Written by `make bench` (`benchmarks/report.py`); do not edit it by hand. Each script runs SeeSay and its peer in one run, in
turns, so that whatever else the machine does meets both; ratios come from medians where nothing else is said. "Others" is how
many cores other processes used meanwhile: the nearer to 0, the more the milliseconds mean."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCRIPTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds, for trying it")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SCRIPTS):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if options.names and KEPT.exists() else {}
    for name in options.names or SCRIPTS:
        kept[name] = measured(name, options.quick)
        write({name: kept[name] for name in SCRIPTS if name in kept})
    print(f"wrote {PAGE.relative_to(HERE.parent)}")


def write(runs: dict[str, dict[str, Any]]) -> None:
    """Writes the figures, and the page made of them."""
    KEPT.write_text(json.dumps(runs, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(runs), encoding="utf-8")


def measured(name: str, quick: bool) -> dict[str, Any]:
    """Runs one script and prints its output, except the last line, which has the figures."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", env=os.environ | {"PYTHONIOENCODING": "utf-8"})
    if done.returncode:
        raise SystemExit(f"{name} failed with exit code {done.returncode}")
    shown, _, figures = done.stdout.rstrip("\n").rpartition("\n")
    print(shown, flush=True)
    loaded: dict[str, Any] = json.loads(figures)
    return loaded


def page(runs: dict[str, dict[str, Any]]) -> str:
    parts = [INTRODUCTION, setting(runs), "## Goals", goals(runs)]
    for name, run in runs.items():
        quick = " A quick run: less data and fewer rounds than the goals are stated for." if run["quick"] else ""
        parts += [f"## {TITLES[name]}", run["about"].strip(), f"{run['date']}, others: {cores(run)}.{quick}"]
        for table in run["tables"]:
            parts += [table["title"] + ":", markdown(table["header"], table["rows"])]
        parts += run["notes"]
        if name == "index_throughput":
            parts += ['### decode="fast"', fast_decoding(run)]
    return "\n\n".join(parts) + "\n"


def setting(runs: dict[str, dict[str, Any]]) -> str:
    """Lists the machines, each with what was measured on it."""
    settings: dict[tuple[str, ...], list[str]] = {}
    for name, run in runs.items():
        machine = run["machine"]
        settings.setdefault(
            (
                f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB",
                machine["system"],
                ", ".join(f"{package} {version}" for package, version in machine["versions"].items()),
            ),
            [],
        ).append(name)
    rows = []
    for (machine, system, versions), names in settings.items():
        rows += [["machine", machine], ["system", system], ["versions", versions]]
        if len(settings) > 1:
            rows.append(["measured there", ", ".join(names)])
    return markdown(["", ""], rows, align=False)


def goals(runs: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, run in runs.items():
        for goal in run["goals"]:
            verdict = "met" if goal["met"] else "**not met**"
            rows.append([f"`{name}.py`", goal["what"], f"{goal['value']:.2f}", f"{goal['limit']:g}", verdict, cores(run)])
    return markdown(["script", "ratio", "measured", "goal, at most", "", "others"], rows, align=False)


def cores(run: dict[str, Any]) -> str:
    return "not known" if run["others_cores"] is None else f"{run['others_cores']:.2f} cores"


def fast_decoding(run: dict[str, Any]) -> str:
    """A sentence on the fast decode mode, from the figures."""
    name, large = next(iter(run["decode"].items()))
    worst_name, worst = min(run["decode"].items(), key=lambda entry: entry[1]["cosine_mean"])
    text = (
        "The library decodes JPEGs at 1/2, 1/4 or 1/8 of their size where both sides keep twice what the model takes; `Model` "
        f"decodes exactly unless it is told otherwise. On {large['count']:.0f} JPEGs ({name}) reading one took "
        f"{large['fast_ms']:.0f} ms instead of {large['exact_ms']:.0f} ms, {large['exact_ms'] / large['fast_ms']:.1f} times as "
        f"fast; the model's input moved by {large['pixels_mean']:.2f} levels of 255 on average and {large['pixels_max']:.0f} "
        f"at most, and the cosine between both vectors of a picture was {large['cosine_mean']:.5f} on average and "
        f"{large['cosine_min']:.5f} at least. The largest differences were those of {worst_name}: {worst['pixels_mean']:.2f} "
        f"levels on average, {worst['pixels_max']:.0f} at most, cosine {worst['cosine_mean']:.5f} on average, "
        f"{worst['cosine_min']:.5f} at least."
    )
    limits = (
        "The photos at hand are small. Enlarged, they hold no detail beyond their own size, and the noise laid over them "
        "stands for a sensor's. The mosaics, tiled with photos at about their own size, hold detail everywhere. A JPEG whose "
        "shorter side is less than four times the model's input is decoded exactly in both modes."
    )
    paragraphs = [text, *([recall(run["recall"])] if "recall" in run else []), limits]
    return "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)


def recall(found: dict[str, dict[str, float]]) -> str:
    changes = ", ".join(f"{k} {(r['fast'] - r['exact']) * 100:+.2f} points" for k, r in found.items())
    moved = sum(r["lost"] + r["won"] for r in found.values())
    net = sum(r["won"] - r["lost"] for r in found.values())
    return (
        f"Text-to-image recall with fast against exact decoding: {changes}. Over the three cut-offs {moved:.0f} captions came "
        f"into or fell out of the first k, {net:+.0f} net."
    )


def markdown(header: list[str], rows: list[list[str]], *, align: bool = True) -> str:
    rule = [":--" if i == 0 or not align else "--:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *rows))


if __name__ == "__main__":
    main()
