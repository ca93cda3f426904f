"""A checkpoint in a folder, to which every process writes its shards, as safetensors by torch.distributed.checkpoint.

`rest.pt` has the other values, and a mark in place of each sharded tensor. A folder under its own name is complete.
"""

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor

from seesay.errors import ModelError, TrainingError, first_sentence
from seesay.system.files import DRAFT
from seesay.system.paths import printable
from seesay.training.processes import Processes

REST = "rest.pt"
MARK = "sharded tensor"


def write_shards(
    folder: Path, state: dict[str, Any], write_rest: Callable[[Path, dict[str, Any]], None], processes: Processes
) -> None:
    """Writes a state, by all processes together. Raises TrainingError."""
    draft = folder.with_name(f"{folder.name}{DRAFT}")
    if processes.lead:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    tensors: dict[str, Tensor] = {}
    rest = _marked(state, "", tensors)
    processes.any(False)  # the folder is there
    try:
        save(tensors, storage_writer=HuggingFaceStorageWriter(str(draft), save_distributed=True))
    except (CheckpointException, OSError, RuntimeError) as error:
        raise TrainingError(
            f"cannot write {printable(folder)}: {_cause(error)}. What was written before is whole; --resume goes on from it"
        ) from None
    if processes.lead:
        for file in draft.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        write_rest(draft / REST, rest)
        draft.rename(folder)
    processes.any(False)  # it is complete


def read_shards(folder: Path, read_rest: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The state, with whole tensors, whatever the number of processes that wrote it. Raises ModelError."""
    rest = read_rest(folder / REST)
    tensors: dict[str, Tensor] = {}
    state: dict[str, Any] = _unmarked(rest, tensors)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it reads alone
            load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=True)
    except (CheckpointException, OSError, RuntimeError, ValueError) as error:
        raise ModelError(
            f"{printable(folder)} is damaged; remove it to go on from the checkpoint before. What was met: {_cause(error)}"
        ) from None
    return state


def _cause(error: BaseException) -> str:
    """Of torch's CheckpointException, which is no Exception, the first of those that it holds, by process."""
    if isinstance(error, CheckpointException) and error.failures:
        error = next(iter(error.failures.values()))[0]
    return first_sentence(error)


def _marked(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """A copy with a mark for each sharded tensor, which goes into `tensors` by the mark's name."""
    if isinstance(value, DTensor):
        tensors[name] = value
        return {MARK: name, "shape": list(value.shape), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, dict):
        return {key: _marked(inner, f"{name}/{key}" if name else str(key), tensors) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner, f"{name}/{number}", tensors) for number, inner in enumerate(value)]
    return value


def _unmarked(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse, with empty tensors to read into."""
    if isinstance(value, dict) and MARK in value:
        tensors[value[MARK]] = torch.empty(value["shape"], dtype=getattr(torch, value["dtype"]))
        return tensors[value[MARK]]
    if isinstance(value, dict):
        return {key: _unmarked(inner, tensors) for key, inner in value.items()}
    return [_unmarked(inner, tensors) for inner in value] if isinstance(value, list) else value
