"""Vectors of items that are searched by their cosines with items of a history: what votes and interests share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, evidence_of, no_evidence
from graphrec.errors import DataError
from graphrec.index import Index, load_index
from graphrec.recallers.auditing import audit_on_items
from graphrec.recallers.files import read_array, read_matrix, setting, write_array, write_matrix, write_settings
from graphrec.recallers.nearest_source import nearest_sources
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, check_vector_rows


@dataclass(frozen=True, slots=True, eq=False)
class ItemVectors:
    """What a recaller holds whose queries are items of the history; a base class.

    Parameters
    ----------
    rows : ndarray
        (t,) int32, ascending: the items that have a vector. No other item is ever returned.
    sources : ndarray
        (t, dim) float32.
    near : Index
        By cosine, over ``sources``.
    n_items : int
        Size of the item vocabulary.
    profile : Profile
        Which items of a history count, and how much.

    Raises
    ------
    DataError
        If shapes disagree or rows are out of range, not ascending or repeated.
    """

    rows: npt.NDArray[np.int32]
    sources: FloatArray
    near: Index
    n_items: int
    profile: Profile = field(default_factory=Profile)

    def __post_init__(self) -> None:
        check_vector_rows(self.rows, self.sources, self.n_items)
        if (len(self.near), self.near.dim) != self.sources.shape:
            raise DataError(f"vectors {self.sources.shape} and an index of {len(self.near)} do not fit each other")

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the history item whose weighted cosine with it is greatest."""
        chosen = nearest_sources(query.history, items, self.profile, self.rows, self.sources, self.sources)
        return no_evidence(len(items)) if chosen is None else evidence_of(chosen)

    def audit(self, *, k: int = 100, seed: int = 0, n_queries: int = 200) -> float:
        """Return the share of the exact ``k`` best that the index returns, on queries drawn from the items."""
        return audit_on_items(self.near, self.sources, self.sources, k=k, seed=seed, n_queries=n_queries)


def save_item_vectors(vectors: ItemVectors, directory: Path, kind: str, settings: Mapping[str, Any]) -> None:
    """Write ``recaller.json`` with ``settings`` besides, the arrays as ``.npy``, and the index in ``index/``."""
    own = {
        "n_items": vectors.n_items,
        "dim": int(vectors.sources.shape[1]),
        "profile": asdict(vectors.profile),
    }
    write_settings(directory, kind, {**own, **settings})
    write_array(directory, "rows", vectors.rows)
    write_matrix(directory, "sources", vectors.sources)
    (directory / "index").mkdir()
    vectors.near.save(directory / "index")


def read_item_vectors(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of :class:`ItemVectors` from the files of ``directory``; arrays stay on disk, memory-mapped."""
    sources = read_matrix(directory, "sources", setting(settings, "dim", int, directory=directory))
    return {
        "rows": read_array(directory, "rows", np.int32),
        "sources": sources,
        "near": load_index(directory / "index", sources),
        "n_items": setting(settings, "n_items", int, directory=directory),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
    }
