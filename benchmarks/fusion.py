"""Merging 13 lists of 800 entries into 200, one query at a time: each kind of fusion, and the trees by themselves.

    python -m benchmarks.fusion [--queries N] [--users N] [--json FILE]

Lists are synthetic, of the shape that Gowalla's have: 40,981 items; channels share a user's taste, and each adds noise
and a lean to popularity of its own. The boosted fusion is fitted on such lists of other users. One thread. The plain
walk is the one that a tree library does, node by node, compiled like ours and run in turns with it on the same rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from graphrec.data.lists import ItemLists, item_lists, slice_lists
from graphrec.fusion.boosted import Boosted, correction_depth
from graphrec.fusion.candidates import number_candidates
from graphrec.fusion.features import feature_rows
from graphrec.fusion.fit_boosted import fit_boosted
from graphrec.fusion.heads import head_shares
from graphrec.fusion.rrf import Rrf
from graphrec.fusion.selection import select_best
from graphrec.fusion.settings import Fusion
from graphrec.fusion.snake import Snake
from graphrec.fusion.stacked import stack
from graphrec.fusion.sums import sum_values
from graphrec.fusion.trees import Trees, add_trees

N_ITEMS, CHANNELS, DEPTH, K = 40_981, 13, 800, 200
HELD_OUT = 25
ROUNDS = 7

Lists = Mapping[str, ItemLists]
Tiles = npt.NDArray[np.float32]


def synthetic(n: int, *, seed: int) -> tuple[Lists, ItemLists, npt.NDArray[np.int64]]:
    """Return the channels' answers to n users, what is held out of them, and the events of each item."""
    rng = np.random.default_rng(seed)
    counts = np.maximum(1, 3000 / (1 + np.arange(N_ITEMS)) ** 0.7).astype(np.int64)
    popular = np.log(counts).astype(np.float32)
    items: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(CHANNELS)]
    scores: list[list[npt.NDArray[np.float32]]] = [[] for _ in range(CHANNELS)]
    truth = []
    for _ in range(n):
        taste = rng.standard_normal(N_ITEMS, dtype=np.float32)
        liked = 1.2 * taste + popular + rng.gumbel(size=N_ITEMS)
        truth.append(np.argpartition(-liked, HELD_OUT)[:HELD_OUT])
        for c in range(CHANNELS):
            noise = np.float32(0.5 + 0.6 * c / CHANNELS) * rng.standard_normal(N_ITEMS, dtype=np.float32)
            score = taste + noise + popular * np.float32(0.3 + c / CHANNELS)
            best = np.argpartition(-score, DEPTH)[:DEPTH]
            best = best[np.argsort(-score[best])]
            items[c].append(best)
            scores[c].append(np.exp(score[best] * np.float32(0.5 + c / CHANNELS)))
    lists = {f"channel-{c}": item_lists(items[c], scores[c]) for c in range(CHANNELS)}
    return lists, item_lists(truth), counts


def one_by_one(lists: Lists) -> list[Lists]:
    """Return the lists of each query alone."""
    n = len(next(iter(lists.values())))
    return [{name: slice_lists(part, q, q + 1) for name, part in lists.items()} for q in range(n)]


def tiles_of(fusion: Boosted, lists: Lists) -> tuple[Tiles, int]:
    """Return the features of the entries that trees correct, and how many entries they are."""
    stacked = stack(lists)
    shares, heads = head_shares(stacked)
    candidates = number_candidates(stacked)
    sums = sum_values(stacked, candidates, fusion.base.values(stacked, shares))
    near = select_best(candidates.indptr, candidates.items, sums, correction_depth(K))
    return fusion.tiles(stacked, candidates, near, shares, heads), len(near.places)


@nb.njit(nogil=True, cache=True)
def walk(
    rows: npt.NDArray[np.float32],
    roots: npt.NDArray[np.int32],
    features: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    rights: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64]:
    """Return the sum of the leaves that each row comes to, walked node by node."""
    totals = np.zeros(len(rows))
    for root in roots:
        for p in range(len(rows)):
            node = root
            while features[node] >= 0:
                node = node + 1 if rows[p, features[node]] <= values[node] else rights[node]
            totals[p] += values[node]
    return totals


def plain_walk(trees: Trees) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """Return the walk through these trees."""
    ints = (np.array(part, dtype=np.int32) for part in (trees.roots, trees.features, trees.rights))
    roots, features, rights = ints
    values = np.array(trees.values)
    return lambda rows: walk(rows, roots, features, values, rights)


def measure(sorts: Mapping[str, Callable[[int], object]], n: int) -> list[dict[str, Any]]:
    """Return the spread of the wall time of each, in us, over queries ``0..n-1``; rounds take turns."""
    times: dict[str, list[float]] = {name: [] for name in sorts}
    for number in range(1 + ROUNDS):
        for name, work in sorts.items():
            for query in range(n):
                started = time.perf_counter_ns()
                work(query)
                # The first round compiles and warms.
                if number:
                    times[name].append((time.perf_counter_ns() - started) / 1e3)
    rows = []
    for name, taken in times.items():
        median, p10, p95 = np.percentile(taken, [50, 10, 95]).round(1).tolist()
        rows.append({"name": name, "median_us": median, "p10_us": p10, "p95_us": p95})
    return rows


def run(*, n: int, users: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings and one row a fusion, then one for each way through the trees."""
    lists, truth, counts = synthetic(users, seed=seed)
    boosted = fit_boosted(lists, truth, cutoffs=(20, K), counts=counts, seed=seed)
    queries = one_by_one(synthetic(n, seed=seed + 1)[0])
    kinds: dict[str, Fusion] = {"snake": Snake(), "rrf": Rrf(), "calibrated": boosted.base, "boosted": boosted}

    def merge(fusion: Fusion) -> Callable[[int], object]:
        return lambda query: fusion.merge(queries[query], K)

    tiles = [tiles_of(boosted, query) for query in queries]
    rows = [np.ascontiguousarray(feature_rows(part, t)) for part, t in tiles]
    walked = plain_walk(boosted.trees)
    for (part, t), own in zip(tiles, rows, strict=True):
        if not np.array_equal(add_trees(part, boosted.trees).ravel()[:t], walked(own)):
            raise AssertionError("the two ways through the trees disagree")
    results = measure({name: merge(fusion) for name, fusion in kinds.items()}, n)
    ways = {
        "trees, a plain walk": lambda query: walked(rows[query]),
        "trees, entries together": lambda query: add_trees(tiles[query][0], boosted.trees),
    }
    trees = measure(ways, n)
    for row in trees:
        row["ratio_vs_plain_walk"] = round(trees[0]["median_us"] / row["median_us"], 2)
    settings = {
        "queries": n, "users": users, "seed": seed, "threads": 1, "channels": CHANNELS, "depth": DEPTH, "k": K,
        "items": N_ITEMS, "trees": len(boosted.trees.roots), "nodes": len(boosted.trees.features),
        "entries_corrected": tiles[0][1], "rounds": ROUNDS,
    }  # fmt: skip
    return settings, results + trees


def main() -> None:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--users", type=int, default=400, help="users that the boosted fusion is fitted on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the results are written")
    given = parser.parse_args()
    settings, results = run(n=given.queries, users=given.users, seed=given.seed)
    table = Table("", "median us", "10 %", "95 %", "x plain walk")
    for row in results:
        times = [f"{row[name]:,.0f}" for name in ("median_us", "p10_us", "p95_us")]
        table.add_row(row["name"], *times, str(row.get("ratio_vs_plain_walk", "")))
    Console(width=110).print(table)
    if given.json:
        write_json(given.json, "fusion", settings, results, packages=("lightgbm",))


if __name__ == "__main__":
    main()
