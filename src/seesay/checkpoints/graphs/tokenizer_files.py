"""The tokenizer beside foreign graphs: its vocabulary, padding, length and end of text, with contradictions found."""

from dataclasses import dataclass
from pathlib import Path

from seesay.checkpoints.graphs.header import GraphHeader
from seesay.errors import CheckpointError, ModelError
from seesay.system.schema import read_object
from seesay.tokenizers import pad_id, tokenizer_json
from seesay.tokenizers.from_files import FILES

NO_LIMIT = 10_000  # ids; tokenizers without a limit of their own state a huge one


@dataclass(frozen=True)
class TokenizerFiles:
    """pieces: one more than the highest id. length: the most ids of a text that its settings state. end: the last id of every
    text, None where a text ends without one."""

    folder: Path
    content: bytes
    pieces: int
    pad_id: int
    length: int | None
    end: int | None


def read_tokenizer(folder: Path) -> TokenizerFiles:
    """The tokenizer of a folder. Raises CheckpointError where there is none, or none that names its padding."""
    import tokenizers

    try:
        content = tokenizer_json(folder)
    except ModelError as error:
        raise CheckpointError(f"{folder} has no tokenizer that can be read: put {FILES} there ({error})") from None
    try:
        backend = tokenizers.Tokenizer.from_buffer(content)
        pieces = max(backend.get_vocab(with_added_tokens=True).values()) + 1
        bare, empty = backend.encode("", add_special_tokens=False).ids, backend.encode("").ids
    except Exception as error:  # the library raises a bare Exception
        raise CheckpointError(f"{folder / 'tokenizer.json'} is not a tokenizer.json that can be read: {error}") from None
    padding = pad_id(folder)
    if padding is None:
        raise CheckpointError(
            f"{folder} does not say which token pads a text. Its tokenizer_config.json must name it as pad_token"
        )
    return TokenizerFiles(folder, content, pieces, padding, _length(folder), empty[-1] if len(empty) > len(bare) else None)


def _length(folder: Path) -> int | None:
    file = folder / "tokenizer_config.json"
    value = read_object(file).get("model_max_length") if file.is_file() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= NO_LIMIT:
        return None
    return int(value)


def context_length(
    files: TokenizerFiles, *, stated: int | None, fixed: int | None, default: int, override: int | None, source: Path
) -> int:
    """The number of ids at which texts are cut. Raises CheckpointError where the files contradict each other.

    stated: the text tower's positions in `source`. fixed: the only length that its graph takes. default: of the family, where
    nothing is stated. override: the caller's.
    """
    length = override or stated or fixed or min(default, files.length or default)
    if fixed is not None and length != fixed:
        raise CheckpointError(
            f"the text graph takes exactly {fixed} ids, and {'the caller' if override else source} says {length}"
        )
    if stated is not None and override is not None and override > stated:
        raise CheckpointError(f"context_length={override} is more than the {stated} positions that {source} states")
    if override is None and files.length is not None and files.length < length:
        raise CheckpointError(
            f"{files.folder / 'tokenizer_config.json'} cuts texts at {files.length} ids, and {source} gives the text tower "
            f"{length}. Pass context_length={files.length} or context_length={length}, whichever the model was trained with"
        )
    return length


def fixed_length(text: GraphHeader) -> int | None:
    """The only number of ids that a text graph takes; None where it takes any."""
    shapes = [port.shape for port in text.inputs if port.dtype in ("int64", "int32") and port.shape and len(port.shape) == 2]
    return next((shape[1] for shape in shapes), None)


def check_vocabulary(files: TokenizerFiles, vocabulary: int | None, source: Path) -> None:
    """Raises CheckpointError for a tokenizer with more pieces than the text tower knows."""
    if vocabulary is not None and files.pieces > vocabulary:
        raise CheckpointError(
            f"the tokenizer in {files.folder} has {files.pieces} pieces, and {source} gives the text tower {vocabulary}: it "
            "belongs to another model"
        )
