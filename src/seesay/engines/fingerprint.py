"""The fingerprint of a model folder, by which results about its files are cached."""

import json
from pathlib import Path


def fingerprint(folder: Path, *facts: object) -> str:
    """24 hex digits over its config.json, the names, sizes and times of all its files, and further facts."""
    import hashlib

    files = [(file.name, file.stat()) for file in sorted(folder.iterdir()) if file.is_file()]
    stats = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]
    digest = hashlib.sha256(json.dumps([stats, [str(fact) for fact in facts]]).encode())
    if (folder / "config.json").is_file():
        digest.update((folder / "config.json").read_bytes())
    return digest.hexdigest()[:24]
