"""Vectors of entities that a channel of vectors keeps beside those of its items: for exports, never for recall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_rows
from graphrec.errors import BundleError, DataError
from graphrec.recallers.files import read_array, setting, write_array, write_matrix

# In ``recaller.json``; bundles of before have no such name, and no entities.
_SETTING = "entities"


@dataclass(frozen=True, slots=True, eq=False)
class EntityVectors:
    """Vectors of e entities, in the space of the vectors that the channel keeps of items: its ``sources``.

    Saved they are 4 (dim + 1) bytes an entity. Loaded they are mapped, and no page of the vectors is read before
    somebody asks for a table of them.

    Parameters
    ----------
    rows : ndarray
        (e,) int32, ascending: rows of the vocabulary of entities.
    vectors : ndarray
        (e, dim) float32.

    Raises
    ------
    DataError
        If the lengths differ, or rows are not ascending or repeated.
    """

    rows: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.vectors):
            raise DataError(f"there are {len(self.rows)} entities and {len(self.vectors)} vectors; give each its own")
        if (np.diff(self.rows) <= 0).any():
            raise DataError("rows of entities with a vector must ascend without repetition")

    @classmethod
    def of_nodes(cls, vectors: npt.NDArray[np.float32], learnt: npt.NDArray[np.bool_]) -> Self | None:
        """Return those of all entities (n_entities, dim) that are ``learnt`` (n_entities,); None where none is."""
        rows = np.flatnonzero(learnt).astype(np.int32)
        return cls(rows, vectors[rows]) if len(rows) else None


def save_entities(directory: Path, entities: EntityVectors | None) -> dict[str, bool]:
    """Write ``entity-rows.npy`` and ``entity-vectors.npy`` where there are any, and return what the settings say."""
    if entities is not None:
        write_array(directory, "entity-rows", entities.rows)
        write_matrix(directory, "entity-vectors", entities.vectors)
    return {_SETTING: entities is not None}


def load_entities(directory: Path, settings: Mapping[str, Any], *, dim: int, n_entities: int) -> EntityVectors | None:
    """Return what :func:`save_entities` wrote, mapped; None where it wrote none, or graphrec was older.

    Raises
    ------
    BundleError, DataError
        If a file is missing or damaged, or is of another number of entities than the bundle's.
    """
    if _SETTING not in settings or not setting(settings, _SETTING, bool, directory=directory):
        return None
    rows, flat = read_array(directory, "entity-rows", np.int32), read_array(directory, "entity-vectors", np.float32)
    if len(flat) != len(rows) * dim:
        raise BundleError(f"{directory / 'entity-vectors'}.npy holds {len(flat)} values, not {len(rows)} times {dim}")
    check_rows(rows, n_entities, name="rows of entities")
    return EntityVectors(rows, flat.reshape(-1, dim))
