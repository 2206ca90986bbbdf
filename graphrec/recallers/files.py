"""The files of a saved recaller: ``recaller.json`` and ``.npy`` arrays, read back with every fault named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_finite
from graphrec.data import files
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError

SETTINGS = "recaller.json"
_TABLE = {"indptr": np.int64, "neighbours": np.int32, "scores": np.float32}


class _OfItems(Protocol):
    @property
    def n_items(self) -> int: ...


Made = TypeVar("Made", bound=_OfItems)


def write_settings(directory: Path, kind: str, settings: Mapping[str, object]) -> None:
    """Write ``recaller.json``: the kind, then the settings."""
    text = json.dumps({"kind": kind, **settings}, ensure_ascii=False, indent=1)
    (directory / SETTINGS).write_text(text + "\n", encoding="utf-8")


def read_settings(directory: Path, *, kind: str | None = None) -> dict[str, Any]:
    """Return what ``recaller.json`` holds.

    Raises
    ------
    BundleError
        If it is missing, unreadable, no JSON object, or not of ``kind`` where a kind is given.
    """
    path = directory / SETTINGS
    try:
        settings = files.read_json(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); train the channel again") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON ({error}); train the channel again") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("kind"), str):
        raise BundleError(f"{path} names no kind of recaller; train the channel again")
    if kind is not None and settings["kind"] != kind:
        raise BundleError(f"{path} is of kind {settings['kind']!r}; expected {kind!r}")
    return settings


def setting(settings: Mapping[str, Any], name: str, kind: type | tuple[type, ...], *, directory: Path) -> Any:
    """Return one setting; raise BundleError where it is missing or of another type."""
    if name not in settings:
        raise BundleError(
            f"{directory / SETTINGS} has no {name!r}: another version of graphrec wrote it; train the channel again"
        )
    value = settings[name]
    legal = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, legal) or (isinstance(value, bool) and bool not in legal):
        wanted = " or ".join(kind.__name__ for kind in legal)
        raise BundleError(f"{directory / SETTINGS} holds {value!r} for {name!r}; expected {wanted}")
    return value


def counts_setting(settings: Mapping[str, Any], name: str, *, directory: Path) -> list[int]:
    """Return one setting that is a list of whole numbers; raise BundleError where it is anything else."""
    values = setting(settings, name, list, directory=directory)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise BundleError(f"{directory / SETTINGS} holds {values!r} for {name!r}; expected whole numbers")
    return list(values)


def write_array(directory: Path, name: str, array: npt.NDArray[Any]) -> None:
    """Write one array as ``NAME.npy``."""
    files.write_array(directory / f"{name}.npy", array)


def read_array(directory: Path, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return ``NAME.npy``, one-dimensional, memory-mapped and read-only.

    Raises
    ------
    BundleError
        If it is missing, damaged, or of another dtype or number of dimensions.
    """
    try:
        return files.read_array(directory / f"{name}.npy", dtype)
    except BundleError as error:
        raise BundleError(f"{error}; train the channel again") from error


def write_matrix(directory: Path, name: str, matrix: npt.NDArray[np.float32]) -> None:
    """Write a matrix (n, dim) as ``NAME.npy``, row by row."""
    write_array(directory, name, np.ascontiguousarray(matrix).reshape(-1))


def read_matrix(directory: Path, name: str, dim: int) -> npt.NDArray[np.float32]:
    """Return what :func:`write_matrix` wrote, (n, dim) float32, memory-mapped and read-only.

    Raises
    ------
    BundleError
        As :func:`read_array`, or if the values are no multiple of ``dim``.
    DataError
        If a value is not finite.
    """
    flat = read_array(directory, name, np.float32)
    if dim < 1 or len(flat) % dim:
        raise BundleError(f"{directory / name}.npy holds {len(flat)} values, no multiple of dim {dim}")
    matrix: npt.NDArray[np.float32] = flat.reshape(-1, dim)
    check_finite(matrix, name=name)
    return matrix


def write_table(directory: Path, form: str, table: NeighbourTable) -> None:
    """Write a table's three arrays; ``form`` has a place for each name: ``votes-{}``."""
    for name in _TABLE:
        write_array(directory, form.format(name), getattr(table, name))


def read_table(directory: Path, form: str, *, n_columns: int) -> NeighbourTable:
    """Return what :func:`write_table` wrote; raise BundleError or DataError where it is missing or damaged."""
    arrays = (read_array(directory, form.format(name), dtype) for name, dtype in _TABLE.items())
    return NeighbourTable(*arrays, n_columns=n_columns)


def check_items(directory: Path, n_items: int, items: Vocabulary) -> None:
    """Raise BundleError unless what is saved has as many items as there are."""
    if n_items != len(items):
        raise BundleError(f"{directory} is of {n_items} items; the bundle has {len(items)}")


def load_saved(directory: Path, kind: str, items: Vocabulary, make: Callable[[dict[str, Any]], Made]) -> Made:
    """Return what ``make`` makes of the saved settings.

    Raises
    ------
    BundleError
        If it cannot be made of what is there, or is of another number of items.
    """
    settings = read_settings(directory, kind=kind)
    try:
        made = make(settings)
    except (TypeError, ValueError, OverflowError) as error:
        raise BundleError(f"{directory} is damaged: {error}") from error
    check_items(directory, made.n_items, items)
    return made
