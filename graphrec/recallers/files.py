"""The files of a saved recaller: ``recaller.json`` and ``.npy`` arrays, read back with every fault named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from graphrec import files
from graphrec.errors import BundleError

SETTINGS = "recaller.json"


def write_settings(directory: Path, kind: str, settings: Mapping[str, object]) -> None:
    """Write ``recaller.json``: the kind, then the settings."""
    text = json.dumps({"kind": kind, **settings}, ensure_ascii=False, indent=1)
    (directory / SETTINGS).write_text(text + "\n", encoding="utf-8")


def read_settings(directory: Path, *, kind: str | None = None) -> dict[str, Any]:
    """Return what ``recaller.json`` holds.

    Raises
    ------
    BundleError
        If it is missing, unreadable, no JSON object, or not of ``kind`` where one is asked for.
    """
    path = directory / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
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
    value = settings.get(name)
    legal = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, legal) or (isinstance(value, bool) and bool not in legal):
        wanted = " or ".join(one.__name__ for one in legal)
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
