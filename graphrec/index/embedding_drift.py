"""What moved between two trainings of one table of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.linalg import orthogonal_procrustes

from graphrec.checks import check_count, typed
from graphrec.data.lists import ItemLists
from graphrec.errors import DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.index.exact import ExactIndex
from graphrec.index.order import fit_rows
from graphrec.index.row_ids import Query

FloatArray = npt.NDArray[np.float32]

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


class Moved(NamedTuple):
    """A node that moved: ``displacement`` is 1 - cosine of its two vectors, 0 to 2."""

    id: str
    displacement: float
    kind: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Drift:
    """What :func:`drift` found.

    Parameters
    ----------
    shared, only_old, only_new : int
        Nodes in both tables, and in one alone.
    zero : int
        Shared nodes whose vector is zero in a table; the figures are of the others.
    k : int
        Neighbours compared, cosine, among the shared nodes.
    kept : float
        Share of a node's ``k`` nearest that are among its ``k`` nearest in the other table, a mean over nodes, 0 to 1.
    kept_by_chance : float
        The share that two unrelated tables would keep.
    kept_quantiles, displacement_quantiles : mapping of str to float
        Over nodes: "p10", "p50", …; displacement is 1 - cosine after the alignment.
    moved : tuple of Moved
        The nodes of the greatest displacement, first the greatest.
    """

    shared: int
    only_old: int
    only_new: int
    zero: int
    k: int
    kept: float
    kept_by_chance: float
    kept_quantiles: Mapping[str, float]
    displacement_quantiles: Mapping[str, float]
    moved: tuple[Moved, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "moved": [moved._asdict() for moved in self.moved]}


@typed
def drift(
    old: EmbeddingTable, new: EmbeddingTable, *, k: int = 10, most_moved: int = 20, sample: int = 2000, seed: int = 0
) -> Drift:
    r"""Compare two trainings: neighbours kept, and how far nodes moved once the tables are turned onto each other.

    Vectors of two trainings differ by a rotation that means nothing. The old ones, at length 1, are turned by the
    orthogonal matrix that brings them nearest to the new [1]_:

    .. math:: Q = \arg\min_{Q^T Q = I} \|A Q - B\|_F = U V^T, \quad U \Sigma V^T = A^T B

    Where the widths differ, the narrower table is filled up with zeros.

    Parameters
    ----------
    old, new : EmbeddingTable
        With nodes in common: at least ``k`` + 1.
    k : int, default 10
        Neighbours compared.
    most_moved : int, default 20
        Nodes listed.
    sample : int, default 2000
        Nodes whose neighbours are compared, drawn with ``seed``.

    Raises
    ------
    DataError
        If the tables share too few nodes, or one has kinds and the other none.
    ConfigError
        If a number is out of range.

    Notes
    -----
    Time O(n dim^2 + sample n dim). Deterministic for a seed.

    References
    ----------
    .. [1] P. Schoenemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966.
    """
    for name, value in (("k", k), ("sample", sample)):
        check_count(name, value, 1)
    check_count("most_moved", most_moved, 0)
    if (old.kinds is None) != (new.kinds is None):
        raise DataError("one table has kinds and the other none; take one kind of the first: of_kind")
    ours, theirs = _shared_rows(old, new)
    before, after = _unit(old.matrix[ours]), _unit(new.matrix[theirs])
    known = before.any(axis=1) & after.any(axis=1)
    if int(known.sum()) <= k:
        raise DataError(f"the tables share {int(known.sum())} nodes that have vectors; for k = {k} more are needed")
    before, after, places = before[known], after[known], theirs[known]
    displacement = 1 - np.einsum("ij,ij->i", _turned(before, after), _wide(after, before.shape[1]))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(before))[:sample])
    kept = _kept(before, after, drawn, k)
    order = np.lexsort((np.arange(len(places)), -displacement))[:most_moved]
    far = new.nodes.near(places[order], displacement[order])
    return Drift(
        shared=len(ours),
        only_old=len(old) - len(ours),
        only_new=len(new) - len(ours),
        zero=int((~known).sum()),
        k=k,
        kept=float(kept.mean()),
        kept_by_chance=k / (len(before) - 1),
        kept_quantiles=_quantiles(kept),
        displacement_quantiles=_quantiles(displacement),
        moved=tuple(Moved(*node) for node in far),
    )


def _shared_rows(old: EmbeddingTable, new: EmbeddingTable) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows of the shared nodes in both tables, in the order of the new."""
    names: list[Query] = list(new.ids) if new.kinds is None else list(zip(new.kinds, new.ids, strict=True))
    pairs = [(old.nodes.row(name), row) for row, name in enumerate(names) if name in old]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _unit(vectors: FloatArray) -> npt.NDArray[np.float64]:
    near_one = fit_rows(vectors, "cosine", name="vectors").astype(np.float64)
    lengths = np.linalg.norm(near_one, axis=1, keepdims=True)
    unit: npt.NDArray[np.float64] = near_one / np.where(lengths > 0, lengths, 1)
    return unit


def _wide(vectors: npt.NDArray[np.float64], dim: int) -> npt.NDArray[np.float64]:
    """Return vectors with zeros up to ``dim`` columns."""
    return np.pad(vectors, ((0, 0), (0, max(0, dim - vectors.shape[1]))))


def _turned(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ``before`` turned onto ``after``, as wide as the wider of the two."""
    dim = max(before.shape[1], after.shape[1])
    old, new = _wide(before, dim), _wide(after, dim)
    rotation, _ = orthogonal_procrustes(old, new)
    turned: npt.NDArray[np.float64] = old @ rotation
    return turned


def _kept(
    before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], drawn: npt.NDArray[np.intp], k: int
) -> npt.NDArray[np.float64]:
    """Return for each of the rows ``drawn`` the share of its k nearest that both tables agree on."""
    itself = ItemLists(np.arange(len(drawn) + 1), drawn.astype(np.int32))
    lists = [
        ExactIndex(vectors, "cosine").search(vectors[drawn], k, skip=itself)
        for vectors in (before.astype(np.float32), after.astype(np.float32))
    ]
    rows = np.repeat(np.arange(len(drawn)), k) * len(before)  # each list has k rows: more than k are known
    both = np.intersect1d(rows + lists[0].items, rows + lists[1].items) // len(before)
    shares: npt.NDArray[np.float64] = np.bincount(both, minlength=len(drawn)) / k
    return shares


def _quantiles(values: npt.NDArray[np.float64]) -> dict[str, float]:
    return {f"p{round(100 * share)}": float(np.quantile(values, share)) for share in _QUANTILES}
