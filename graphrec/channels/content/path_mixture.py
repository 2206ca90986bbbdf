"""The channel of a weighted sum of path tables, and the weights that were learned of them as settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphrec.channels.content.path_weights import Doubles
from graphrec.data.neighbours import NeighbourTable
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.path_parts import path_parts
from graphrec.graph.path_scores import mix
from graphrec.graph.path_tables import PathTable, rows_to_one
from graphrec.graph.paths import MetaPath
from graphrec.graph.relations import parse_path
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.path_neighbours import PathNeighbourRecaller
from graphrec.recallers.profile import Profile

# Digits of a learned weight: what is printed makes the same channel again.
_DIGITS = 4


def as_setting(paths: Sequence[MetaPath], weights: Doubles) -> dict[str, float]:
    """Return the weights above 0 by path, the greatest first."""
    return {
        path.text: float(f"{weight:.{_DIGITS}g}")
        for path, weight in sorted(zip(paths, weights, strict=True), key=lambda pair: (-pair[1], pair[0].text))
        if weight > 0
    }


def path_mixture(
    catalogue: CatalogueGraph,
    paths: Sequence[MetaPath],
    tables: Sequence[PathTable],
    weights: Mapping[str, float],
    *,
    k: int,
    profile: Profile,
) -> PathNeighbourRecaller:
    """Return the channel of the k best of each row of the sum of all tables.

    ``weights`` are those of ``paths`` by their text, 0 of a path that is not named; empty weighs all alike.
    """
    worth = {path.text: weights.get(path.text, 0.0) if weights else 1.0 for path in paths}
    kept = [place for place, path in enumerate(paths) if worth[path.text] > 0]
    named = [not paths[place].through_users for place in kept]
    chosen, amounts = [tables[place] for place in kept], [worth[paths[place].text] for place in kept]
    mixed = mix(chosen, amounts, named, k)
    table = mixed.table
    votes = rows_to_one(table)
    neighbours = NeighbourRecaller(
        [NeighbourTable(votes.indptr, votes.columns, votes.scores, n_columns=votes.n_columns)],
        profile=profile,
        reason="because you {verb} {source}: {path}",
    )
    shown = np.flatnonzero(named)
    numbers = np.full(len(kept) + 1, -1, dtype=np.int16)  # the last is that of entries without a path
    numbers[shown] = np.arange(len(shown))
    shares = np.minimum(table.best / table.scores, 1.0)
    metapaths = [parse_path(paths[kept[place]].text) for place in shown]
    parts = path_parts(chosen, amounts, numbers[:-1].tolist(), table)
    return PathNeighbourRecaller(neighbours, catalogue, metapaths, numbers[mixed.numbers], mixed.nodes, shares, parts)
