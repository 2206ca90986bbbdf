"""CSV and its kin, streamed: the line of every row is known, and lines that do not fit are set aside."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from graphrec.errors import ConfigError, DataError

from .batches import Batch, Ragged, Table, first_line

_BLOCK_BYTES = 8 << 20
# A separator of several letters is replaced by a character that no text holds.
_UNIT_SEPARATOR = "\x1f"


def text_table(path: Path, compression: str | None, *, separator: str, encoding: str, header: Sequence[str]) -> Table:
    """Open a text file as a :class:`Table`; ``header`` names the columns of a file without a header line.

    Raises
    ------
    DataError
        If the file holds no text, is in another encoding, or is broken.
    ConfigError
        If the encoding is unknown.
    """
    ragged: list[Ragged] = []

    def skip(row: Any) -> str:
        ragged.append(Ragged(int(row.number), int(row.actual_columns), int(row.expected_columns), str(row.text)))
        return "skip"

    def reader(wanted: Sequence[str] | None) -> Any:
        raw = pa.input_stream(str(path), compression=compression)
        single = len(separator) == 1
        source = raw if single else pa.PythonFile(_Separated(raw, separator.encode(encoding)), "r")
        # The decoder of Python stops at a bad byte, wherever it stands; Arrow's own would let it into ragged lines.
        strict = "utf-8-sig" if encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else encoding
        types = {} if wanted is None else {name: pa.large_string() for name in wanted}
        return pa_csv.open_csv(
            source,
            # One thread, or the numbers of bad lines are not known.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, encoding=strict, column_names=list(header) or None
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=separator if single else _UNIT_SEPARATOR, invalid_row_handler=skip, ignore_empty_lines=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=None if wanted is None else list(wanted),
                strings_can_be_null=False, check_utf8=wanted is not None,
            ),
        )  # fmt: skip

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        first = 1 if header else 2
        seen = 0
        ragged.clear()
        try:
            for rows in reader(wanted):
                order = np.arange(seen, seen + rows.num_rows, dtype=np.int64)
                seen += rows.num_rows
                # The n-th good row stands as many lines further down as bad ones were skipped before it.
                skipped = np.array([row.line for row in ragged], dtype=np.int64) - first - np.arange(len(ragged))
                yield Batch(rows, order + first + np.searchsorted(skipped, order, side="right"))
        except (pa.ArrowInvalid, OSError, UnicodeError) as error:
            raise _text_error(path, compression, encoding, error) from error

    try:
        columns = tuple(reader(None).schema.names)
    except (pa.ArrowInvalid, OSError, UnicodeError) as error:
        raise _text_error(path, compression, encoding, error) from error
    except LookupError as error:
        raise ConfigError(f"{encoding!r} is not a known encoding, such as 'utf-8' or 'latin-1'") from error
    ragged.clear()
    return Table(str(path), columns, "line", read, ragged)


class _Separated(io.RawIOBase):
    """A binary stream whose long separator is replaced by one character, whole lines at a time."""

    def __init__(self, raw: Any, separator: bytes) -> None:
        self._raw, self._separator, self._rest = raw, separator, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return at least one whole line (or the end); pieces are cut behind a line's end."""
        piece: bytes = self._raw.read(size if size > 0 else _BLOCK_BYTES)
        text = self._rest + piece
        cut = text.rfind(b"\n") + 1 if piece else len(text)
        self._rest = text[cut:]
        if piece and not cut:
            return self.read(size)
        return text[:cut].replace(self._separator, _UNIT_SEPARATOR.encode())


def _text_error(path: Path, compression: str | None, encoding: str, error: Exception) -> DataError:
    """Return the sentence for what the text reader could not read."""
    message = first_line(error)
    if "Empty CSV" in message:
        return DataError(f"{path} holds no rows; it needs a header line and rows")
    if "straddling" in message:
        return DataError(f"{path} has a line of more than {_BLOCK_BYTES:,} bytes; perhaps a quote is not closed")
    if "UTF8" in message or "utf-8" in message.lower() or isinstance(error, UnicodeError):
        line, byte = _undecodable(path, compression, encoding)
        return DataError(
            f"{path} line {line}: {byte} is not {encoding}; save the file as UTF-8, or name its encoding, "
            "such as encoding = 'latin-1'"
        )
    if compression:
        return DataError(f"{path} is not a sound {compression} file ({message})")
    return DataError(f"{path} cannot be read as a table ({message})")


def _undecodable(path: Path, compression: str | None, encoding: str) -> tuple[int, str]:
    """Return the number of the first line that is not in ``encoding``, and its bytes there."""
    with pa.input_stream(str(path), compression=compression) as raw:
        for number, line in enumerate(io.BufferedReader(_Plain(raw)), start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return number, f"byte 0x{line[error.start]:02x}"
    return 1, "the text"


class _Plain(io.RawIOBase):
    """An Arrow stream as Python's buffered reader wants it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._raw.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
