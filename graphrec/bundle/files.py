"""Reading and writing the files of a bundle: arrays, strings, sums. Foreign errors become sentences here."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from graphrec.data.files import copies_wanted, map_array
from graphrec.errors import BundleError, first_line

_COLUMN = "text"
# An Arrow file begins with this; a stream of messages follows.
_MAGIC = b"ARROW1\0\0"
# Folders within each other; a bundle of ours has 4.
_DEEPEST = 16


def array_header(path: Path) -> tuple[str, tuple[int, ...]]:
    """Return dtype (as ``'<f4'``) and shape of a ``.npy`` file, without reading its data."""
    array = map_array(path)
    return array.dtype.str, tuple(array.shape)


def write_strings(path: Path, strings: pa.LargeStringArray) -> None:
    """Write an Arrow string array as an Arrow IPC file of one column."""
    table = pa.record_batch([strings], names=[_COLUMN])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_batch(table)


def read_strings(path: Path) -> pa.LargeStringArray:
    """Return the array that :func:`write_strings` wrote; memory-mapped where arrays are.

    Raises
    ------
    BundleError
        If the file is missing or no Arrow file of one string column.
    """
    try:
        with pa.memory_map(str(path)) as mapped:
            whole = mapped.read_buffer()
            if copies_wanted():
                whole = pa.py_buffer(whole.to_pybytes())
        table = _table(whole)
        if table.schema.names != [_COLUMN] or table.schema.field(0).type != pa.large_string():
            raise pa.ArrowInvalid(f"its columns are {table.schema.to_string()[:80]!r}")
        table.validate(full=True)
        column = table.column(_COLUMN).combine_chunks()
    except (OSError, ValueError, KeyError, MemoryError, struct.error, pa.ArrowException) as error:
        raise BundleError(f"{path.name} cannot be read as Arrow strings: {first_line(error)[:200]}") from error
    return column


def _table(whole: pa.Buffer) -> pa.Table:
    """Return the table of an Arrow file, which takes no memory beside the file: what is packed is refused first.

    What is read is the stream within the file, message by message, and the same bytes that were looked at.
    """
    if whole.slice(0, len(_MAGIC)).to_pybytes() != _MAGIC:
        raise pa.ArrowInvalid("it is no Arrow file")
    stream = whole.slice(len(_MAGIC))
    for message in pa.ipc.MessageReader.open_stream(stream):
        if message.type not in ("schema", "record batch"):
            raise pa.ArrowInvalid(f"it holds a message of the type {message.type!r}")
        if message.type == "record batch" and not _is_plain(message.metadata.to_pybytes()):
            raise pa.ArrowInvalid("it is compressed, or has metadata of its own; the files of a bundle are plain")
    return pa.ipc.open_stream(stream).read_all()


def _is_plain(metadata: bytes) -> bool:
    """Return whether the message of a record batch names no compression, which pyarrow has no word for.

    References
    ----------
    .. [1] Apache Arrow, format/Message.fbs: fields 2 and 4 of a Message are its header and its own metadata, where
       files of before version 1.0 named their compression; field 3 of a RecordBatch is its BodyCompression. In
       FlatBuffers a table begins with the distance back to its list of fields.
    """
    message = struct.unpack_from("<I", metadata)[0]
    header = _field(metadata, message, 2)
    batch = header + struct.unpack_from("<I", metadata, header)[0]
    return not _field(metadata, message, 4) and not _field(metadata, batch, 3)


def _field(buffer: bytes, table: int, number: int) -> int:
    """Return where a field of a FlatBuffers table stands; 0 where it is left out."""
    fields = table - struct.unpack_from("<i", buffer, table)[0]
    if fields < 0 or 4 + 2 * number >= struct.unpack_from("<H", buffer, fields)[0]:
        return 0
    offset: int = struct.unpack_from("<H", buffer, fields + 4 + 2 * number)[0]
    return table + offset if offset else 0


def open_plain(path: Path) -> int:
    """Open a plain file for reading, and nothing else: a link is not followed, a pipe not waited for.

    Raises
    ------
    OSError
        If it cannot be opened.
    BundleError
        If it is no plain file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BundleError(f"{shown(path.name)} is no plain file; a bundle holds plain files only")
    return handle


def shown(name: str) -> str:
    """Return the name of a file as it may stand in a sentence: with escapes where it cannot be printed."""
    return name if name.isprintable() else repr(name)


def walk_files(directory: Path, *, depth: int = _DEEPEST) -> Iterator[str]:
    """Yield the relative path (with ``/``) of every file below ``directory``, in order of name.

    Raises
    ------
    BundleError
        At a symbolic link or anything else that is neither file nor directory, and at folders 16 deep.
    """
    if depth == 0:
        raise BundleError(f"{shown(directory.name)} stands {_DEEPEST} folders deep; a bundle holds no such folders")
    with os.scandir(directory) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            what = "a symbolic link" if entry.is_symlink() else "neither a file nor a directory"
            raise BundleError(f"{shown(entry.name)} is {what}; a bundle holds plain files only")
        if entry.is_dir():
            yield from (f"{entry.name}/{name}" for name in walk_files(Path(entry.path), depth=depth - 1))
        else:
            yield entry.name


def sync(path: Path) -> None:
    """Force one file or directory to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(directory: Path) -> None:
    """Force every file and directory below ``directory``, and itself, to disk."""
    for name in walk_files(directory):
        sync(directory / name)
    for folder, _, _ in os.walk(directory, topdown=False):
        sync(Path(folder))
