"""What an encoder learnt, on disk: ``encoder.json`` and ``crosses.npy``, read with every value checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.encoding.columns import (
    Column,
    LabelColumn,
    MomentColumn,
    NumberColumn,
    TagColumn,
    TextColumn,
    VectorColumn,
)
from graphrec.data.encoding.crosses import Cross
from graphrec.data.files import read_array, read_json, write_array
from graphrec.errors import BundleError, first_line

_FORMAT = 1
_CLASSES: dict[str, type[Column]] = {
    column.KIND: column for column in (NumberColumn, LabelColumn, TagColumn, TextColumn, MomentColumn, VectorColumn)
}


class Learnt(NamedTuple):
    """The fields of a FeatureEncoder."""

    columns: tuple[Column, ...]
    crosses: tuple[Cross, ...]
    kinds: Mapping[str, str]
    left_out: Mapping[str, str]
    moment: float


def save_learnt(learnt: Learnt, directory: Path) -> None:
    """Write what an encoder learnt into a directory that is there."""
    document = {
        "format": _FORMAT,
        "moment": learnt.moment,
        "kinds": dict(learnt.kinds),
        "left_out": dict(learnt.left_out),
        "columns": [{"name": column.name, "kind": column.KIND, **column.document()} for column in learnt.columns],
        "crosses": [cross.document() for cross in learnt.crosses],
    }
    keys = [cross.keys for cross in learnt.crosses if cross.keys is not None]
    (directory / "encoder.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    write_array(directory / "crosses.npy", np.concatenate([np.empty(0, dtype=np.int64), *keys]))


def load_learnt(directory: Path) -> Learnt:
    """Return what :func:`save_learnt` wrote.

    Raises
    ------
    BundleError
        If a file is missing, damaged, or of another format.
    """
    path = directory / "encoder.json"
    try:
        document = read_json(path)
        if document["format"] != _FORMAT:
            raise ValueError(f"it has format {document['format']!r}; this release reads format {_FORMAT}")
        learnt = _learnt(document, read_array(directory / "crosses.npy", np.int64))
        _check_fields(learnt)
    except BundleError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise BundleError(f"{path} cannot be read as an encoder of features: {reason[:200]}") from error
    return learnt


def _learnt(document: Mapping[str, Any], keys: npt.NDArray[np.int64]) -> Learnt:
    columns = tuple(_CLASSES[entry["kind"]].of(str(entry["name"]), entry) for entry in document["columns"])
    lengths = [entry["keys"] or 0 for entry in document["crosses"]]
    if sum(lengths) != len(keys) or min(lengths, default=0) < 0:
        raise ValueError(f"its crosses have {sum(lengths)} keys, the array {len(keys)}")
    parts = np.split(keys, np.cumsum(lengths)[:-1]) if lengths else []
    if any((part[1:] <= part[:-1]).any() for part in parts):
        raise ValueError("the keys of a cross do not ascend")
    crosses = tuple(Cross.of(entry, part) for entry, part in zip(document["crosses"], parts, strict=True))
    kinds = {str(name): str(kind) for name, kind in document["kinds"].items()}
    left_out = {str(name): str(reason) for name, reason in document["left_out"].items()}
    return Learnt(columns, crosses, kinds, left_out, float(document["moment"]))


def _check_fields(learnt: Learnt) -> None:
    """Raise ValueError where fields have one name, or a cross is not of two of them; their sizes are checked, too."""
    fields = [field for column in learnt.columns for field in column.fields]
    names = [field.name for field in (*fields, *(cross.field for cross in learnt.crosses))]
    if len(set(names)) < len(names):
        raise ValueError("two of its fields have the same name")
    sizes = {field.name: field.size for field in fields if field.kind == "category"}
    for cross in learnt.crosses:
        for name in (cross.first, cross.second):
            if name not in sizes:
                raise ValueError(f"a cross is of {name!r}, which is none of its fields")
        if cross.width != sizes[cross.second]:
            raise ValueError(f"the cross {cross.name!r} counts {cross.width} codes, its field {sizes[cross.second]}")
