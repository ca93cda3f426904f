"""Kinds of pictures and videos by suffix: those that are read, and the names and advice for the others."""

import importlib
import importlib.util
from functools import cache
from types import ModuleType

# Version of the reader. It is raised whenever pictures are read differently; libraries then read theirs again, once.
# 1: TIFFs rotated once, dates and places of all kinds, colour profiles, informative frames, damaged files.
READER = 1
HEIF = "HEIF"
SHOWN = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG 2000", "PNM")

# Kinds of skipped files, as reports name them, and what people can do about each.
VIDEO = "video"
LIVE_PHOTO = "Live Photo video"
RAW_PHOTO = "raw photo"
RAW_BESIDE = "raw photo beside its picture"
HEIC = "HEIC picture"
JPEG_XL = "JPEG XL picture"
OTHER = "picture of another kind"
LINKED = "link to a folder"
ADVICE = {
    VIDEO: "not read by this version; a still of it can be indexed",
    LIVE_PHOTO: "belongs to the picture beside it",
    RAW_PHOTO: "develop it, or export its preview as JPEG",
    RAW_BESIDE: "the picture beside it shows the same",
    HEIC: "read with: pip install pi-heif-decoder",
    JPEG_XL: "convert it, for example with: djxl IN.jxl OUT.png",
    OTHER: "convert it to JPEG or PNG",
    LINKED: "not followed; index the folder itself",
}
READ = "picture"
KINDS = {
    READ: "jpg jpeg jpe jfif png apng webp avif avifs gif bmp dib tif tiff jp2 j2k j2c jpc jpf jpx pbm pgm ppm pnm",
    HEIC: "heic heif heics heifs hif",
    RAW_PHOTO: "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f",
    VIDEO: "3g2 3gp avi flv insv lrv m2ts m4v mkv mov mp4 mpeg mpg mts ogv vob webm wmv",
    JPEG_XL: "jxl",
    OTHER: "ai bpg cur dds djvu emf eps exr fits hdr icns ico insp jls jxr kra ora pam pcx pfm psb psd qoi sgi svg svgz tga "
    "wdp wmf xcf",
}
KIND_OF = {f".{suffix}": kind for kind, suffixes in KINDS.items() for suffix in suffixes.split()}
SUFFIXES = frozenset(suffix for suffix, kind in KIND_OF.items() if kind in (READ, HEIC))  # of files that can be pictures
# The first version without the memory errors of 2026 through which a picture could run code (CVE-2026-84383 and others).
LIBHEIF = (1, 23, 4)


def is_read(suffix: str) -> bool:
    """Whether files with a suffix, in lower case, are read. Loads libheif for that of a HEIC."""
    kind = KIND_OF.get(suffix)
    return kind == READ or (kind == HEIC and heif() is not None)


def passed_over(suffix: str) -> str | None:
    """The kind of a picture or video that is skipped, by its suffix in lower case; None for any other file."""
    return None if is_read(suffix) else KIND_OF.get(suffix)


@cache
def heif() -> ModuleType | None:
    """The installed binding of libheif; None if there is none, or only one with known security faults.

    pi_heif only decodes, pillow_heif brings an encoder under another licence; both have the same interface.
    """
    for name in ("pi_heif", "pillow_heif"):
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        if tuple(int(part) for part in str(module.libheif_version()).split(".")[:3]) >= LIBHEIF:
            return module
    return None
