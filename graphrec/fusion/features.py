"""What trees look at: each channel's share, rank and head of an entry, its calibrated score, levels of its item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.fusion.candidates import Candidates
from graphrec.fusion.heads import Values
from graphrec.fusion.selection import Selection
from graphrec.fusion.stacked import StackedLists
from graphrec.fusion.trees import LANES
from graphrec.kernels import kernel

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# The rank of an entry that a channel does not have: below any.
_ABSENT = 1e6
# LANES is this power of two.
_SHIFT = LANES.bit_length() - 1


def n_features(n_channels: int, n_graph: int) -> int:
    """Return how many features an entry has: three a channel, two, and what the graph tells."""
    return 3 * n_channels + 2 + n_graph


def feature_tiles(
    stacked: StackedLists,
    candidates: Candidates,
    selection: Selection,
    shares: Values,
    heads: Values,
    columns: npt.NDArray[np.int64],
    levels: npt.NDArray[np.uint8],
    graph: npt.NDArray[np.uint8],
    told: npt.NDArray[np.bool_],
    links: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Return the features of the selected candidates, LANES of them a tile.

    Parameters
    ----------
    stacked, candidates, selection : StackedLists, Candidates, Selection
        The channels' answers to n queries, the items among them, and t of these.
    shares, heads : ndarray
        Of :func:`graphrec.fusion.heads.head_shares`.
    columns : ndarray
        (C,) int64: the column of each channel that the trees know among the stacked ones; -1 where it is absent.
    levels : ndarray
        (n_items,) uint8: :func:`log_levels` of the items' events; items beyond it have level 0.
    graph : ndarray
        (n_items', L) uint8: what the graph tells of the items; those beyond it have levels of 0.
    told : ndarray
        (n,) bool: the queries whose items the graph tells of; those of the others have levels of 0.
    links : ndarray
        (t, M) float32: of :meth:`graphrec.fusion.history_links.HistoryLinks.features`.

    Returns
    -------
    ndarray
        (t // LANES + 1, 3 C + 2 + L + M, LANES) float32: share, rank and head by channel, the logarithm of the score,
        the level of popularity, those of the graph, links with the history. Lanes beyond t hold anything.
    """
    t = len(selection.places)
    n_graph = graph.shape[1] + links.shape[1]
    tiles = np.empty((t // LANES + 1, n_features(len(columns), n_graph), LANES), dtype=np.float32)
    _describe(
        stacked.starts, stacked.stops, candidates.numbers, selection.positions(len(candidates.items)), shares, heads,
        columns, selection.indptr, selection.scores, candidates.items[selection.places], levels, graph,
        told, links, tiles,
    )  # fmt: skip
    return tiles


def feature_rows(tiles: npt.NDArray[np.float32], t: int) -> npt.NDArray[np.float32]:
    """Return (t, F): the first t entries of the tiles, a row each."""
    return tiles.transpose(0, 2, 1).reshape(-1, tiles.shape[1])[:t]


def log_levels(values: npt.NDArray[np.integer | np.floating]) -> str:
    """Return a base-36 digit a value >= 0: twice the binary logarithm of it and one, rounded; z from 2^17.5 on."""
    levels = np.minimum(np.rint(2 * np.log2(1.0 + values)), len(_DIGITS) - 1).astype(np.int64)
    return "".join(np.array(list(_DIGITS))[levels])


def check_levels(digits: str, *, name: str = "popularity") -> None:
    """Raise ConfigError, with the ``name`` of the levels, unless every character is a digit of :func:`log_levels`."""
    strange = set(digits) - set(_DIGITS)
    if strange:
        raise ConfigError(f"{name} holds {min(strange)!r}; legal: {_DIGITS}")


def read_levels(digits: str) -> npt.NDArray[np.uint8]:
    """Return (n_items,) uint8, 0 to 35: the numbers that :func:`log_levels` wrote."""
    codes = np.frombuffer(digits.encode("ascii"), dtype=np.uint8)
    return np.where(codes <= ord("9"), codes - ord("0"), codes - ord("a") + 10).astype(np.uint8)


@kernel
def _describe(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
    shares: Values,
    heads: Values,
    columns: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    items: npt.NDArray[np.int32],
    levels: npt.NDArray[np.uint8],
    graph: npt.NDArray[np.uint8],
    told: npt.NDArray[np.bool_],
    links: npt.NDArray[np.float32],
    tiles: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write the features of the entries whose candidate has a position."""
    last = 3 * columns.size
    for tile in range(tiles.shape[0]):
        for c in range(columns.size):
            for lane in range(LANES):
                tiles[tile, 3 * c, lane] = 0.0
                tiles[tile, 3 * c + 1, lane] = _ABSENT
                tiles[tile, 3 * c + 2, lane] = 0.0
    for query in range(indptr.size - 1):
        for t in range(indptr[query], indptr[query + 1]):
            tile, lane = t >> _SHIFT, t & (LANES - 1)
            tiles[tile, last, lane] = np.log(scores[t])
            tiles[tile, last + 1, lane] = levels[items[t]] if items[t] < levels.size else 0
            known = told[query] and items[t] < graph.shape[0]
            for level in range(graph.shape[1]):
                tiles[tile, last + 2 + level, lane] = graph[items[t], level] if known else 0
            for link in range(links.shape[1]):
                tiles[tile, last + 2 + graph.shape[1] + link, lane] = links[t, link]
    for c in range(columns.size):
        if columns[c] < 0:
            continue
        for query in range(indptr.size - 1):
            head = heads[columns[c], query]
            for t in range(indptr[query], indptr[query + 1]):
                tiles[t >> _SHIFT, 3 * c + 2, t & (LANES - 1)] = head
            start = starts[columns[c], query]
            for p in range(start, stops[columns[c], query]):
                # What was not selected goes to the lane behind the last, which nobody reads: cheaper than to ask.
                t = positions[numbers[p]]
                tiles[t >> _SHIFT, 3 * c, t & (LANES - 1)] = shares[p]
                tiles[t >> _SHIFT, 3 * c + 1, t & (LANES - 1)] = p - start + 1
