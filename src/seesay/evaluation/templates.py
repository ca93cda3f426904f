"""Prompt templates that people choose: a named set, or a file of their own."""

import json
from pathlib import Path

from seesay.errors import InputError
from seesay.system.paths import printable
from seesay.tasks.prompts import SETS, named_templates


def read_templates(choice: str, language: str = "en") -> tuple[str, ...]:
    """The templates of a set in `tasks.prompts`, or of a file: .txt with one a line, .json with a list. Raises InputError."""
    if choice in SETS:
        return named_templates(choice, language)
    file = Path(choice)
    if file.suffix.lower() not in (".txt", ".json"):
        raise InputError(f"templates are {', '.join(SETS)}, or a .txt or .json file of your own; got {choice!r}")
    try:
        text = file.read_text(encoding="utf-8-sig")
        templates = json.loads(text) if file.suffix.lower() == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{printable(file)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(templates, list) or not templates or not all(isinstance(line, str) for line in templates):
        raise InputError(f"{printable(file)}: expected a list of templates, such as 'a photo of a {{}}.'")
    return tuple(templates)
