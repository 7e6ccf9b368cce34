"""Bytes or a path → an upright RGB photo on white; files that cannot be read are named, not hidden.

A photo is given as its encoded bytes or as the path of a file. It may come from anybody: only formats that shops
and phones write are decoded (Pillow would start Ghostscript for an EPS), and a size that memory bears is checked
first.
"""

from __future__ import annotations

import io
import threading
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import PIL
import polars as pl
from PIL import ExifTags, Image

from features.media.files import EMPTY, LOOK, THREADS, MediaError, content_hash, each, read_bytes
from features.media.picture_alone import picture_alone

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # JPEG takes in MPO, a phone's several in one
MOST_PIXELS = 50_000_000  # a quarter of a GB as RGBA; of more than that no encoder sees anything
_LARGE = 8_000_000
_ONE_LARGE = threading.Lock()  # so that many threads need the memory of one large photo only
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_LEFT_OUT = {
    "EPS": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "PDF": (b"%PDF",),
    "ICNS": (b"icns",),
    "ICO": (b"\0\0\1\0",),
    "PSD": (b"8BPS",),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),
    "JPEG 2000": (b"\0\0\0\x0cjP", b"\xffO\xffQ"),
    "JPEG XL": (b"\xff\n", b"\0\0\0\x0cJXL"),
    "SVG": (b"<svg", b"<?xml", b"\xef\xbb\xbf<"),
}
_HEIC = tuple(
    b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
)
_SURE = (EMPTY, "too large", "truncated")  # whatever else the file holds
_RECIPE = 3  # to be raised when `decode` calls other photos broken than before


class ImageError(MediaError):
    """A photo that cannot be decoded."""


def decode(data: bytes) -> Image.Image:
    """An RGB photo, decoded in full: turned as its EXIF says, transparent parts white; of several the first.

    Raises ImageError: "empty", "not an image", "format EPS is not read", "truncated", "damaged" or "too large"
    (above MOST_PIXELS).
    """
    try:
        return _decoded(data)
    except ImageError as error:
        if error.reason in _SURE or (plain := picture_alone(data)) == data:
            raise
        try:
            return _decoded(plain)
        except ImageError:
            raise error from None


def _decoded(data: bytes) -> Image.Image:
    if not data:
        raise ImageError(EMPTY)
    _check_canvas(data)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too large") from error
    except Exception as error:  # whatever Pillow's readers raise on a stranger's bytes
        raise ImageError(_not_read(data)) from error
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        raise ImageError("too large")
    try:
        with _ONE_LARGE if pixels > _LARGE else nullcontext():
            image.load()
            turn = _TURNS.get(_orientation(image) or 1)
            flat = _flatten(image, data)
            return flat if turn is None else flat.transpose(turn)
    except Exception as error:
        raise ImageError("truncated" if "truncat" in str(error).lower() else "damaged") from error


def problems(images: pl.Series) -> pl.Series:
    """(n,) String: why each photo (Binary, or String for paths) cannot be read, null where it can or there is none.

    Every photo is decoded in full, so that a file cut short is found now and not in the middle of an
    encoding run.
    """
    return PhotoChecks().look(images)["problem"]


def decode_each(items: Sequence[bytes | str]) -> list[Image.Image | None]:
    """The photos in order, None for each that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_decode_or_none, items))


class PhotoChecks:
    """Each photo read once: its content hash, and whether it can be decoded, found out once for each content.

    What was found out is remembered in a folder of files that are written once, whole, named by the hash of
    their bytes and never changed: decoding all of a catalogue at every build, only to find the broken ones, costs
    more than encoding what changed (400 photos of 800 × 800 pixels are two seconds of a core). A file that is
    damaged goes, and what it held is found out again; where nothing can be written, nothing is remembered.
    """

    def __init__(self, folder: Path | None = None) -> None:
        # Another Pillow may read what this one cannot.
        self._folder = folder and folder / f"photo-checks-{_RECIPE}-pillow-{PIL.__version__}"

    def look(self, items: pl.Series) -> pl.DataFrame:
        """content_hash, problem: (n,) each, null for null; a file that cannot be read has a problem and no hash."""
        known = self._read()
        found: dict[str, str | None] = {}

        def examine(item: bytes | str) -> tuple[str | None, str | None]:
            try:
                data = read_bytes(item)
            except MediaError as error:
                return None, error.reason
            hashed = content_hash(data)
            if hashed not in known and hashed not in found:
                found[hashed] = _problem(data)
            return hashed, known[hashed] if hashed in known else found[hashed]

        rows = [row or (None, None) for row in each(items, examine)]
        self._write(pl.DataFrame(list(found.items()), LOOK, orient="row"))
        return pl.DataFrame(rows, LOOK, orient="row")

    def _read(self) -> dict[str, str | None]:
        known: dict[str, str | None] = {}
        for path in sorted(self._folder.glob("*.parquet")) if self._folder else ():
            with suppress(OSError):
                data = path.read_bytes()
                if content_hash(data) != path.stem:
                    path.unlink()
                else:
                    known.update(pl.read_parquet(io.BytesIO(data)).rows())
        return known

    def _write(self, found: pl.DataFrame) -> None:
        if not self._folder or not found.height:
            return
        buffer = io.BytesIO()
        found.write_parquet(buffer)
        data = buffer.getvalue()
        unfinished = self._folder / f"{uuid.uuid4().hex}.tmp"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(data)
            unfinished.replace(unfinished.with_name(f"{content_hash(data)}.parquet"))
        except OSError:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)


def _check_canvas(data: bytes) -> None:
    """Pillow's WebP reader makes room for the whole canvas as it opens a file; it stands in one of three places."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return
    width = height = 0
    if data[12:16] == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif data[12:16] == b"VP8L":
        sides = int.from_bytes(data[21:25], "little")
        width, height = 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
    elif data[12:16] == b"VP8 ":
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    if width * height > MOST_PIXELS:
        raise ImageError("too large")


def _not_read(data: bytes) -> str:
    """Why a file could not be opened: it is of a format that is left out, or no photo."""
    start = data[:32].lstrip()
    name = next((name for name, starts in _LEFT_OUT.items() if start.startswith(starts)), None)
    name = "HEIC" if data[4:12] in _HEIC else name
    return f"format {name} is not read" if name else "not an image"


def _orientation(image: Image.Image) -> int | None:
    """As the EXIF says; what else it says, however oddly, has no bearing on the picture, and browsers heed no XMP."""
    for name in ("xmp", "XML:com.adobe.xmp"):
        image.info.pop(name, None)
    with suppress(Exception):
        found = image.getexif().get(ExifTags.Base.Orientation)
        return found if isinstance(found, int) else None
    return None


def _flatten(image: Image.Image, data: bytes) -> Image.Image:
    if image.mode in (*_SIXTEEN_BIT, "I", "F"):
        return _of_deep_grey(image)
    if image.format == "PNG":
        _scale_transparency(image, data)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured).convert("RGB")
    return image.convert("RGB")


def _of_deep_grey(image: Image.Image) -> Image.Image:
    """Greys of more than 8 bits: Pillow's own conversion cuts off at 255, every such photo would come out white.

    Whole numbers are of 16 bits, or 32 where one is larger, or 8 where 32 have room and none needs more; fractions
    from 0 to 1, else as whole numbers.
    """
    levels = np.nan_to_num(np.asarray(image), posinf=0, neginf=0).clip(0)
    most = levels.max(initial=0)
    if image.mode == "F":
        top = next((top for top in (1, 2**8 - 1, 2**16 - 1) if most <= top), most)
        grey = (levels * (255 / top)).astype(np.uint8)
    else:
        least = 0 if image.mode == "I" and image.format == "TIFF" and most < 2**8 else 8
        grey = (levels >> (least if most < 2**16 else 24)).astype(np.uint8)
    grey[levels == image.info.get("transparency", np.nan)] = 255
    return Image.fromarray(grey).convert("RGB")


def _scale_transparency(image: Image.Image, data: bytes) -> None:
    """A PNG names its transparent colour in its own bits a sample; Pillow gives 8 a sample, and leaves the name."""
    bits, colour = data[24], image.info.get("transparency")
    if image.mode == "L" and isinstance(colour, int) and bits < 8:
        image.info["transparency"] = colour * 255 // (2**bits - 1)
    if image.mode == "RGB" and isinstance(colour, tuple) and bits == 16:
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _problem(data: bytes) -> str | None:
    try:
        decode(data)
    except ImageError as error:
        return error.reason
    return None


def _decode_or_none(item: bytes | str) -> Image.Image | None:
    try:
        return decode(read_bytes(item))
    except MediaError:
        return None
