"""Tables from files and frames, in batches with the place of every row, so that memory stays bounded."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from graphrec.errors import ConfigError, DataError, nearest_names

CSV, TSV, PARQUET, ARROW = "csv", "tsv", "parquet", "arrow"
FORMATS: Mapping[str, str] = {
    ".csv": CSV,
    ".dat": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".arrow": ARROW,
    ".feather": ARROW,
    ".ipc": ARROW,
}
COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}
_BLOCK_BYTES = 8 << 20
# A separator of several letters is brought to one that no text holds.
_UNIT_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Ragged:
    """A line with too many or too few fields."""

    line: int
    found: int
    expected: int
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a table, and where each stands: (n,) int64 line numbers (text) or row numbers (frames), from 1."""

    rows: pa.RecordBatch
    places: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read once, in batches. ``place`` is what its rows are counted in: "line" or "row".

    ``ragged`` fills while the batches are read.
    """

    name: str
    columns: tuple[str, ...]
    place: str
    read: Callable[[Sequence[str]], Iterator[Batch]]
    ragged: list[Ragged] = field(default_factory=list)


def kind_of(path: Path, *, legal: Sequence[str] = ()) -> tuple[str, str | None]:
    """Return (format, compression) by the extension of ``path``.

    Raises
    ------
    DataError
        If the file is missing, is a folder, is empty, or has an extension that says nothing.
    """
    check_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    ending = suffixes[-2 if compression else -1] if len(suffixes) > bool(compression) else ""
    if ending not in FORMATS:
        known = ", ".join(dict.fromkeys([*legal, *FORMATS]))
        packed = " or ".join(COMPRESSIONS)
        raise DataError(f"{path} has the extension {ending!r}; legal are {known}, the text ones also with {packed}")
    return FORMATS[ending], compression


def check_file(path: Path) -> None:
    """Raise DataError unless ``path`` is a file with something in it, with the nearest names where it is missing."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; a file is needed")
    if not path.exists():
        near = nearest_names(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise DataError(f"{path} does not exist{near}")
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); it needs rows")


def open_table(
    source: object, *, separator: str | None = None, encoding: str = "utf-8", header: Sequence[str] = ()
) -> Table:
    """Open a file (CSV, TSV, Parquet, Arrow) or a frame (polars, pandas, Arrow) as a :class:`Table`.

    Raises
    ------
    DataError
        If the file is missing, empty, broken, or of an unknown kind, or a column name stands twice.
    ConfigError
        If ``source`` is neither a path nor a frame.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        kind, compression = kind_of(path)
        if kind == PARQUET:
            table = _parquet(path)
        elif kind == ARROW:
            table = _frame(_read_arrow(path), str(path))
        else:
            table = _text(path, compression, separator or ("\t" if kind == TSV else ","), encoding, header)
    else:
        table = _frame(_as_arrow(source), "the frame")
    for name in table.columns:
        if table.columns.count(name) > 1:
            raise DataError(
                f"{table.name} has the column {name!r} {table.columns.count(name)} times; names must differ"
            )
    return table


def _as_arrow(source: object) -> pa.Table | pl.LazyFrame:
    if isinstance(source, pl.LazyFrame):
        return source
    if isinstance(source, pl.DataFrame):
        return source.lazy()
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if type(source).__module__.partition(".")[0] == "pandas":
        return pa.Table.from_pandas(source, preserve_index=False)
    raise ConfigError(
        f"interactions cannot be read from a {type(source).__name__}; legal are a path, an Arrow table, "
        "a polars DataFrame or LazyFrame, a pandas DataFrame"
    )


def _frame(data: pa.Table | pl.LazyFrame, name: str) -> Table:
    columns = data.collect_schema().names() if isinstance(data, pl.LazyFrame) else data.column_names

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        # Only the columns that are needed are ever computed or copied.
        if isinstance(data, pl.LazyFrame):
            chosen = data.select(wanted).collect(engine="streaming").to_arrow()
        else:
            chosen = data.select(list(wanted))
        yield from _numbered(chosen.to_batches(max_chunksize=1 << 20))

    return Table(name, tuple(columns), "row", read)


def _numbered(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> Iterator[Batch]:
    start = 1
    for rows in batches:
        yield Batch(rows, np.arange(start, start + rows.num_rows, dtype=np.int64))
        start += rows.num_rows


def _read_arrow(path: Path) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as mapped:
            return pa.ipc.open_file(mapped).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a sound Arrow file ({_first_line(error)})") from error


def _parquet(path: Path) -> Table:
    try:
        columns = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a sound Parquet file ({_first_line(error)})") from error

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        try:
            with pq.ParquetFile(path) as opened:
                yield from _numbered(opened.iter_batches(batch_size=1 << 20, columns=list(wanted)))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path} is not a sound Parquet file ({_first_line(error)})") from error

    return Table(str(path), tuple(columns), "row", read)


def _text(path: Path, compression: str | None, separator: str, encoding: str, header: Sequence[str]) -> Table:
    ragged: list[Ragged] = []

    def skip(row: Any) -> str:
        ragged.append(Ragged(int(row.number), int(row.actual_columns), int(row.expected_columns), str(row.text)))
        return "skip"

    def reader(wanted: Sequence[str] | None) -> Any:
        raw = pa.input_stream(str(path), compression=compression)
        single = len(separator) == 1
        source = raw if single else pa.PythonFile(_Separated(raw, separator.encode(encoding)), "r")
        types = {} if wanted is None else {name: pa.large_string() for name in wanted}
        return pa_csv.open_csv(
            source,
            # One thread, or the numbers of bad lines are not known.
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, encoding=encoding, column_names=list(header) or None
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
                skipped = np.array([one.line for one in ragged], dtype=np.int64) - first - np.arange(len(ragged))
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
    """A binary stream whose long separator is replaced by one letter, whole lines at a time."""

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
    message = _first_line(error)
    if "Empty CSV" in message:
        return DataError(f"{path} holds no text; it needs a header line and rows")
    if "UTF8" in message or "utf-8" in message.lower() or isinstance(error, UnicodeError):
        line, found = _undecodable(path, compression, encoding)
        return DataError(
            f"{path} line {line}: {found} is not {encoding}; save the file as UTF-8, or name its encoding, "
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


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
