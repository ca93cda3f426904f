"""`TextEncoderFile`: one text encoder in a generator's file or folder, its weights still there."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seesay.checkpoints.containers.parsing import as_checkpoint_error
from seesay.checkpoints.diffusion.tensors import clip_text_shapes
from seesay.checkpoints.reader import Checkpoint
from seesay.errors import CheckpointError, MissingExtra
from seesay.models.families.bert.config import BertConfig
from seesay.models.families.clip_text.config import ClipTextConfig
from seesay.models.tower_config import TextTowerConfig
from seesay.system.schema import read_object
from seesay.tokenizers import SPECS, Tokenizer, pad_id, tokenizer_json, vocabulary
from seesay.tokenizers.from_files import FILES
from seesay.tokenizers.spec import TokenizerSpec
from seesay.tokenizers.vocabulary import PIECES

if TYPE_CHECKING:
    from torch import Tensor

    from seesay.models.layers.tower import TextTower

Name = Literal["text_encoder", "text_encoder_2"]  # diffusers' names
Family = Literal["sd1", "sd2", "sdxl", "sdxl-refiner", "sd3", "flux", "taiyi", "altdiffusion"]
END_OF_TEXT, EXCLAMATION_MARK = PIECES["clip"] - 1, 0  # what OpenAI's CLIP and OpenCLIP's are padded with in generators


@dataclass(frozen=True)
class TextEncoderFile:
    """One text encoder: what it is, known from headers alone; `load` reads its weights.

    name: as diffusers calls it. family: of the generator; None for a CLIP checkpoint by itself. prefix: of its tensors' names
    in the file. checkpoint: the text tower alone, every tensor accounted for. vocabulary_folder: of the tokenizer's files;
    None where the packaged vocabulary of CLIP is meant.

    A generator sees hidden states, which `load().hidden_states(ids)` gives: the embeddings, then what leaves each block. Their
    last norm is `load().norm_after`. Stable Diffusion 2 was trained with the last block but one and then that norm: a single
    file has all 24 blocks, a diffusers folder the first 23, so look at `layers`. Of Taiyi and AltDiffusion `last_state` is
    what the generator sees.
    """

    name: Name
    family: Family | None
    prefix: str
    checkpoint: Checkpoint
    vocabulary_folder: Path | None = None

    @property
    def path(self) -> Path:
        """The file or folder that it was opened from."""
        return self.checkpoint.path

    @property
    def config(self) -> TextTowerConfig:
        """The tower's configuration."""
        assert self.checkpoint.description.text is not None
        return self.checkpoint.description.text

    @property
    def layers(self) -> int:
        """The number of blocks that the tower has; 0 for a tower without blocks."""
        layers = self.config.layers
        return layers if isinstance(layers, int) else 0

    @property
    def dim(self) -> int | None:
        """The width of its projection; None where it has none."""
        return self.checkpoint.description.dim if self.config.projects else None

    def faults(self) -> str | None:
        """Every missing, left-over and misshapen tensor, in one message; None where all are as expected."""
        try:
            if isinstance(self.config, ClipTextConfig) and self.config.pooling == "eos":
                self.checkpoint.check(clip_text_shapes(self.config, self.checkpoint.description.dim))  # needs no torch
            else:
                self.checkpoint.check_towers()
        except MissingExtra:
            return None
        except CheckpointError as error:
            return str(error)
        return None

    def load(self) -> "TextTower":
        """The tower in torch, float32, in eval mode.

        Raises CheckpointError with every missing, left-over and misshapen tensor; MissingExtra without torch.
        """
        tower = self.checkpoint.check_towers().text
        state = {name.removeprefix("text."): tensor for name, tensor in self.checkpoint.state().items()}
        tower.load_state_dict(state, assign=True)
        return tower.eval()

    def last_state(self, tower: "TextTower", states: "list[Tensor]") -> "Tensor":
        """What a generator is given where no layer is skipped and the tower's own last step follows: (B, L, D).

        CLIP: the last state, normed. Taiyi: the last state. AltDiffusion: a linear layer of each token, after a norm or not.
        """
        if isinstance(self.config, BertConfig):
            transformation = getattr(tower, "transformation", None)
            return transformation(states[-1]) if transformation is not None else tower.project(states[-1])
        return tower.last_state(states)

    @property
    def pad_id(self) -> int:
        """The id that generators fill up a prompt with: their tokenizer's; else the end of text for OpenAI's CLIP, and 0 ("!")
        for OpenCLIP's. Raises CheckpointError for a tokenizer that cannot be read."""
        with as_checkpoint_error():
            named = None if self.vocabulary_folder is None else pad_id(self.vocabulary_folder)
        if named is not None:
            return named
        if self.config.pad_id is not None:  # BERT's, which masks it; below 0 where nothing is masked
            return max(self.config.pad_id, 0)
        opens = getattr(self.config, "activation", None) != "quick_gelu"
        return EXCLAMATION_MARK if opens else END_OF_TEXT

    def vocabulary(self) -> bytes:
        """The tokenizer.json: the folder's, or else the packaged one of CLIP. Raises CheckpointError where neither fits."""
        folder, pieces = self.vocabulary_folder, self.config.vocabulary
        if folder is not None:
            with as_checkpoint_error():
                return tokenizer_json(folder)
        if isinstance(self.config, BertConfig) or pieces < PIECES["clip"]:
            raise CheckpointError(
                f"{self.path} came without its tokenizer, and CLIP's {PIECES['clip']} pieces are not those of its text encoder "
                f"({pieces}). Put {FILES} into the folder `tokenizer` beside its own"
            )
        return vocabulary("clip")

    @property
    def tokenizer_spec(self) -> TokenizerSpec:
        """How a prompt becomes ids: always filled up to the context length with `pad_id`. Raises CheckpointError."""
        folder, most = self.vocabulary_folder, self.config.max_tokens or SPECS["clip"].context_length
        if folder is None:
            return replace(SPECS["clip"], context_length=most, pad_id=self.pad_id, padding="context")
        with as_checkpoint_error():
            settings = read_object(file) if (file := folder / "tokenizer_config.json").is_file() else {}
            stated = settings.get("model_max_length")
            length = int(min(stated, most)) if isinstance(stated, int | float) and stated >= 3 else most
            return TokenizerSpec(length, self.pad_id, "context")

    def tokenizer(self) -> Tokenizer:
        """Texts -> ids (N, L), cut and filled up to the context length. Raises CheckpointError where no vocabulary fits."""
        return Tokenizer(self.vocabulary(), self.tokenizer_spec)
