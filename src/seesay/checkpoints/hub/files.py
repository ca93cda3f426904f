"""Which files of a repository make up a checkpoint: what describes it, and one set of weights among the many it may hold."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from seesay.errors import DownloadError

# What describes a checkpoint: configurations, preprocessing, tokenizers.
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
# In order of preference: the first of these that a repository has is fetched, since many hold the same weights several times.
# safetensors before pickles; within each, open_clip's file before transformers', as its configuration tells more.
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
)
NOT_WEIGHTS = ("training_args.bin", "optimizer*", "scheduler*", "scaler*", "rng_state*")  # what a trainer leaves behind


def chosen(
    names: Iterable[str], patterns: Iterable[str] = DESCRIPTIONS, weights: Iterable[str] = WEIGHTS, repo: str = "the folder"
) -> list[str]:
    """Of a repository's files: those matching `patterns`, and one set of weights, by the first of `weights` that matches.

    A `*` does not reach across folders. Raises DownloadError where there are no weights, or several to choose from.
    """
    patterns, weights = tuple(patterns), tuple(weights)
    names = sorted(name for name in names if ".." not in PurePosixPath(name).parts and not name.startswith("/"))
    picked = {name for name in names for pattern in patterns if _matches(name, pattern)}
    for pattern in weights:
        found = [name for name in names if _matches(name, pattern) and not _left_by_a_trainer(name)]
        if not found:
            continue
        whole = {re.sub(r"-\d+-of-(\d+)(?=\.)", "", name) for name in found}  # shards 1..n are one set
        if len(whole) > 1:
            raise DownloadError(f"{repo} has several weights to choose from: {', '.join(sorted(whole))}. Name the file")
        return sorted(picked | {*found} | ({f"{w}.index.json" for w in whole} & {*names}))
    if weights:
        raise DownloadError(f"{repo} has no weights that SeeSay reads (such as {weights[0]}); it has {_few(names)}")
    if not picked:
        raise DownloadError(f"{repo} has none of the files asked for; it has {_few(names)}")
    return sorted(picked)


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def _left_by_a_trainer(name: str) -> bool:
    return any(fnmatchcase(PurePosixPath(name).name, pattern) for pattern in NOT_WEIGHTS)


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "no files"
