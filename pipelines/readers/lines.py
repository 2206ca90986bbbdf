"""Text files as records, piece by piece: decoded, counted, bounded, before a parser of others sees them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.data.limits import Limits, beyond_limit
from graphrec.data.line_ends import n_line_ends, n_lines
from graphrec.errors import ConfigError, DataError

from .line_kernels import NO_QUOTES, divide
from .packing import Unpacked

PIECE_BYTES = 8 << 20
"""Text that is looked at together."""

_MARK = "\ufeff".encode()
# A separator of several bytes is replaced by a character that no text holds.
_UNIT_SEPARATOR = b"\x1f"


@dataclass(frozen=True, slots=True)
class TextForm:
    """How the text of a file is written. ``quote`` is empty where a quote is a letter, as it is in TSV."""

    separator: str
    quote: str
    encoding: str

    @property
    def byte(self) -> bytes:
        """What stands between cells once the text is in pieces."""
        encoded = self.separator.encode()
        return encoded if len(encoded) == 1 else _UNIT_SEPARATOR


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Whole records: the text in UTF-8 and, a row a record, what :func:`line_kernels.divide` says; lines from 1."""

    text: bytes
    records: npt.NDArray[np.int64]
    n_blank: int


def pieces(path: Path, form: TextForm, limits: Limits, *, remedy: str = "", size: int = PIECE_BYTES) -> Iterator[Piece]:
    """Yield the records of a text file.

    Parameters
    ----------
    path : Path
        Plain, gzip or zstd.
    form : TextForm
        How it is written.
    limits : Limits
        ``text_bytes`` bounds a line, and how far a quote may join lines; ``expansion`` and ``expanded_bytes`` what
        comes of a packed file.
    remedy : str
        What else to do about text in another encoding, as the end of a sentence.
    size : int
        Bytes that are read at a time.

    Raises
    ------
    DataError
        If the file cannot be read, is in another encoding, or is beyond the limits.
    ConfigError
        If the encoding is unknown.
    """
    quote = ord(form.quote) if form.quote else NO_QUOTES
    rest, line, n_blank = b"", 1, 0
    source = _decoded(path, form, limits, remedy, size)
    final = False
    while not final:
        piece = next(source, None)
        final = piece is None
        text = rest + (piece or b"")
        records, used, n_lines, blank = _divided(text, form.byte[0], quote, final=final)
        if not final and len(text) - used > limits.text_bytes:
            # A quote that joins so much is not closed: its line is a record by itself.
            opened, at, n, none = _divided(text[used:], form.byte[0], quote, final=True, most=1)
            if at > limits.text_bytes:
                long = f"the line has more than {limits.text_bytes:,} bytes"
                raise beyond_limit(f"{path}, line {line + n_lines}", long, limits, "text_bytes")
            opened[:, :2] += used
            opened[:, 2] += n_lines
            records = np.concatenate([records, opened])
            used, n_lines, blank = used + at, n_lines + n, blank + none
        records[:, 2] += line
        rest, line, n_blank = text[used:], line + n_lines, blank
        if len(records) or n_blank:
            yield Piece(text, records, n_blank)


def _divided(
    text: bytes, separator: int, quote: int, *, final: bool, most: int = 1 << 62
) -> tuple[npt.NDArray[np.int64], int, int, int]:
    """Return the (n, 5) records of a text, and how many bytes, lines and blank lines they take."""
    data = np.frombuffer(text, dtype=np.uint8)
    room = min(most, n_lines(text))
    out = np.empty((room, 5), dtype=np.int64)
    n, used, lines, blank = divide(data, separator, quote, final, room, out)
    return out[:n], used, lines, blank


def _decoded(path: Path, form: TextForm, limits: Limits, remedy: str, size: int) -> Iterator[bytes]:
    """Yield the text in UTF-8, without a byte order mark, cells apart by one byte."""
    decode = _decoder(form.encoding)
    plain = form.encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"}
    separator = form.separator.encode()
    line, first, rest, read = 1, True, b"", b"x"
    with Unpacked(path, limits) as file:
        while read:
            read = file.read(size)
            try:
                text = decode.decode(read, final=not read)
            except UnicodeError as error:
                raise _undecodable(path, form, error, line, remedy) from error
            piece = read if plain else text.encode("utf-8", "surrogatepass")
            if first:
                piece, first = piece.removeprefix(_MARK), False
            line += n_line_ends(piece)
            if len(separator) > 1:
                # In whole lines, so that no separator is cut in two.
                whole = rest + piece
                cut = whole.rfind(b"\n") + 1 if read and len(whole) <= limits.text_bytes else len(whole)
                piece, rest = whole[:cut].replace(separator, _UNIT_SEPARATOR), whole[cut:]
            if piece:
                yield piece


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        found = codecs.lookup(encoding)
        if not getattr(found, "_is_text_encoding", True) or found.incrementaldecoder is None:
            raise LookupError(encoding)
        return found.incrementaldecoder("strict")
    except (LookupError, ValueError, TypeError) as error:
        raise ConfigError(f"{encoding!r} is not a known encoding, such as 'utf-8' or 'latin-1'") from error


def _undecodable(path: Path, form: TextForm, error: UnicodeError, line: int, remedy: str) -> DataError:
    """Return the sentence for a text in another encoding."""
    where, what = line, "the text"
    if isinstance(error, UnicodeDecodeError):
        where += n_line_ends(error.object[: error.start])
        what = f"byte 0x{error.object[error.start]:02x}"
    return DataError(f"{path} line {where}: {what} is not {form.encoding}; save the file as UTF-8{remedy}")
