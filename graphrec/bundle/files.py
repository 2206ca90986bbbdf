"""Reading and writing the files of a bundle: arrays, strings, sums. Foreign errors become sentences here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from graphrec.data.files import map_array
from graphrec.errors import BundleError

_COLUMN = "text"


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
    """Return the array that :func:`write_strings` wrote, memory-mapped.

    Raises
    ------
    BundleError
        If the file is missing or no Arrow file of one string column.
    """
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        column = table.column(_COLUMN).combine_chunks().cast(pa.large_string())
        column.validate(full=True)
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BundleError(f"{path.name} cannot be read as Arrow strings: {reason}") from error
    return column


def walk_files(directory: Path) -> Iterator[str]:
    """Yield the relative path (with ``/``) of every file below ``directory``, in order of name.

    Raises
    ------
    BundleError
        At a symbolic link or anything else that is neither file nor directory.
    """
    for entry in sorted(os.scandir(directory), key=lambda one: one.name):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            what = "a symbolic link" if entry.is_symlink() else "neither a file nor a directory"
            raise BundleError(f"{entry.name} is {what}; a bundle holds plain files only")
        if entry.is_dir():
            yield from (f"{entry.name}/{name}" for name in walk_files(Path(entry.path)))
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
