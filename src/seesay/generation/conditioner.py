"""`Conditioner`: prompts -> the tensors that an image generator is conditioned on, exactly as diffusers makes them.

Stable Diffusion 1 and 2 are given the last layer with its norm (2: of the last block but one); XL and 3 the last layer but one
of both encoders side by side, without the norm, and projected embeddings beside it. CLIP skip looks that many layers further
back. As in diffusers, the negative prompt skips none, and without one XL is given zeros where its folder says so.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.errors import InputError, MissingExtra, TextTooLong, UnusualPrompt
from seesay.generation.chunks import Chunk, chunks, name_pattern
from seesay.generation.conditioning import Conditioning, Side
from seesay.generation.lora import Lora, read_lora
from seesay.generation.notes import language_notes, syntax_notes
from seesay.generation.prompt import Prompt, literal, parse
from seesay.generation.textual_inversion import TextualInversion, read_inversion
from seesay.generation.weighting import RULES, Rule
from seesay.system.schema import read_object

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.generation.encoder import Layer, PromptEncoder
    from seesay.system.progress import Progress

MOST_CHUNKS = 500  # 37,500 tokens
MANY_CHUNKS = 8
PENULTIMATE = ("sd2", "sdxl", "sdxl-refiner", "sd3")  # families whose own layer is the last but one of the published encoder
BERT = ("taiyi", "altdiffusion")
NO_POOLED = ("sd1", "sd2", *BERT)  # families whose pipelines take no pooled embedding
SD3_WIDTH, T5_LENGTH = 4096, 256  # of Stable Diffusion 3's third encoder, a T5, which is left out here

Embedding = str | Path | TextualInversion
LoraLike = str | Path | Lora


class Conditioner:
    """The text encoders of one generator in torch on the CPU, with textual inversions and LoRA applied; call it with prompts.

    source: a generator's file or diffusers folder, or a CLIP checkpoint of any format. Needs the extra `torch`. Raises
    CheckpointError for a file without text encoders, or embeddings and LoRA that do not fit; InputError, MissingExtra.
    """

    def __init__(self, source: str | Path, *, embeddings: Iterable[Embedding] = (), loras: Iterable[LoraLike] = ()) -> None:
        try:
            import torch  # noqa: F401
        except ImportError:
            raise MissingExtra("conditioning an image generator", "torch") from None
        from seesay.checkpoints.diffusion import text_encoders
        from seesay.generation.encoder import PromptEncoder

        # Names are read before weights: what does not fit is said at once.
        files = text_encoders(source)
        self.inversions = [each if isinstance(each, TextualInversion) else read_inversion(each) for each in embeddings]
        self.loras = [each if isinstance(each, Lora) else read_lora(each) for each in loras]
        self.source = Path(source)
        self.family = files[0].family
        self.encoders = [PromptEncoder(file) for file in files]
        for inversion in self.inversions:
            inversion.add_to(self.encoders)
        for lora in self.loras:
            lora.merge_into(self.encoders)

    def __call__(
        self,
        prompt: str,
        negative: str | None = None,
        *,
        clip_skip: int | None = None,
        negative_clip_skip: int | None = None,
        rule: Rule = "towards-empty",
        progress: "Progress | None" = None,
    ) -> Conditioning:
        """Conditions on a prompt and a negative prompt, of any length.

        clip_skip: layers to skip, as diffusers counts (`web_clip_skip` is how web interfaces do). negative_clip_skip: diffusers
        skips none for the negative prompt, web interfaces as many as for the prompt. rule: what weights do
        (`generation.weighting`); with "none" every letter of a prompt is text. progress: is told how many chunks are encoded.
        Notes are given as UnusualPrompt warnings too. Raises InputError for brackets without a partner, weights that are none,
        and a skip beyond the layers; TextTooLong beyond 500 chunks.
        """
        import torch

        if rule not in RULES:
            raise InputError(f"rule: expected one of {', '.join(RULES)}, got {rule!r}", parameter="rule", got=rule)
        sides = [_read(prompt, rule)]
        with _blaming_negative():
            sides.append(_read(negative or "", rule))
        skips = (clip_skip, negative_clip_skip)
        layers = [[encoder.skipping(skip) for encoder in self.encoders] for skip in skips]
        cut = [[self._chunks(sides[0], encoder) for encoder in self.encoders]]
        with _blaming_negative():
            cut.append([self._chunks(sides[1], encoder) for encoder in self.encoders])
        length = max(len(each) for each in (*cut[0], *cut[1]))
        encoded = _counting(progress, sum(len(each) for side in cut for each in side))
        embeds = [self._embeds(cut[0], layers[0], length, rule, encoded)]
        with _blaming_negative():
            embeds.append(self._embeds(cut[1], layers[1], length, rule, encoded))
        pooled = [self._pooled(each) for each in cut]
        if negative is None and self._zeroes_without_negative():
            embeds[1], pooled[1] = torch.zeros_like(embeds[0]), None if pooled[0] is None else torch.zeros_like(pooled[0])
        masks = [self._mask(each, length) for each in cut]
        notes = (*syntax_notes(prompt, negative or ""), *self._notes(sides, cut[0][0]))
        for note in notes:
            warnings.warn(note, UnusualPrompt, stacklevel=2)
        takes_embeds = self.family != "flux"
        return Conditioning(
            prompt_embeds=embeds[0] if takes_embeds else None,
            negative_prompt_embeds=embeds[1] if takes_embeds else None,
            pooled_prompt_embeds=pooled[0],
            negative_pooled_prompt_embeds=pooled[1],
            prompt_attention_mask=masks[0],
            negative_prompt_attention_mask=masks[1],
            positive=Side(sides[0], cut[0][0]),
            negative=Side(sides[1], cut[1][0]),
            family=self.family,
            clip_skip=clip_skip,
            web_clip_skip=self.web_clip_skip(clip_skip),
            rule=rule,
            fingerprint={encoder.name: encoder.fingerprint for encoder in self.encoders},
            loras=tuple(lora.facts for lora in self.loras),
            embeddings=tuple({**each.facts, "used_in": _users(each, sides)} for each in self.inversions),
            notes=notes,
        )

    def web_clip_skip(self, clip_skip: int | None) -> int | None:
        """The number that web interfaces show for a CLIP skip of diffusers: they count layers from the end, from 1."""
        if self.encoders[0].most_skipped is None:
            return None
        return (clip_skip or 0) + (2 if self.family in PENULTIMATE else 1)

    def _chunks(self, prompt: Prompt, encoder: "PromptEncoder") -> tuple[Chunk, ...]:
        found = chunks(prompt, encoder.tokenizer, encoder.names)
        if len(found) > MOST_CHUNKS:
            raise TextTooLong(
                f"the prompt fills {len(found)} chunks of {encoder.tokenizer.room} tokens, and more than {MOST_CHUNKS} are not "
                "encoded; generators were trained with one. Shorten it",
                parameter="prompt",
            )
        return found

    def _embeds(
        self, cut: list[tuple[Chunk, ...]], layers: "list[Layer]", length: int, rule: Rule, encoded: Callable[[int], None]
    ) -> "Tensor":
        """(1, length * context, D): the encoders' side by side, filled up with what the empty prompt has."""
        import torch

        found = [
            torch.cat([encoder.embeds(each, layer, rule, encoded), *[encoder.empty(layer)] * (length - len(each))])
            for encoder, each, layer in zip(self.encoders, cut, layers, strict=True)
        ]
        joined = torch.cat(found, dim=1)[None]
        return self._beside_t5(joined) if self.family == "sd3" else joined

    def _beside_t5(self, embeds: "Tensor") -> "Tensor":
        """As Stable Diffusion 3 takes them without its T5: widened with zeros, and zeros in the T5's places."""
        from torch.nn.functional import pad

        file = self.source / "transformer" / "config.json"
        stated = read_object(file).get("joint_attention_dim") if file.is_file() else None
        width = stated if isinstance(stated, int) else SD3_WIDTH
        if embeds.shape[2] > width:
            raise InputError(f"{file} states a joint_attention_dim of {width}, and the encoders give {embeds.shape[2]}")
        return pad(embeds, (0, width - embeds.shape[2], 0, T5_LENGTH))

    def _pooled(self, cut: list[tuple[Chunk, ...]]) -> "Tensor | None":
        import torch

        if self.family in NO_POOLED:
            return None
        pairs = list(zip(self.encoders, cut, strict=True))
        if self.family in ("sdxl", "sdxl-refiner"):
            pairs = pairs[-1:]
        return torch.cat([encoder.pooled(each[0]) for encoder, each in pairs])[None]

    def _mask(self, cut: list[tuple[Chunk, ...]], length: int) -> "Tensor | None":
        encoder, found = self.encoders[0], cut[0]
        if self.family is not None or not encoder.masks_padding:  # no pipeline of these families takes a mask
            return None
        return encoder.mask([*found, *[Chunk()] * (length - len(found))])[None]

    def _zeroes_without_negative(self) -> bool:
        """Whether Stable Diffusion XL is given zeros without a negative prompt: by its folder, else as published."""
        if self.family not in ("sdxl", "sdxl-refiner"):
            return False
        for folder in (self.source, self.source.parent):
            if self.source.is_dir() and (folder / "model_index.json").is_file():
                return bool(read_object(folder / "model_index.json").get("force_zeros_for_empty_prompt", True))
        return self.family == "sdxl"

    def _notes(self, sides: list[Prompt], found: tuple[Chunk, ...]) -> tuple[str, ...]:
        notes: list[str] = []
        note = notes.append  # by this name, scripts/messages finds them
        texts = [side.text for side in sides]
        if not texts[0].strip():
            note("the prompt is empty: the generator is given what it has without one")
        notes += language_notes(self.encoders[0].tokenizer, *texts)
        if len(found) > MANY_CHUNKS:
            note(f"the prompt fills {len(found)} chunks; generators were trained with one, and heed few")
        for inversion in self.inversions:
            if not _users(inversion, sides):
                note(f"the embedding {inversion.name} is in neither prompt: write {inversion.name} where it should act")
        for lora in self.loras:
            if not lora.layers:
                note(f"{lora.path} changes no text encoder, only the denoiser; give it to the generator itself")
        if self.family == "sd3":
            note(f"the third encoder of Stable Diffusion 3, a T5, is left out: its {T5_LENGTH} places are zeros")
        if self.family == "flux":
            note("FLUX reads its prompt with a T5, which is not of the CLIP family: only pooled embeddings are given")
        return tuple(notes)


def condition(
    prompt: str,
    source: str | Path,
    *,
    negative: str | None = None,
    clip_skip: int | None = None,
    rule: Rule = "towards-empty",
    embeddings: Iterable[Embedding] = (),
    loras: Iterable[LoraLike] = (),
) -> Conditioning:
    """What an image generator is given for a prompt, exactly as diffusers makes it: embeddings to pass to a pipeline.

    source: a generator's file or diffusers folder, or a CLIP checkpoint. embeddings: files of textual inversions; loras: files
    of LoRA, whose text encoder layers are applied (`read_lora` takes a scale). The rest is as `Conditioner.__call__` says; make
    a `Conditioner` for more than one prompt. Raises CheckpointError, InputError, MissingExtra.
    """
    return Conditioner(source, embeddings=embeddings, loras=loras)(prompt, negative, clip_skip=clip_skip, rule=rule)


@contextmanager
def _blaming_negative() -> Iterator[None]:
    """Says of errors about a prompt that the negative one is meant."""
    try:
        yield
    except InputError as error:
        if error.parameter != "prompt":
            raise
        fault = type(error)  # by this name, scripts/messages finds it
        raise fault(f"in the negative prompt: {error}", parameter="negative", got=error.got, position=error.position) from error


def _users(inversion: TextualInversion, sides: list[Prompt]) -> list[str]:
    """Which of "prompt" and "negative" have the word of a textual inversion."""
    pattern = name_pattern({inversion.name: ()})
    names = zip(("prompt", "negative"), sides, strict=True)
    return [name for name, side in names if pattern is not None and pattern.search(side.text)]


def _counting(progress: "Progress | None", total: int) -> Callable[[int], None]:
    """Adds up the chunks that are done, and reports them."""
    done = 0

    def encoded(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    return encoded


def _read(text: str, rule: Rule) -> Prompt:
    if not isinstance(text, str):
        raise InputError(f"prompt: expected a text, got {type(text).__name__}", parameter="prompt", got=text)
    return literal(text) if rule == "none" else parse(text)
