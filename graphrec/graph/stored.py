"""Graphs on disk: saved to a folder, opened mapped, and made there of more edges than memory would like to sort.

A folder holds ``graph.json`` (format, names) and the arrays of the graph as ``.npy`` files. A graph that is opened is
mapped: pages are read when a walk first needs them, and shared between processes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, as_path, check_count, check_length, check_rows, typed
from graphrec.data.files import arrays_in_memory, read_array, read_json, write_array
from graphrec.data.lists import indptr_of
from graphrec.data.scratch import PART, owned
from graphrec.errors import BundleError, ConfigError, DataError, first_line
from graphrec.escapes import json_text
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import INTERACTS, ITEM, REVERSE_INTERACTS, USER
from graphrec.graph.edge_kernels import count_rows, drop_repeats, scatter, transpose

_FORMAT = 1
_ABOUT = "graph.json"
_ARRAYS = {"indptr": np.int64, "indices": np.int32, "relations": np.int16, "type_offsets": np.int64}
# Events that are read, and relations that are written, at a time.
_PART = 1 << 22


@typed
def save_adjacency(adjacency: Adjacency, folder: Path) -> None:
    """Save a graph to a new folder, whole or not at all.

    Raises
    ------
    ConfigError
        If there is something at ``folder`` that is no empty folder.
    OSError
        If it cannot be written.
    """
    with _new_folder(folder) as part:
        for name in _ARRAYS:
            write_array(part / f"{name}.npy", getattr(adjacency, name))
        if adjacency.weights is not None:
            write_array(part / "weights.npy", adjacency.weights)
        _write_about(part, adjacency.node_types, adjacency.relation_names, weighted=adjacency.weights is not None)


@typed
def open_adjacency(folder: Path, *, in_memory: bool = False) -> Adjacency:
    """Return the graph that was saved in a folder.

    Parameters
    ----------
    folder : path
        What :func:`save_adjacency` or :func:`write_user_item_graph` made.
    in_memory : bool, default False
        Copy the arrays. By default they are mapped.

    Raises
    ------
    BundleError
        If the folder is missing, damaged, or of a newer version: every row, offset and weight is looked at.

    Notes
    -----
    Time O(m), to check; memory O(1) where it is mapped.
    """
    folder = as_path(folder, name="folder")
    try:
        about = read_json(folder / _ABOUT)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise BundleError(f"{folder / _ABOUT} cannot be read: {reason}; is {folder} a saved graph?") from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        stored = about.get("format") if isinstance(about, dict) else type(about).__name__
        raise BundleError(f"{folder} holds a graph of format {stored!r}; this version reads format {_FORMAT}")
    node_types, relation_names = (_names(about, key, folder) for key in ("node_types", "relation_names"))
    with arrays_in_memory(in_memory):
        arrays = {name: read_array(folder / f"{name}.npy", dtype) for name, dtype in _ARRAYS.items()}
        weights = read_array(folder / "weights.npy", np.float32) if about.get("weighted") else None
    try:
        return Adjacency(**arrays, weights=weights, node_types=node_types, relation_names=relation_names)
    except DataError as error:
        raise BundleError(f"{folder} is damaged: {error}") from error


@typed
def write_user_item_graph(
    folder: Path, users: npt.ArrayLike, items: npt.ArrayLike, *, n_users: int, n_items: int
) -> Adjacency:
    """Write the graph of users and items to a new folder, and open it: for more events than memory would sort.

    It is the graph of :func:`graphrec.graph.catalogue.with_users` for a catalogue without knowledge: users first, each
    pair one edge either way, without weights.

    Parameters
    ----------
    folder : path
        A folder that does not exist, or is empty.
    users, items : ndarray
        (m,) int32 rows of m events, mapped (``numpy.load(..., mmap_mode="r")``) or in memory; pairs may repeat.
    n_users, n_items : int
        Nodes of either kind.

    Raises
    ------
    ConfigError
        On counts below 0, or if there is something at ``folder``.
    DataError
        On rows out of range or columns of different lengths.
    OSError
        If it cannot be written.

    Notes
    -----
    Time O(m + n). Edges are sorted by counting, three times, in the files; memory is 8 bytes a node and what the system
    keeps of the files (12 bytes a pair on disk, 4 more while it is made).
    """
    for name, count in (("n_users", n_users), ("n_items", n_items)):
        check_count(name, count, 0, 2**31 - 1)
    rows, others = as_array(users, np.int32, name="users"), as_array(items, np.int32, name="items")
    check_length(others, len(rows), name="items")
    check_rows(rows, n_users, name="users")
    check_rows(others, n_items, name="items")
    with _new_folder(folder) as part:
        by_item = _array(part / "unsorted.npy", np.int32, len(rows))
        item_indptr = _scattered(others, rows, n_items, by_item)
        by_user = _array(part / "sorted.npy", np.int32, len(rows))
        user_indptr = _transposed(item_indptr, by_item, n_users, by_user)
        m = int(drop_repeats(user_indptr, by_user))
        indices = _array(part / "indices.npy", np.int32, 2 * m)
        for start in range(0, m, _PART):
            stop = min(start + _PART, m)
            indices[start:stop] = by_user[start:stop] + np.int32(n_users)
        item_indptr = _transposed(user_indptr, by_user, n_items, indices[m:])
        relations = _array(part / "relations.npy", np.int16, 2 * m)
        relations[m:] = 1
        write_array(part / "indptr.npy", np.concatenate([user_indptr, item_indptr[1:] + m]))
        write_array(part / "type_offsets.npy", np.array([0, n_users, n_users + n_items], np.int64))
        for file in (indices, relations):
            if isinstance(file, np.memmap):
                file.flush()
        del by_item, by_user, indices, relations
        for name in ("unsorted.npy", "sorted.npy"):
            (part / name).unlink()
        _write_about(part, (USER, ITEM), (INTERACTS, REVERSE_INTERACTS), weighted=False)
    return open_adjacency(folder)


def _names(about: dict[str, object], key: str, folder: Path) -> list[str]:
    value = about.get(key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise BundleError(f"{folder / _ABOUT}: {key} must be a list of texts")
    return value


def _scattered(
    rows: npt.NDArray[np.int32], others: npt.NDArray[np.int32], n: int, lists: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Write to ``lists`` the ``others`` of each row, in their order; return where each row's list starts."""
    counts = np.zeros(n, np.int64)
    count_rows(rows, counts)
    indptr = indptr_of(counts)
    scatter(rows, others, indptr[:-1].copy(), lists)
    return indptr


def _transposed(
    indptr: npt.NDArray[np.int64], lists: npt.NDArray[np.int32], n: int, turned: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Write to ``turned`` the rows whose list holds each of n entries, ascending; return where each starts."""
    counts = np.zeros(n, np.int64)
    count_rows(lists[: indptr[-1]], counts)
    result = indptr_of(counts)
    transpose(indptr, lists, result[:-1].copy(), turned)
    return result


def _array(path: Path, dtype: npt.DTypeLike, size: int) -> npt.NDArray[np.int32]:
    """Return a new array of zeros in a file; in memory where it is empty, which cannot be mapped."""
    if size == 0:
        write_array(path, np.empty(0, dtype))
        return np.empty(0, dtype)
    mapped: npt.NDArray[np.int32] = np.lib.format.open_memmap(path, "w+", dtype, (size,))
    return mapped


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside ``folder`` to write to, which takes its name at the end; gone where the context fails."""
    target = as_path(folder, name="folder").absolute()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ConfigError(f"there is something at {str(target)!r}; name a new folder for the graph")
    target.parent.mkdir(parents=True, exist_ok=True)
    with owned(lambda: Path(tempfile.mkdtemp(prefix=f".{target.name}-", suffix=PART, dir=target.parent))) as part:
        yield part
        part.chmod(0o755)
        part.replace(target)


def _write_about(folder: Path, node_types: tuple[str, ...], relation_names: tuple[str, ...], *, weighted: bool) -> None:
    about = {
        "format": _FORMAT, "node_types": list(node_types), "relation_names": list(relation_names), "weighted": weighted
    }  # fmt: skip
    (folder / _ABOUT).write_text(json_text(about) + "\n", encoding="utf-8")
