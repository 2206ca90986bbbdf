r"""How near items are along a meta-path: walks (PCRW) [1]_, PathSim [2]_ and HeteSim [3]_, as sparse tables.

With :math:`A_r` the edges of relation r, :math:`d_r(x)` the edges of r that leave x, for one segment
:math:`P = r_1/\dots/r_L`:

.. math::

    \text{pcrw: } & s(i, j) = \sum_{x_1, \dots, x_{L-1}}
        \prod_{l=2}^{L} \frac{A_{r_l}(x_{l-1}, x_l)}{d_{r_l}(x_{l-1})^{x}} \cdot \frac{(1 + pop_j)^q}{d'_{r_L}(j)^{c}}
    \\ \text{pathsim: } & s(i, j) = \frac{2 M_{ij}}{M_{ii} + M_{jj}}, \qquad M = A_{r_1} \dots A_{r_L}
    \\ \text{hetesim: } & s(i, j) = \cos\big(U_{r_1 \dots r_h}(i),\, U_{r_L^{-1} \dots r_{h+1}^{-1}}(j)\big)

U are the probabilities of a walk from either end to the middle; where L is odd, both walks end on the edges of the
relation in the middle. :math:`d'` are the edges of the last relation that reach j. Scores of a row are divided by their
sum, so what item i gives to its first step plays no part. A path of several segments is the product of their tables.

References
----------
.. [1] N. Lao, W. Cohen, "Relational retrieval using a combination of path-constrained random walks", Machine Learning
   2010. Differs: degrees have an exponent (1 is PCRW), ends are weighted.
.. [2] Y. Sun, J. Han, X. Yan, P. Yu, T. Wu, "PathSim: meta path-based top-k similarity search in heterogeneous
   information networks", VLDB 2011, definition 4.
.. [3] C. Shi, X. Kong, Y. Huang, P. Yu, B. Wu, "HeteSim: a general framework for relevance measure in heterogeneous
   networks", TKDE 2014, definitions 5-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.errors import DataError
from graphrec.graph.path_tables import (
    Doubles,
    PathTable,
    edge_table,
    nodes_between,
    product,
    rows_to_one,
    scaled_columns,
    scaled_rows,
)
from graphrec.graph.paths import MetaPath, Steps
from graphrec.sparse.taste import degrees, inverse_power, scaled

PathScore = Literal["pcrw", "pathsim", "hetesim"]
RowArray = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PathScoring:
    """How the paths between two items are scored.

    Parameters
    ----------
    ends : ndarray
        (n_items,) float64: what the score of an end item is multiplied by.
    pool : ndarray
        (n_items,) bool: items that the last segment may lead to.
    score : {"pcrw", "pathsim", "hetesim"}
        The formula.
    degree_exponent, link_exponent : float
        x and c of "pcrw".
    hub_cap : int
        Nodes with more edges than this, by which the walk comes or goes, are not walked through; 0 walks through all.
        Items between two segments are no hubs.
    k : int
        Neighbours kept an item.
    width : int
        Nodes kept of each walk after a step within a segment.
    """

    ends: Doubles
    pool: npt.NDArray[np.bool_]
    score: PathScore = "pcrw"
    degree_exponent: float = 1.0
    link_exponent: float = 0.0
    hub_cap: int = 0
    k: int = 200
    width: int = 1000


class PathTables:
    """The tables of meta-paths; segments that several paths share are computed once.

    Parameters
    ----------
    steps : Steps
        The graph.
    scoring : PathScoring
        How paths are scored.

    Notes
    -----
    Memory: of each segment and each path at most ``16 * n_items * k`` bytes.
    """

    def __init__(self, steps: Steps, scoring: PathScoring) -> None:
        self.steps, self.scoring = steps, scoring
        self._segments: dict[tuple[tuple[int, ...], bool], PathTable] = {}

    def table(self, path: MetaPath) -> PathTable:
        """Return (n_items, n_items): the k best ends of each item, whose scores sum to 1; no item is its own.

        Raises
        ------
        DataError
            If the score is PathSim and the path does not read the same backwards.
        """
        if self.scoring.score == "pathsim" and not self.steps.is_symmetric(path):
            raise DataError(
                f"pathsim compares the ends of a path that reads the same backwards, which {path.text!r} does not; "
                "score it by pcrw or hetesim, or write it as author/^author"
            )
        *before, last = path.segments
        if not before:
            return self._segment(last, ends=True)
        table = self._segment(before[0], ends=False)
        for segment in before[1:]:
            table = rows_to_one(product(table, self._segment(segment, ends=False), self.scoring.k))
        return rows_to_one(product(table, self._segment(last, ends=True), self.scoring.k, drop_self=True))

    def _segment(self, segment: tuple[int, ...], *, ends: bool) -> PathTable:
        """Return the table of a segment; with ``ends``, to items of the pool alone."""
        key = (segment, ends and not self.scoring.pool.all())
        if key not in self._segments:
            weights = self.scoring.ends * self.scoring.pool if key[1] else self.scoring.ends
            score = {"pcrw": self._walks, "pathsim": self._pathsim, "hetesim": self._hetesim}[self.scoring.score]
            self._segments[key] = rows_to_one(score([self.steps.matrix(number) for number in segment], weights))
        return self._segments[key]

    def _walks(self, matrices: Sequence[sp.csr_array], ends: Doubles) -> PathTable:
        """Return what walks give, by the degree of the nodes that they leave."""
        matrices = self._without_hubs(matrices)
        out = [inverse_power(degrees(matrix, 1), self.scoring.degree_exponent) for matrix in matrices]
        last = degrees(_to_items(matrices[-1], self.n_items), 0)
        ends = ends * inverse_power(last, self.scoring.link_exponent)
        steps = [matrices[0], *(scaled(matrix, rows=by) for matrix, by in zip(matrices[1:], out[1:], strict=True))]
        return self._to_ends(self._chain(steps[:-1]) if len(steps) > 1 else None, steps[-1], ends)

    def _pathsim(self, matrices: Sequence[sp.csr_array], ends: Doubles) -> PathTable:
        """Return the balanced count of paths; the second half is the first one backwards."""
        half = self._chain(self._without_hubs(matrices)[: len(matrices) // 2])
        own = _sums(half, half.scores.astype(np.float64) ** 2)
        right = scaled_rows(half, ends)
        return product(half, right, self.scoring.k, right_reversed=True, drop_self=True, halves=(own, own))

    def _hetesim(self, matrices: Sequence[sp.csr_array], ends: Doubles) -> PathTable:
        """Return the cosine of where the walks from either end meet."""
        matrices = self._without_hubs(matrices)
        h = len(matrices) // 2
        # Where L is odd, both walks end on edges of the relation in the middle, each with one node on either side.
        middle = matrices[h]
        leave, arrive = inverse_power(degrees(middle, 1), 1.0), inverse_power(degrees(middle, 0), 1.0)
        if h == 0:
            return self._to_ends(None, scaled(middle, rows=leave**0.5, columns=arrive**0.5), ends)
        left = self._chain([_stochastic(matrices[n]) for n in range(h)])
        right = self._chain([_stochastic(_transposed(matrices[-1 - n])) for n in range(h)])
        if len(matrices) % 2 == 0:
            left, right = scaled_rows(left, _norms(left)), scaled_rows(right, _norms(right) * ends)
            return product(left, right, self.scoring.k, right_reversed=True, drop_self=True)
        left, right = scaled_rows(left, _norms(left, leave)), scaled_rows(right, _norms(right, arrive) * ends)
        left = product(left, edge_table(scaled(middle, rows=leave, columns=arrive)), self.scoring.width)
        return product(left, right, self.scoring.k, right_reversed=True, drop_self=True)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.steps.n_items

    def _chain(self, matrices: Sequence[sp.csr_array]) -> PathTable:
        """Return the product of one step or more from items, the best ``width`` nodes of each walk."""
        table = edge_table(_rows(matrices[0], self.n_items))
        for matrix in matrices[1:]:
            table = product(table, edge_table(matrix), self.scoring.width)
        return table

    def _to_ends(self, table: PathTable | None, last: sp.csr_array, ends: Doubles) -> PathTable:
        """Return the k best items that the last step leads to."""
        step = scaled_columns(edge_table(_to_items(last, self.n_items)), ends)
        if table is not None:
            return product(table, step, self.scoring.k, drop_self=True)
        every = edge_table(sp.csr_array(sp.eye_array(self.n_items, dtype=np.float32)))
        kept = product(every, step, self.scoring.k, drop_self=True)
        return PathTable(kept.indptr, kept.columns, kept.scores, kept.scores, kept.n_columns)

    def _without_hubs(self, matrices: Sequence[sp.csr_array]) -> list[sp.csr_array]:
        """Return the steps without the edges to nodes, between two of them, that too many edges lead to or from."""
        cap, kept = self.scoring.hub_cap, list(matrices)
        for place in range(len(kept) - 1) if cap else ():
            hubs = (degrees(matrices[place], 0) > cap) | (degrees(matrices[place + 1], 1) > cap)
            if hubs.any():
                walked = np.where(hubs, 0.0, 1.0)
                kept[place] = scaled(kept[place], columns=walked)
                kept[place + 1] = scaled(kept[place + 1], rows=walked)
        return kept


@dataclass(frozen=True, slots=True, eq=False)
class MixedPaths:
    """The weighted sum of the tables of several meta-paths, with the best path of each pair that may be shown.

    Parameters
    ----------
    table : PathTable
        (n_items, n_items); its ``best`` is what the path gives of a score.
    numbers : ndarray
        (m,) int16: the meta-path of the best path of each entry, -1 where none may be shown.
    nodes : ndarray
        (p,) int32: the nodes between the ends of these paths, entry after entry.
    """

    table: PathTable
    numbers: npt.NDArray[np.int16]
    nodes: RowArray


def mix(tables: Sequence[PathTable], weights: Sequence[float], named: Sequence[bool], k: int) -> MixedPaths:
    """Return the k best of each row of the sum of ``tables``, each times its weight.

    Parameters
    ----------
    tables : sequence of PathTable
        P tables (n, n).
    weights : sequence of float
        P weights > 0.
    named : sequence of bool
        Whether the paths of each may be shown to people.
    k : int
        Entries kept a row.
    """
    n, count = len(tables[0]), len(tables)
    stacked = PathTable(
        np.concatenate([[0], *(np.diff(table.indptr) for table in tables)]).cumsum(),
        np.concatenate([table.columns for table in tables]),
        np.concatenate([table.scores for table in tables]),
        np.concatenate([table.best for table in tables]),
        tables[0].n_columns,
    )
    # Row i goes to row i of every table: (n, P * n).
    columns = (np.arange(n)[:, None] + n * np.arange(count)[None, :]).astype(np.int32).ravel()
    scores, best = np.array(weights, np.float32), np.where(named, weights, 0.0).astype(np.float32)
    chosen = PathTable(np.arange(n + 1) * count, columns, np.tile(scores, n), np.tile(best, n), n * count)
    table = product(chosen, stacked, k)
    middles = np.empty(0, np.int32) if table.middles is None else table.middles
    numbers = np.where(middles < 0, -1, middles // n).astype(np.int16)
    return MixedPaths(table, numbers, _nodes(tables, table, numbers))


def _nodes(tables: Sequence[PathTable], mixed: PathTable, numbers: npt.NDArray[np.int16]) -> RowArray:
    """Return the nodes between the ends of the best path of each entry, entry after entry."""
    rows = np.repeat(np.arange(len(mixed), dtype=np.int32), np.diff(mixed.indptr))
    parts, places = [], []
    for number, table in enumerate(tables):
        entries = np.flatnonzero(numbers == number)
        nodes = nodes_between(table, rows[entries], mixed.columns[entries])
        parts.append(nodes.ravel())
        places.append(np.repeat(entries, nodes.shape[1]))
    order = np.argsort(np.concatenate(places), kind="stable")
    between: RowArray = np.concatenate(parts)[order]
    return between


def _rows(matrix: sp.csr_array, n: int) -> sp.csr_array:
    return sp.csr_array(matrix[:n])


def _to_items(matrix: sp.csr_array, n_items: int) -> sp.csr_array:
    """Return the edges that lead to items, with the items as columns."""
    return sp.csr_array(matrix[:, :n_items])


def _transposed(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array(matrix.T)


def _stochastic(matrix: sp.csr_array) -> sp.csr_array:
    """Return the probabilities of a step."""
    return scaled(matrix, rows=inverse_power(degrees(matrix, 1), 1.0))


def _sums(table: PathTable, amounts: Doubles) -> Doubles:
    rows = np.repeat(np.arange(len(table)), np.diff(table.indptr))
    return np.bincount(rows, weights=amounts, minlength=len(table)).astype(np.float64)


def _norms(table: PathTable, columns: Doubles | None = None) -> Doubles:
    """Return one over the length of each row, whose squares are weighted by ``columns``; 0 of an empty row."""
    squares = table.scores.astype(np.float64) ** 2 * (1.0 if columns is None else columns[table.columns])
    return inverse_power(_sums(table, squares), 0.5)
