"""Selects the files of a repository that make up a checkpoint: those that describe it, and one set of weights."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from seesay.checkpoints.graphs.selection import EXPECTED, find_graphs, variant_of
from seesay.errors import DownloadError

# Configurations, preprocessing, tokenizers.
DESCRIPTIONS = (
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
# In order of preference: many repositories hold the same weights several times, and the first match is fetched.
# safetensors before pickles; within each, open_clip's file before transformers', whose configuration says less.
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "*.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
    "*.bin",
    "*.pt",
    "*.pth",
    "*.npz",
)
NOT_WEIGHTS = ("training_args.bin", "optimizer*", "scheduler*", "scaler*", "rng_state*")  # other files that trainers write


def select_files(
    names: Iterable[str],
    patterns: Iterable[str] = DESCRIPTIONS,
    weights: Iterable[str] = WEIGHTS,
    repo: str = "the folder",
    scheme: str = "hf:",
) -> list[str]:
    """The files that match any of `patterns`, and one set of weights, by the first of `weights` that matches.

    A `*` does not reach across folders. scheme: before the repository's name where one of its files is named; "" for a folder
    on this machine. Raises DownloadError where there are no weights, or several to choose from.
    """
    patterns, weights = tuple(patterns), tuple(weights)
    names = sorted(filter(_is_inside, names))
    described = {name for name in names for pattern in patterns if _matches(name, pattern)}
    for pattern in weights:
        matches = [name for name in names if _matches(name, pattern) and not _is_training_state(name)]
        if not matches:
            continue
        whole = {re.sub(r"-\d+-of-(\d+)(?=\.)", "", name) for name in matches}  # shards 1..n are one set
        if len(whole) > 1:
            raise DownloadError(
                f"{repo} has several weights to choose from: {', '.join(sorted(whole))}. "
                f"Name the file: {scheme}{repo}/{min(whole)}"
            )
        return sorted(described | {*matches} | ({f"{w}.index.json" for w in whole} & {*names}))
    if weights:
        raise DownloadError(
            f"{repo} has no weights that SeeSay reads (such as {weights[0]}) and no graphs ({EXPECTED}); "
            f"it has {_listed(names)}"
        )
    if not described:
        raise DownloadError(f"{repo} has none of the files asked for; it has {_listed(names)}")
    return sorted(described)


def has_weights(names: Iterable[str]) -> bool:
    """True where any of the names is that of weights; a .npz beside graphs may hold anything."""
    patterns = [pattern for pattern in WEIGHTS if not pattern.endswith(".npz")]
    return any(_matches(name, pattern) and not _is_training_state(name) for name in names for pattern in patterns)


def repository_files(
    names: Iterable[str], patterns: Iterable[str], weights: Iterable[str], repo: str, variant: str | None = None
) -> list[str]:
    """The files of a checkpoint, as `select_files` names them.

    Where there are no weights, or the caller names a variant, those of graphs that others exported. Raises DownloadError.
    """
    names, weights = [name for name in names if _is_inside(name)], tuple(weights)
    if variant is None and len(weights) == 1:  # a file that the caller names
        variant = variant_of(weights[0])
    if variant is not None or (weights and not has_weights(names)):
        graphs = find_graphs(names, variant, repo)
        if graphs is not None:
            return graphs.names
    return select_files(names, patterns, weights, repo)


def _is_inside(name: str) -> bool:
    return ".." not in PurePosixPath(name).parts and not name.startswith("/")


def _matches(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _is_training_state(name: str) -> bool:
    return any(fnmatchcase(PurePosixPath(name).name, pattern) for pattern in NOT_WEIGHTS)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "no files"
