"""Reading vectors that somebody wrote: every header is compared with the size of its file before it is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.checks import as_array
from graphrec.data.files import arrays_in_memory, map_array, parse_json
from graphrec.data.id_files import id_of_line
from graphrec.data.limits import Expansion, Limits, beyond_limit
from graphrec.errors import BundleError, DataError, GraphRecError, MissingExtraError, brief, first_line
from graphrec.index.embedding_files import Format, format_of, metadata_file
from graphrec.index.row_ids import RowIds

FloatArray = npt.NDArray[np.float32]

_BATCH_ROWS = 1 << 14
# What pyarrow and safetensors raise of damaged files; bad offsets and sizes come as indexes and keys of Python.
_FAULTS = (
    pa.ArrowException, OSError, MemoryError, ValueError, IndexError, KeyError, TypeError, OverflowError,
)  # fmt: skip


def read_vectors(path: Path, named: Format | None, limits: Limits) -> tuple[RowIds, FloatArray]:
    """Return nodes and vectors (n, dim) of a file in one of the formats of :mod:`graphrec.index.embedding_files`.

    Raises
    ------
    DataError
        If the file is missing, damaged, cut short, or beyond the limits.
    MissingExtraError
        If the format needs a library that is not installed.
    """
    form = format_of(path, named)
    with _sound(path, form):
        if not path.is_file():
            raise DataError(f"there is no file {str(path)!r}")
        return _READERS[form](path, limits)


@contextmanager
def _sound(path: Path, form: str) -> Iterator[None]:
    """Turn what a library raises of a damaged file into the sentence for it."""
    try:
        yield
    except BundleError as error:
        raise DataError(str(error)) from error
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from error
    except GraphRecError:
        raise
    except _FAULTS as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise DataError(f"{path} is not a sound file of the format {form!r} ({reason})") from error


def _parquet(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    expansion = Expansion(path, path.stat().st_size, limits)
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as opened:
        wanted = _wanted(path, opened.schema_arrow)
        groups = (opened.metadata.row_group(place) for place in range(opened.metadata.num_row_groups))
        for group in groups:
            expansion.add(max(0, group.total_byte_size))
        # A page may hold one value for a million rows: what comes out is counted again.
        unpacked = Expansion(path, path.stat().st_size, limits)
        batches = opened.iter_batches(batch_size=_BATCH_ROWS, columns=wanted, use_threads=False)
        return _of_batches(path, batches, unpacked)


def _arrow(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    # Not mapped: a file that is cut while it is read must not end the process.
    with pa.OSFile(str(path)) as file:
        opened = pa.ipc.open_file(file)
        _wanted(path, opened.schema)
        batches = (opened.get_batch(place) for place in range(opened.num_record_batches))
        return _of_batches(path, batches, Expansion(path, path.stat().st_size, limits))


def _wanted(path: Path, schema: pa.Schema) -> list[str]:
    """Return the columns that are read; DataError where ``id`` or ``vector`` is missing or of another type."""
    for name in ("id", "vector"):
        if name not in schema.names:
            raise DataError(f"{path} has the columns {', '.join(schema.names[:20])}; it must have 'id' and 'vector'")
    kind = schema.field("vector").type
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists) or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{path}: the column 'vector' holds {kind}; it must hold lists of numbers")
    return [name for name in ("id", "kind", "label", "vector") if name in schema.names]


def _of_batches(path: Path, batches: Iterable[pa.RecordBatch], expansion: Expansion) -> tuple[RowIds, FloatArray]:
    """Return nodes and vectors of batches, each validated whole before its offsets are followed."""
    parts: list[FloatArray] = []
    texts: dict[str, list[pa.Array]] = {}
    dim = None
    for batch in batches:
        batch.validate(full=True)
        expansion.add(batch.nbytes)
        vectors = batch.column("vector")
        lengths = np.unique(vectors.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)).tolist()
        if len(batch) and (len(lengths) > 1 or lengths[0] < 1 or dim not in (None, lengths[0])):
            widths = sorted({*lengths, lengths[0] if dim is None else dim})[:5]
            raise DataError(f"{path}: vectors have the widths {widths} (-1: none); they must have one")
        dim = lengths[0] if lengths else dim
        values = vectors.flatten()
        if values.null_count:
            raise DataError(f"{path}: a vector holds a null; every value must be a number")
        flat = as_array(values.to_numpy(zero_copy_only=False), np.float32, name=f"{path}: vector")
        parts.append(flat.reshape(-1, dim or 1))
        for name in ("id", "kind", "label"):
            if name in batch.schema.names:
                texts.setdefault(name, []).append(batch.column(name).cast(pa.large_string()))
    if dim is None:
        raise DataError(f"{path} holds no vector")
    joined = {name: pa.concat_arrays(columns) for name, columns in texts.items()}
    return RowIds(joined["id"], joined.get("kind"), joined.get("label")), np.concatenate(parts)


def _npy(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    beside = path.with_suffix(".ids")
    with arrays_in_memory():
        matrix = as_array(map_array(path), np.float32, name=str(path), ndim=2)
    lines = _text(beside, limits).splitlines()
    ids = [external for line in lines if (external := id_of_line(line)) is not None]
    _check_count(beside, len(ids), len(matrix))
    return _with_metadata(path, ids, limits), matrix


def _word2vec(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    with path.open("rb") as file:
        n, dim = _head(path, file, row_bytes=lambda dim: 2 * dim + 1, limits=limits)
        matrix, ids = np.empty((n, dim), dtype=np.float32), []
        for row, line in enumerate(_lines(path, file, limits, first=2)):
            parts = line.rstrip(" ").split(" ")
            if row == n:
                raise DataError(f"{path}, line {row + 2}: its first line says {n:,} vectors; there are more")
            if len(parts) != dim + 1:
                raise DataError(f"{path}, line {row + 2}: {len(parts) - 1} numbers follow the id; there must be {dim}")
            matrix[row] = _numbers(parts[1:], path, row + 2)
            ids.append(parts[0])
    if len(ids) < n:
        raise DataError(f"{path} ends after {len(ids):,} vectors; its first line says {n:,}")
    return _with_metadata(path, ids, limits), matrix


def _keyedvectors(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    with path.open("rb") as file:
        n, dim = _head(path, file, row_bytes=lambda dim: 4 * dim + 2, limits=limits)
        rest = file.read()
    matrix, ids, place = np.empty((n, dim), dtype=np.float32), [], 0
    for row in range(n):
        end = rest.find(b" ", place, place + limits.text_bytes)
        if end < 0 or end + 1 + 4 * dim > len(rest):
            raise DataError(f"{path} ends within vector {row:,}; its first line says {n:,} of {dim} dimensions")
        ids.append(_decoded(rest[place:end].lstrip(b"\n"), path, f"the id of vector {row:,}"))
        matrix[row] = np.frombuffer(rest, "<f4", dim, end + 1)
        place = end + 1 + 4 * dim
    if rest[place:].strip(b"\n"):
        raise DataError(f"{path}: {len(rest) - place:,} bytes follow the {n:,} vectors that its first line says")
    return _with_metadata(path, ids, limits), matrix


def _head(path: Path, file: BinaryIO, *, row_bytes: Callable[[int], int], limits: Limits) -> tuple[int, int]:
    """Return what the first line of a word2vec file says, numbers of vectors and of dimensions, once the size fits."""
    line = file.readline(100)
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() and len(part) < 16 for part in parts):
        raise DataError(f"{path}: its first line is {brief(line)}; it must be the numbers of vectors and dimensions")
    n, dim = map(int, parts)
    if dim < 1 or n < 1:
        raise DataError(f"{path}: its first line says {n:,} vectors of {dim:,} dimensions; both are 1 or more")
    if dim > limits.text_bytes:
        raise beyond_limit(path, f"a vector has {dim:,} dimensions", limits, "text_bytes")
    size = path.stat().st_size - len(line)
    if n * row_bytes(dim) > size:
        raise DataError(
            f"{path}: its first line says {n:,} vectors of {dim:,} dimensions, which {size:,} bytes cannot hold; "
            "the file is cut short, or its first line is wrong"
        )
    return n, dim


def _safetensors(path: Path, _limits: Limits) -> tuple[RowIds, FloatArray]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError("the format safetensors", extra="train") from error
    try:
        with safe_open(path, framework="numpy") as opened:
            about, names = opened.metadata() or {}, list(opened.keys())
            name = "vectors" if "vectors" in names else names[0] if len(names) == 1 else None
            if name is None or "ids" not in about:
                shown = ", ".join(names[:8]) or "none"
                raise DataError(
                    f"{path} has the tensors {shown} and the metadata {', '.join(about) or 'none'}; it must have a "
                    "tensor 'vectors', and 'ids' in its metadata as a JSON list"
                )
            matrix = as_array(opened.get_tensor(name), np.float32, name=f"{path}: {name}", ndim=2)
    except SafetensorError as error:
        raise DataError(f"{path} is not a sound file of the format 'safetensors' ({first_line(error)})") from error
    columns = {key: _listed(about[key], path, key) for key in ("ids", "kinds", "labels") if key in about}
    _check_count(path, len(columns["ids"]), len(matrix))
    return RowIds(columns["ids"], columns.get("kinds"), columns.get("labels")), matrix


def _listed(text: str, path: Path, name: str) -> list[Any]:
    """Return a list of the metadata."""
    values = parse_json(text.encode())
    if not isinstance(values, list):
        raise DataError(f"{path}: the metadata {name!r} hold {brief(values)}; they must hold a JSON list")
    return values


def _projector(path: Path, limits: Limits) -> tuple[RowIds, FloatArray]:
    rows: list[FloatArray] = []
    with path.open("rb") as file:
        for number, line in enumerate(_lines(path, file, limits, first=1), 1):
            rows.append(_numbers(line.split("\t"), path, number))
            if len(rows[-1]) != len(rows[0]):
                raise DataError(f"{path}, line {number}: {len(rows[-1])} numbers; the first line has {len(rows[0])}")
    if not rows:
        raise DataError(f"{path} holds no vector")
    columns = _metadata(metadata_file(path), limits, head_is_known=False)
    _check_count(metadata_file(path), len(columns["id"]), len(rows))
    return RowIds(columns["id"], columns.get("kind"), columns.get("label")), np.stack(rows)


def _with_metadata(path: Path, ids: list[str], limits: Limits) -> RowIds:
    """Return the nodes with kinds and labels, where these stand beside the file."""
    beside = metadata_file(path)
    if not beside.is_file():
        return RowIds(ids)
    columns = _metadata(beside, limits, head_is_known=True)
    if columns["id"] != ids:
        raise DataError(f"{beside} names other ids than {path}, or in another order; write both again")
    return RowIds(ids, columns.get("kind"), columns.get("label"))


def _metadata(path: Path, limits: Limits, *, head_is_known: bool) -> dict[str, list[Any]]:
    """Return the columns id, kind and label of a table of the projector; a table of one column has no head."""
    lines = [line.split("\t") for line in _text(path, limits).split("\n")]
    if lines[-1] == [""]:
        lines.pop()
    head = lines[0] if lines and len(lines[0]) > 1 else ["id"]
    body = lines[1:] if head_is_known or len(head) > 1 else lines
    if "id" not in head:
        head = ["id", *head[1:]]
    if wrong := next((n for n, line in enumerate(body, 2) if len(line) != len(head)), None):
        raise DataError(f"{path}, line {wrong}: it has another number of cells than the {len(head)} of the first line")
    columns: dict[str, list[Any]] = {name: [line[place] for line in body] for place, name in enumerate(head)}
    if "label" in columns:
        columns["label"] = [text or None for text in columns["label"]]
    return columns


def _lines(path: Path, file: BinaryIO, limits: Limits, *, first: int) -> Iterator[str]:
    """Yield the lines from here on as text, without empty ones at the end."""
    number = first
    while line := file.readline(limits.text_bytes + 1):
        if len(line) > limits.text_bytes:
            raise beyond_limit(f"{path}, line {number}", "the line is longer", limits, "text_bytes")
        text = _decoded(line.rstrip(b"\r\n"), path, f"line {number}")
        if not line.endswith(b"\n"):
            raise DataError(f"{path}, line {number}: the line has no end; the file is cut short")
        if text.strip():
            yield text
        elif file.read(1):
            raise DataError(f"{path}, line {number}: the line is empty")
        number += 1


def _numbers(texts: list[str], path: Path, line: int) -> FloatArray:
    try:
        with np.errstate(over="ignore"):
            return np.array(texts, dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {first_line(error)}; numbers must follow the id") from error


def _decoded(data: bytes, path: Path, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {where} is no UTF-8 text ({brief(data)})") from error


def _text(path: Path, limits: Limits) -> str:
    """Return a text file beside the vectors; DataError where it is missing or beyond the limits."""
    try:
        size = path.stat().st_size
        if size > limits.expanded_bytes:
            raise beyond_limit(path, f"it has {size:,} bytes", limits, "expanded_bytes")
        return _decoded(path.read_bytes(), path, "it")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; it must hold the ids of the vectors") from error


def _check_count(path: Path, n_ids: int, n_vectors: int) -> None:
    if n_ids != n_vectors:
        raise DataError(f"{path} has {n_ids:,} ids for {n_vectors:,} vectors; there must be one a vector")


_READERS: Mapping[str, Callable[[Path, Limits], tuple[RowIds, FloatArray]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "npy": _npy,
    "word2vec": _word2vec,
    "keyedvectors": _keyedvectors,
    "safetensors": _safetensors,
    "projector": _projector,
}
