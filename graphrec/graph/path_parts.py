"""What each meta-path gave of the entries of a mixed table, and the best path of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.graph.path_tables import FloatArray, IntArray, PathTable, RowArray, nodes_between
from graphrec.kernels import kernel


@dataclass(frozen=True, slots=True, eq=False)
class PathParts:
    """The parts of m scores, q in all, whose shares of each score add up to 1.

    Parameters
    ----------
    indptr : ndarray
        (m + 1,) int64: entry e has the parts ``indptr[e]:indptr[e + 1]``.
    numbers : ndarray
        (q,) int16: the meta-path that gave the part, -1 where none of its paths may be shown.
    shares : ndarray
        (q,) float32: what all its paths gave of the score, from 0 to 1.
    best : ndarray
        (q,) float32: what the best of them gave; 0 where none may be shown.
    nodes : ndarray
        (p,) int32: the nodes between the ends of each such path, part after part.
    """

    indptr: IntArray
    numbers: npt.NDArray[np.int16]
    shares: FloatArray
    best: FloatArray
    nodes: RowArray


def path_parts(
    tables: Sequence[PathTable], weights: Sequence[float], numbers: Sequence[int], mixed: PathTable
) -> PathParts:
    """Return the parts of each entry of ``mixed``, the sum of ``tables`` times ``weights``, in the order of the tables.

    Parameters
    ----------
    tables : sequence of PathTable
        P tables (n, n).
    weights : sequence of float
        P weights > 0.
    numbers : sequence of int
        What each is called in the result; -1 for a table whose paths may not be shown.
    mixed : PathTable
        (n, n).

    Notes
    -----
    Time O(P * (entries of the tables + m)), and that of :func:`graphrec.graph.path_tables.nodes_between` for each part;
    memory 10 bytes a part and 4 a node.
    """
    rows = np.repeat(np.arange(len(mixed), dtype=np.int32), np.diff(mixed.indptr))
    entries, names, shares, best, nodes, owners = [], [], [], [], [], []
    for table, weight, number in zip(tables, weights, numbers, strict=True):
        places = np.full(len(mixed.columns), -1, dtype=np.int64)
        _locate_all(table.indptr, table.columns, mixed.indptr, mixed.columns, places, np.full(len(mixed), -1, np.int64))
        held = np.flatnonzero(places >= 0)
        at, scale = places[held], weight / mixed.scores[held]
        shown = (table.best[at] > 0) & (number >= 0)
        entries.append(held)
        names.append(np.where(shown, number, -1).astype(np.int16))
        shares.append(table.scores[at] * scale)
        best.append(np.minimum(table.best[at], table.scores[at]) * scale * shown)
        between = nodes_between(table, rows[held[shown]], mixed.columns[held[shown]])
        nodes.append(between.ravel())
        owners.append(np.repeat(held[shown], between.shape[1]))
    every = np.concatenate(entries)
    order, by_node = np.argsort(every, kind="stable"), np.argsort(np.concatenate(owners), kind="stable")
    return PathParts(
        indptr_of(np.bincount(every, minlength=len(mixed.columns))),
        np.concatenate(names)[order],
        np.concatenate(shares)[order].astype(np.float32),
        np.concatenate(best)[order].astype(np.float32),
        np.concatenate(nodes)[by_node].astype(np.int32),
    )


@kernel
def _locate_all(
    indptr: IntArray, columns: RowArray, other_indptr: IntArray, wanted: RowArray, places: IntArray, at: IntArray
) -> None:  # pragma: no cover - compiled
    """Write where each entry of the other table stands in the first; -1 where it does not. ``at`` is -1 throughout."""
    for i in range(indptr.size - 1):
        for p in range(indptr[i], indptr[i + 1]):
            at[columns[p]] = p
        for q in range(other_indptr[i], other_indptr[i + 1]):
            places[q] = at[wanted[q]]
        for p in range(indptr[i], indptr[i + 1]):
            at[columns[p]] = -1
