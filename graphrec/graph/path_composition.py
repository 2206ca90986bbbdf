"""Meta-paths put together from two that lead from items to items, and how near they bring the items of given pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from graphrec.graph.path_scores import PathScoring, PathTables
from graphrec.graph.path_tables import PathTable, product, take_rows
from graphrec.graph.paths import Steps

RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
# Items that count as near: a long path joins almost any two items, so what it says is which it puts first.
NEAREST = 100


def composed_pairs(
    steps: Steps, scoring: PathScoring, parts: Iterable[tuple[str, str]], first: RowArray, ends: tuple[RowArray, ...]
) -> Iterator[tuple[str, list[IntArray]]]:
    """Yield each composition, with the positions of the pairs that it brings near.

    Parameters
    ----------
    steps : Steps
        The graph.
    scoring : PathScoring
        How paths are scored; its ``k`` is :data:`NEAREST` here.
    parts : iterable of pair of str
        Two meta-paths from items to items each; the composition walks one, then the other.
    first : ndarray
        (n,) int32 item rows: where the pairs begin.
    ends : tuple of ndarray
        Each (n,) int32: where they end.

    Yields
    ------
    text : str
        The composition.
    near : list of ndarray
        For each of ``ends``, the positions (m,) int64 of the pairs whose end is among the 100 best of their first item.

    Notes
    -----
    Time O(rows * 10,000) a composition, besides the tables of all parts; memory ``1600 * n_items`` bytes a part.
    """
    made: dict[str, PathTable] = {}
    tables = PathTables(steps, replace(scoring, k=NEAREST))
    rows, place = np.unique(first, return_inverse=True)
    for before, after in parts:
        for text in {before, after} - made.keys():
            made[text] = tables.table(steps.metapath(text))
        reached = product(take_rows(made[before], rows), made[after], NEAREST + 1)
        yield f"{before}/{after}", [_held(reached, place, end) for end in ends]


def _held(table: PathTable, rows: IntArray, columns: RowArray) -> IntArray:
    """Return the positions of the pairs of row and column that a table holds."""
    owners = np.repeat(np.arange(len(table)), np.diff(table.indptr))
    keys = owners * table.n_columns + table.columns
    return np.flatnonzero(np.isin(rows * table.n_columns + columns, keys))
