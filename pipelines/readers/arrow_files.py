"""Parquet and Arrow files as tables: batch by batch, each checked before anything looks into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.data.limits import Expansion, Limits
from graphrec.errors import DataError, first_line

from .batches import Batch, Table
from .frames import numbered

_BATCH_ROWS = 1 << 18
# What pyarrow raises of a damaged file; bad offsets and sizes come as indexes, keys and lengths of Python.
_FAULTS = (pa.ArrowException, OSError, MemoryError, ValueError, IndexError, KeyError, TypeError, OverflowError)


@contextmanager
def _sound(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow raises of a damaged file into the sentence for it."""
    try:
        yield
    except DataError:
        raise
    except _FAULTS as error:
        raise DataError(f"{path} is not a sound {kind} file ({first_line(error)})") from error


def parquet_table(path: Path, limits: Limits) -> Table:
    """Return a Parquet file as a :class:`Table`; its pages must unpack within the ``limits``.

    Raises
    ------
    DataError
        If the file is damaged; where its pages are, once they are read.
    """
    with _sound(path, "Parquet"):
        columns = pq.read_schema(path).names

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as opened:
            _check_expansion(path, opened.metadata, wanted, limits)
            yield from opened.iter_batches(batch_size=_BATCH_ROWS, columns=list(wanted), use_threads=False)

    return Table(str(path), tuple(columns), "row", _reader(path, "Parquet", batches))


def arrow_table(path: Path) -> Table:
    """Return an Arrow file (Feather too) as a :class:`Table`.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    with _sound(path, "Arrow"), pa.OSFile(str(path)) as file:
        columns = pa.ipc.open_file(file).schema.names

    def batches(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        fields = sorted(columns.index(name) for name in wanted)
        options = pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        # Not mapped: a file that is cut while it is read must not end the process.
        with pa.OSFile(str(path)) as file:
            opened = pa.ipc.open_file(file, options=options)
            for place in range(opened.num_record_batches):
                yield opened.get_batch(place)

    return Table(str(path), tuple(columns), "row", _reader(path, "Arrow", batches))


def _reader(
    path: Path, kind: str, batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
) -> Callable[[Sequence[str]], Iterator[Batch]]:
    """Return what reads the wanted columns of a file, in their order, each batch checked whole."""

    def checked(wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for rows in batches(wanted):
            # Offsets and codes of a damaged file may point anywhere; what reads them does not look.
            rows.validate(full=True)
            yield rows.select(list(wanted))

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        source = numbered(checked(wanted))
        while True:
            with _sound(path, kind):
                batch = next(source, None)
            if batch is None:
                return
            yield batch

    return read


def _check_expansion(path: Path, metadata: pq.FileMetaData, wanted: Sequence[str], limits: Limits) -> None:
    """Raise DataError where the pages of the wanted columns unpack to more than the limits allow."""
    expansion = Expansion(path, path.stat().st_size, limits)
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema.split(".")[0] in wanted:
                expansion.add(max(0, column.total_uncompressed_size))
