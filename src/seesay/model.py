"""`Model`, the main class: images and texts in, unit vectors of one shared space out; and `load`, which opens one."""

import copy
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from seesay.checkpoints.hub.allowance import DOWNLOAD_GB
from seesay.checkpoints.hub.locate import known_as, locate
from seesay.engines import Engine, OnnxEngine
from seesay.errors import InputError, MissingCapability, ModelError, SkippedInput, TruncatedText, UnreadableImage
from seesay.images.inputs import each_input
from seesay.images.spec import ImageSpec
from seesay.models.config import ModelConfig, is_model_folder, read_config
from seesay.models.fields import Modality
from seesay.models.logits import Logits
from seesay.models.token_ids import check_ids
from seesay.models.tower_config import TowerConfig, check_encodes
from seesay.models.vectors import normalize as normalized
from seesay.system.cpu import available_cores, check_threads
from seesay.system.paths import is_url
from seesay.system.schema import from_json, read_object
from seesay.tasks import zero_shot
from seesay.tasks.prompts import Templates
from seesay.tokenizers import LazyTokenizer, Tokens
from seesay.tokenizers.spec import TokenizerSpec

if TYPE_CHECKING:
    from seesay.checkpoints.reader import Checkpoint
    from seesay.engines.devices import Device
    from seesay.images.decoding.decode import Decode
    from seesay.images.read import ImageInput
    from seesay.models.card import Card
    from seesay.tasks.labels import LabelLike
    from seesay.tasks.zero_shot import Names

IMAGE_BATCH = 16  # images per run of the image tower; larger batches gain nothing on a CPU
TEXT_BATCH = 64


class TextTokenizer(Protocol):
    """The part of a tokenizer that a Model needs: texts -> ids."""

    spec: TokenizerSpec

    def __call__(self, texts: list[str]) -> Tokens: ...


class Model:
    """An image tower and a text tower with one space; `seesay.load()` opens one. Safe to call from several threads.

    decode: how JPEGs are decoded, "exact" or "fast" (see `images.read`). folder: the model folder, if there is one.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokenizer: TextTokenizer | None,
        engine: Engine,
        *,
        folder: Path | None = None,
        decode: "Decode" = "exact",
    ) -> None:
        self.config = config
        self._tokenizer = tokenizer
        self.engine = engine
        self.folder = folder
        self.decode: Decode = decode

    def __repr__(self) -> str:
        return f"<seesay.Model {self.name!r}: {self.dim} dimensions, space {self.space_id[:8]}, build {self.build_id}>"

    @property
    def name(self) -> str:
        """The model's name, as its configuration has it."""
        return self.config.name

    @property
    def dim(self) -> int:
        """Dimensions of the shared space."""
        return self.config.dim

    @property
    def space_id(self) -> str:
        """Names the space: vectors may be compared exactly when their space_id is equal."""
        return self.config.space_id

    @property
    def build_id(self) -> str:
        """Provenance of a vector: engine, precision of the model's towers, decode mode."""
        precision = "+".join(self.config.precision[tower] for tower in ("image", "text") if self.config.precision.get(tower))
        return f"{self.engine.name}/{precision}/{self.decode}"

    @property
    def image_spec(self) -> ImageSpec:
        """How images are preprocessed. Raises MissingCapability for a model of texts only."""
        if self.config.image_spec is None:
            raise MissingCapability(f"model {self.name!r} has no image tower: it encodes texts only")
        return self.config.image_spec

    @property
    def tokenizer(self) -> TextTokenizer:
        """Texts -> ids. Raises MissingCapability for a model of images only."""
        if self._tokenizer is None:
            raise MissingCapability(f"model {self.name!r} has no text tower: it encodes pictures only")
        return self._tokenizer

    @property
    def logits(self) -> Logits:
        """The scale and bias of the model's cosines, and whether softmax or sigmoid follows."""
        return Logits(self.config.logit_scale, self.config.logit_bias, self.config.score)

    @property
    def scale(self) -> float:
        """The factor of cosines before softmax or sigmoid; `logits.logit_scale` is its logarithm."""
        return self.logits.scale

    @cached_property
    def card(self) -> "Card":
        """The model card: strengths, limits and measured scores. Raises ModelError where it has no card."""
        from seesay.models.card import Card

        if self.folder is None or not (self.folder / "card.json").is_file():
            raise ModelError(f"model {self.name!r} has no card.json")
        return from_json(Card, read_object(self.folder / "card.json"), str(self.folder / "card.json"))

    def with_decode(self, decode: "Decode") -> "Model":
        """The same model, sharing its engine, with another decode mode."""
        model = copy.copy(self)
        model.decode = decode
        return model

    def with_engine(self, engine: Engine) -> "Model":
        """The same model with its towers run by another engine of the same space."""
        model = copy.copy(self)
        model.engine = engine
        return model

    def sharing(self, concurrent_runs: int = 1) -> "Model":
        """The same model for a program whose other threads need the cores too: a server, or one that decodes meanwhile.
        concurrent_runs: how many runs share them, where the engine can (see `Engine.sharing`)."""
        return self.with_engine(self.engine.sharing(concurrent_runs))

    # Images

    def encode_image(
        self,
        items: "ImageInput | Iterable[ImageInput]",
        *,
        normalize: bool = True,
        on_error: Literal["raise", "skip"] = "raise",
    ) -> np.ndarray:
        """Images -> (N, D) float32 unit vectors; raw projections with normalize=False.

        An item is a path (str or Path), a URL (str, http or https), encoded bytes, a PIL image or a uint8 array (H, W, 3); one
        item, or any iterable of them. Only these URLs are fetched, within the limits of `images.fetch`. on_error "skip" leaves
        out items that cannot be read and names them in a SkippedInput warning; "raise" stops at the first with UnreadableImage.
        """
        if on_error not in ("raise", "skip"):
            raise InputError(
                f"on_error is 'raise' or 'skip', got {on_error!r}",
                parameter="on_error",
                expected="'raise' or 'skip'",
                got=on_error,
            )
        rows, faults = [], []
        for vector in self.each_image(items, normalize=normalize):
            if isinstance(vector, np.ndarray):
                rows.append(vector)
            elif on_error == "raise":
                raise vector
            else:
                faults.append(vector)
        if faults:
            listed = "; ".join(str(fault) for fault in faults[:5]) + ("; ..." if len(faults) > 5 else "")
            warnings.warn(f"left out {len(faults)} of {len(faults) + len(rows)} pictures: {listed}", SkippedInput, stacklevel=2)
        return np.stack(rows) if rows else np.empty((0, self.dim), dtype=np.float32)

    def each_image(
        self, items: "ImageInput | Iterable[ImageInput]", *, normalize: bool = True
    ) -> Iterator[np.ndarray | UnreadableImage]:
        """Yields one result per item, in order: its vector (D,), or the UnreadableImage that says why there is none.

        Decoding runs ahead in threads while the tower computes; memory stays bounded however many items there are.
        """
        from seesay.system.prefetch import prefetch  # a text query needs no thread pool, which takes 8 ms to import

        batch: list[np.ndarray | UnreadableImage] = []
        numbered = enumerate(each_input(items))
        for result in prefetch(self._try_pixels, numbered, threads=available_cores(), ahead=2 * IMAGE_BATCH):
            batch.append(result)
            if len(batch) == IMAGE_BATCH:
                yield from self._finish(batch, normalize)
                batch = []
        yield from self._finish(batch, normalize)

    def encode_dense(self, items: "ImageInput | Iterable[ImageInput]", *, normalize: bool = True) -> np.ndarray:
        """Images -> (N, rows, columns, D) float32: features per cell of the image, in the shared space.

        Raises MissingCapability where the image tower has no map of them.
        """
        if self.config.image is not None and not self.config.image.has_dense:
            raise MissingCapability(
                f"the image tower of {self.config.name!r} has no map of features, so no dense output; take another model, such "
                "as the bundled one, a ViT or a ResNet"
            )
        pixels = self.preprocess(items)
        batches = [self.engine.encode_dense(pixels[i : i + IMAGE_BATCH]) for i in range(0, len(pixels), IMAGE_BATCH)]
        if not batches:
            raise InputError("expected at least one picture, got none")
        dense = np.concatenate(batches)
        return normalized(dense) if normalize else dense

    def patch_relevance(self, items: "ImageInput | Iterable[ImageInput]", texts: np.ndarray | None = None) -> np.ndarray:
        """Images -> how much each patch counts (N, rows, columns) float32, by the attention of a ViT in torch: for the cosine
        with texts (N, D), or without texts for the image. Raises MissingCapability for other models and engines."""
        return self.engine.patch_relevance(self.preprocess(items), texts)

    def preprocess(self, items: "ImageInput | Iterable[ImageInput]") -> np.ndarray:
        """Images -> pixels (N, 3, H, W) float32, the input of the image tower."""
        pixels = [self._pixels(item, index) for index, item in enumerate(each_input(items))]
        size = self.image_spec.size_px
        return np.stack(pixels) if pixels else np.empty((0, 3, size, size), dtype=np.float32)

    def _pixels(self, item: "ImageInput", index: int) -> np.ndarray:
        from seesay.images.preprocess import load_pixels
        from seesay.images.read import warn_damaged

        name = None if isinstance(item, str | os.PathLike) else f"picture {index + 1}"
        pixels, picture = load_pixels(item, self.image_spec, decode=self.decode, name=name)
        warn_damaged(picture, item, name)
        return pixels

    def _try_pixels(self, numbered: "tuple[int, ImageInput]") -> np.ndarray | UnreadableImage:
        index, item = numbered
        try:
            return self._pixels(item, index)
        except UnreadableImage as fault:
            return fault

    def _finish(self, batch: list[np.ndarray | UnreadableImage], normalize: bool) -> Iterator[np.ndarray | UnreadableImage]:
        pixels = [result for result in batch if isinstance(result, np.ndarray)]
        vectors = iter(self.encode_pixels(np.stack(pixels), normalize=normalize) if pixels else ())
        for result in batch:
            yield result if isinstance(result, UnreadableImage) else next(vectors)

    def encode_pixels(self, pixels: np.ndarray, *, normalize: bool = True) -> np.ndarray:
        """pixels (B, 3, H, W) float32, as from `preprocess` -> (B, D) float32."""
        raw = self.engine.encode_pixels(pixels)
        return normalized(raw) if normalize else raw

    # Texts

    def preload_text(self) -> None:
        """Begins to open the text tower in the background, where the engine can, because a text will be encoded soon."""
        self.engine.preload("text")

    def encode_text(self, texts: str | Sequence[str], *, normalize: bool = True) -> np.ndarray:
        """One text or a list -> (N, D) float32 unit vectors; raw projections with normalize=False.

        Texts longer than the model's context are truncated, which one TruncatedText warning reports.
        """
        texts = _texts(texts)
        self.preload_text()  # while the vocabulary is read
        raw = np.empty((len(texts), self.dim), dtype=np.float32)
        # Texts of similar length share a batch, so that little time goes into padding. Padding never changes a vector.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        truncated: list[int] = []
        for start in range(0, len(order), TEXT_BATCH):
            rows = order[start : start + TEXT_BATCH]
            tokens = self.tokenizer([texts[i] for i in rows])
            raw[rows] = self.encode_tokens(tokens.ids, normalize=False)
            truncated += [row for row, is_truncated in zip(rows, tokens.truncated, strict=True) if is_truncated]
        self._warn_truncated(truncated, texts)
        return normalized(raw) if normalize else raw

    def encode_tokens(self, ids: np.ndarray, *, normalize: bool = True) -> np.ndarray:
        """ids (B, L) int64, as from `tokenize` -> (B, D) float32. Raises ModelError for ids of another vocabulary."""
        if self.config.text is not None:
            check_ids(ids, self.config.text)
        raw = self.engine.encode_tokens(ids)
        return normalized(raw) if normalize else raw

    def tokenize(self, texts: str | Sequence[str]) -> np.ndarray:
        """One text or a list -> ids (N, L) int64, padded."""
        texts = _texts(texts)
        tokens = self.tokenizer(texts)
        self._warn_truncated(np.flatnonzero(tokens.truncated), texts)
        return tokens.ids

    def _warn_truncated(self, rows: Iterable[int], texts: list[str]) -> None:
        if not (rows := sorted(rows)):
            return
        length, begin = self.tokenizer.spec.context_length, texts[rows[0]][:40]
        if len(texts) == 1:
            warnings.warn(
                f"the text that begins {begin!r} is longer than {length} tokens and lost its end", TruncatedText, stacklevel=3
            )
            return
        warnings.warn(
            f"{len(rows)} of {len(texts)} texts are longer than {length} tokens and lost their end; the first begins {begin!r}",
            TruncatedText,
            stacklevel=3,
        )

    # Both

    def image_hidden_states(self, items: "ImageInput | Iterable[ImageInput]") -> list[np.ndarray]:
        """Images -> the input of the image tower's first block and the output of each: of a ViT (N, 1 + patches, width) each.

        Raises MissingCapability where the engine does not offer them; engine="torch" does.
        """
        return self.engine.hidden_pixels(self.preprocess(items))

    def text_hidden_states(self, texts: str | Sequence[str]) -> list[np.ndarray]:
        """Texts -> the input of the text tower's first block and the output of each: (N, L, width) each."""
        return self.engine.hidden_tokens(self.tokenize(texts))

    def similarity(self, a: object, b: object) -> np.ndarray:
        """Cosines (len(a), len(b)) float32 between any two of: images, texts, vectors.

        Each side is one item or a list, which may be mixed. A str that begins with http:// or https:// is an image's URL, one
        that ends like an image file (.jpg, .png, ...) is a file, any other str is a text; Path, bytes, PIL images and uint8
        arrays are images; float arrays (N, D) are vectors.
        """
        return np.asarray(self._vectors(a) @ self._vectors(b).T)

    def classify(
        self,
        images: "ImageInput | Iterable[ImageInput]",
        labels: "Iterable[LabelLike]",
        templates: Templates = None,
        *,
        names: "Names" = "mean",
    ) -> np.ndarray:
        """Zero-shot classification -> probabilities (N, len(labels)) float32.

        labels: names, or lists of names of one label; names: whether their mean counts, or the one that fits best ("max").
        templates: with one {} each in place of the label, whose vector is the mean over its prompts; or by language
        (`tasks.prompts.template_set`). Without any, a label in Chinese gets Chinese ones, others English ones.
        `tasks.zero_shot` has more: "none of these", several labels for an image, calibration.
        """
        return zero_shot.classify(self, self.encode_image(images), labels, templates, names=names)

    def _vectors(self, side: object) -> np.ndarray:
        if isinstance(side, np.ndarray) and np.issubdtype(side.dtype, np.floating):
            if side.shape[-1] != self.dim or side.ndim not in (1, 2):
                raise InputError(f"expected vectors (N, {self.dim}), got an array {side.shape}")
            return normalized(np.atleast_2d(side))
        items = list(each_input(side))
        images = [i for i, item in enumerate(items) if not _is_text(item)]
        texts = [i for i, item in enumerate(items) if _is_text(item)]
        vectors = np.empty((len(items), self.dim), dtype=np.float32)
        if images:
            vectors[images] = self.encode_image([items[i] for i in images])
        if texts:
            vectors[texts] = self.encode_text([str(items[i]) for i in texts])
        return vectors


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    decode: "Decode" = "exact",
    threads: int | None = None,
    engine: Literal["auto", "onnx", "openvino", "torch"] = "auto",
    device: Literal["auto", "cpu", "cuda", "directml", "coreml", "mps", "openvino"] = "cpu",
    download_gb: float = DOWNLOAD_GB,
    encodes: bool = True,
    adapter: str | os.PathLike[str] | None = None,
    **overrides: Any,
) -> Model:
    """Opens a model: the bundled one, one named in the catalogue, a SeeSay folder, or a checkpoint of any known format.

    A repository on the hub is hf:OWNER/NAME[@REVISION][/FILE]; its commit is pinned at its first use (docs/checkpoints.md).
    download_gb: how much may be fetched, in 10^9 bytes; more raises LargeDownload.

    A checkpoint (a file or a folder) is prepared for ONNX Runtime once and cached, which needs the extra `torch`; from then
    on it opens without. Graphs that others exported never need it; `variant` chooses among those of one folder. engine:
    "onnx" is ONNX Runtime, "openvino" and "torch" need the extras of these names, "auto" is ONNX Runtime unless only
    another has the device. device: where they compute (docs/devices.md); "auto" is a GPU, where there is one that computes
    in float32. On any but the default, vectors of sample inputs are compared with the default's at first use. threads: of
    the engine, by default as many as this process may use cores; in torch on a CPU, as many as there are free cores.
    adapter: the folder of a LoRA adapter, which is merged into the weights, once; the result has a space of its own.
    overrides: facts that a checkpoint's files do not state: architecture, or activation, image_heads, text_heads;
    preprocessing; scale and bias of graphs; also name, licence, languages (see `checkpoints.overrides`).
    Raises InputError, ModelError, MissingDevice, MissingExtra, DownloadError; MissingCapability where it finds boxes or
    masks, unless `encodes` is false (`seesay.finders`): its vectors are no space.
    """
    chosen = _device(engine, device)
    check_threads(threads)
    source, entry = locate(model, overrides.get("variant"), download_gb=download_gb)
    path = source
    in_torch = chosen if chosen is not None and chosen.engine == "torch" else None
    if in_torch is None and (adapter is not None or not _is_ready(path)):
        from seesay.checkpoints.convert import prepared
        from seesay.checkpoints.overrides import overrides_of

        path = prepared(path, overrides_of(overrides, entry), encodes=encodes, adapter=adapter)
        overrides = {}
    if in_torch is not None:
        from seesay.checkpoints.overrides import overrides_of
        from seesay.checkpoints.reader import open_checkpoint

        checkpoint = open_checkpoint(path, overrides_of(overrides, entry))
        if encodes:
            check_encodes(checkpoint.description.image, known_as(source))
        return _torch_model(checkpoint, adapter, in_torch.name, threads, decode)
    if overrides:
        raise InputError(f"{path} is a SeeSay folder, which says everything itself; leave out {', '.join(overrides)}")
    config = read_config(path)
    if encodes:
        check_encodes(config.image, known_as(source))
    tokenizer = None if config.tokenizer_spec is None else LazyTokenizer(path / "tokenizer.json", config.tokenizer_spec, source)
    return Model(config, tokenizer, _graph_engine(config, path, chosen, threads), folder=path, decode=decode)


def _device(engine: str, device: str) -> "Device | None":
    """What `load` was asked to compute on; None for the default, ONNX Runtime on the CPU, which is always there."""
    if (engine, device) in (("auto", "cpu"), ("onnx", "cpu")):
        return None
    from seesay.engines.devices import choose

    chosen = choose(engine, device)
    return None if (chosen.engine, chosen.name) == ("onnx", "cpu") else chosen


def _graph_engine(config: ModelConfig, folder: Path, device: "Device | None", threads: int | None) -> Engine:
    """The engine of a folder's graphs: SeeSay's own, or those that others exported."""
    towers: dict[Modality, TowerConfig | None] = {"image": config.image, "text": config.text}
    exported = {name: tower.exported for name, tower in towers.items() if tower is not None}
    signatures = {name: signature for name, signature in exported.items() if signature is not None}
    if signatures:
        if device is not None:
            raise InputError(
                f"graphs that others exported run in ONNX Runtime on the CPU only, got device {device.name!r}",
                parameter="device",
                expected="'cpu'",
                got=device.name,
            )
        from seesay.engines.foreign import ForeignEngine

        return ForeignEngine(folder, signatures, threads=threads)
    if device is not None and device.engine == "openvino":
        from seesay.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(folder, threads=threads)
    if device is not None and device.provider is not None:
        return OnnxEngine(folder, threads=threads, provider=device.provider)
    return OnnxEngine(folder, threads=threads)


def _is_ready(path: Path) -> bool:
    """True for a SeeSay folder with its graphs."""
    graphs = any((path / f"{tower}.onnx").is_file() for tower in ("image", "text"))
    return is_model_folder(path) and (graphs or not (path / "model.safetensors").is_file())


def _torch_model(
    checkpoint: "Checkpoint", adapter: str | os.PathLike[str] | None, device: str, threads: int | None, decode: "Decode"
) -> Model:
    from seesay.engines.torch import TorchEngine

    if adapter is None:
        clip = checkpoint.model()
    else:
        from seesay.checkpoints.adapters import adapted

        clip = adapted(checkpoint, Path(adapter))
    spec, vocabulary = clip.config.tokenizer_spec, checkpoint.tokenizer()
    tokenizer = None
    if spec is not None:
        source = checkpoint.path / "tokenizer.json" if vocabulary is None else vocabulary
        tokenizer = LazyTokenizer(source, spec, checkpoint.path)
    return Model(clip.config, tokenizer, TorchEngine(clip, device, threads=threads), folder=None, decode=decode)


def _is_text(item: object) -> bool:
    from seesay.images.decoding.formats import SUFFIXES

    if not isinstance(item, str) or is_url(item):
        return False
    return os.path.splitext(item)[1].lower() not in SUFFIXES


def _texts(texts: object) -> list[str]:
    many = [texts] if isinstance(texts, str) else texts
    if not isinstance(many, Iterable):
        raise InputError(f"expected a string or a list of strings, got {type(texts).__name__}")
    many = list(many)
    wrong = [type(text).__name__ for text in many if not isinstance(text, str)]
    if wrong:
        raise InputError(f"expected a string or a list of strings, got a list with {wrong[0]}")
    return many
