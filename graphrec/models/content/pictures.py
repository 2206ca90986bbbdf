"""Pictures as arrays: opened within limits, one frame, three colours, cut to a square, kept by the hash of the file."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.files import map_array, write_array
from graphrec.data.scratch import written_whole
from graphrec.errors import BundleError, MissingExtraError

Pixels = npt.NDArray[np.uint8]

# Width and height of what a network sees.
SIDE = 224
# Larger files are not opened, and pictures of more pixels are not decoded: a decompression bomb is small on disk.
MAX_BYTES = 64 << 20
MAX_PIXELS = 64_000_000
_TOO_LARGE = f"of more than {MAX_PIXELS:,} pixels"


class UnreadableError(Exception):
    """A picture or a video that cannot be used; the text is the reason, as it is counted."""


@dataclass(slots=True)
class Faults:
    """What could not be used: how many files by reason, and the first of each."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, where: object) -> None:
        """Count another file."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first.setdefault(reason, str(where))

    def __str__(self) -> str:
        shown = (f"{count:,} {reason}, such as {self.first[reason]}" for reason, count in self.counts.items())
        return "; ".join(shown) or "no faults"


def read_file(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    UnreadableError
        If it is missing, empty, larger than ``max_bytes``, or no plain file.
    """
    try:
        if not path.is_file():
            raise UnreadableError("missing")
        if path.stat().st_size > max_bytes:
            raise UnreadableError(f"larger than {max_bytes:,} bytes")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in a path
        raise UnreadableError("not readable") from error
    if not content:
        raise UnreadableError("empty")
    return content


def thumbnail(content: bytes) -> Pixels:
    """Return the (SIDE, SIDE, 3) uint8 middle of a picture, its shorter side made SIDE long.

    Of an animation it is the first frame; CMYK, palettes and grey become RGB, what is transparent lies on white, and
    the orientation that a camera notes is heeded.

    Raises
    ------
    UnreadableError
        If it is no picture that Pillow reads, is damaged, or has more than MAX_PIXELS.
    MissingExtraError
        If Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingExtraError("reading pictures (pillow)", extra="image") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own warning of bombs; ours refuses them
            with Image.open(io.BytesIO(content)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UnreadableError(_TOO_LARGE)
                picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than needed
                return square(ImageOps.exif_transpose(picture))
    except UnreadableError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableError(_TOO_LARGE) from error
    # Plug-ins of Pillow raise whatever their formats suggest: SyntaxError, struct.error, …
    except Exception as error:
        raise UnreadableError("no picture, or damaged") from error


def cached_thumbnail(content: bytes, cache: Path | None) -> Pixels:
    """Return :func:`thumbnail`, kept in the folder ``cache`` under the sha256 of the content; None keeps nothing.

    A kept file that is damaged is made again.
    """
    if cache is None:
        return thumbnail(content)
    kept = cache / f"{hashlib.sha256(content).hexdigest()}-{SIDE}.npy"
    try:
        pixels = map_array(kept)
        if pixels.dtype == np.uint8 and pixels.shape == (SIDE, SIDE, 3):
            return pixels
    except BundleError:
        pass
    made = thumbnail(content)
    cache.mkdir(parents=True, exist_ok=True)
    with written_whole(kept) as part:
        write_array(part, made)
    return made


def square(picture: Any) -> Pixels:
    """Return the (SIDE, SIDE, 3) uint8 middle of a Pillow picture, in RGB."""
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(_on_white(picture), (SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.uint8)


def _on_white(picture: Any) -> Any:
    """Return a Pillow picture in RGB; what is transparent lies on white."""
    from PIL import Image

    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture.convert("RGB")
