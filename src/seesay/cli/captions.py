"""`CaptionBank`: the sentences of a file, and the nearest of them to a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

from seesay.cli.output import short
from seesay.cli.progress import progress_bar
from seesay.errors import InputError, UnreadableText
from seesay.library.indexing.texts import parse_texts

if TYPE_CHECKING:
    import numpy as np

    from seesay.model import Model


@dataclass(frozen=True)
class CaptionBank:
    """Sentences without repetition."""

    texts: Sequence[str]

    @staticmethod
    def read(file: str) -> "CaptionBank":
        """The sentences of a .txt, .tsv or .csv file (`parse_texts`). Raises InputError, OSError."""
        try:
            texts = parse_texts(Path(file).read_bytes(), file)
        except UnreadableText as error:
            raise InputError(f"{short(file)}: {error}") from None
        return CaptionBank(tuple(dict.fromkeys(text for _line, text in texts)))

    def vectors(self, model: "Model", *, quiet: bool) -> "np.ndarray":
        """(N, D) unit vectors of the sentences, computed once for each model and cached."""
        from seesay.tasks.interrogation.vectors import text_vectors

        with progress_bar(_("Encoding captions"), quiet=quiet, first=_("Encoding captions")) as progress:
            return text_vectors(model, model.space_id, self.texts, progress)

    def nearest(self, model: "Model", picture: "np.ndarray", count: int, *, quiet: bool) -> list[tuple[str, float]]:
        """The sentences to show for a picture's vector (D,), each with its cosine."""
        from seesay.tasks.interrogation.captions import nearest_captions

        near = nearest_captions(picture, self.vectors(model, quiet=quiet), count)
        return [(self.texts[each.position], each.cosine) for each in near]
