"""Item-CF, factors and ALS on Gowalla beside implicit: fit times, and users a second at k=200.

    python -m benchmarks.cf_speed [--data DIR] [--json FILE] [--rounds N] [--factors D] [--iterations N]

Both get the same matrix of ones in memory, the same width of tables or vectors, and two threads; BLAS has one, as
implicit asks. Rounds are interleaved. Seen items are left out, but for top-K scoring alone. implicit counts an item
among its own K neighbours; its item-item ``recommend`` runs over the users one by one, on one thread.

``same_items`` is the share of the peer's lists that stands in ours: below 1 by ties, and by the neighbour more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg  # noqa: F401 - scipy has a BLAS of its own, which must be there when it is limited
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.harness import write_json
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import ItemLists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.index import ExactIndex
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.sparse.taste import taste_matrix

THREADS = 2
K = 200
WIDTHS = (20, 100)

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Contest:
    """One thing that both do; ``agreement`` compares what they return, where it can be compared."""

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    users: int = 0
    agreement: Callable[[Any, Any], float] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """The training events in the forms that either side takes."""

    data: RecallData
    matrix: sp.csr_matrix
    queries: Queries


def gowalla(path: Path) -> World:
    """Read ``train.txt``: a user and his items a line."""
    users, items = [], []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            user, *taken = map(int, line.split())
            users += [user] * len(taken)
            items += taken
    n_users, n_items = max(users) + 1, max(items) + 1
    events = Interactions(users, items, n_users=n_users, n_items=n_items)
    ids = Vocabulary([f"i{row}" for row in range(n_items)])
    people = Vocabulary([f"u{row}" for row in range(n_users)])
    queries = known_queries(histories(events), np.arange(n_users))
    data = RecallData(people, ids, events, items_only(ids))
    return World(data, sp.csr_matrix(taste_matrix(data.interactions, 1.0)), queries)


def _recall(world: World, channel: Any) -> ItemLists:
    return recall_allowed(channel, world.queries, K, exclude=world.queries.history, allowed=world.data.pool)


def _same_items(ours: ItemLists, peer: tuple[npt.NDArray[np.int32], Any]) -> float:
    """Return the mean share of the peer's lists, padding left out, that ours hold too."""
    shares = [np.isin(theirs[theirs >= 0], mine).mean() for (mine, _), theirs in zip(ours, peer[0], strict=True)]
    return round(float(np.mean(shares)), 4)


def item_item(world: World) -> list[Contest]:
    """Return fit and recall of cosine neighbour tables, one pair a width."""
    from implicit.nearest_neighbours import CosineRecommender

    def fit(width: int) -> Any:
        model = CosineRecommender(K=width, num_threads=THREADS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it converts its own matrix, and warns of that
            model.fit(world.matrix, show_progress=False)
        return model

    contests, everybody = [], np.arange(world.matrix.shape[0])
    for width in WIDTHS:
        recipe = ItemCF(k=width, user_exponent=0.0, normalise=False, half_life=0.0)
        model, channel = fit(width), recipe.fit(world.data)
        contests.append(
            Contest(f"item-cf fit, K={width}", lambda r=recipe: r.fit(world.data), lambda w=width: fit(w))  # type: ignore[misc]
        )
        contests.append(
            Contest(
                f"item-cf recall, K={width}",
                lambda c=channel: _recall(world, c),  # type: ignore[misc]
                lambda m=model, u=everybody: m.recommend(u, world.matrix, N=K),  # type: ignore[misc]
                len(everybody),
                _same_items,
                {"peer_threads": 1},
            )
        )
    return contests


def factors(world: World, dim: int, iterations: int) -> list[Contest]:
    """Return recall and bare top-K scoring of the same factors, and the fit of ALS where there is such a channel."""
    from implicit.als import AlternatingLeastSquares
    from implicit.cpu.topk import topk

    def fit() -> Any:
        model = AlternatingLeastSquares(
            factors=dim, regularization=0.01, iterations=iterations, num_threads=THREADS, random_state=0
        )
        model.fit(world.matrix, show_progress=False)
        return model

    model = fit()
    items, users = np.ascontiguousarray(model.item_factors), np.ascontiguousarray(model.user_factors)
    index, everybody = ExactIndex(items, "ip"), np.arange(len(users))
    history = HistoryEncoder(np.arange(len(items), dtype=np.int32), items, len(items))
    channel = VectorRecaller(UserEncoder(users, history, "user"), items, index)
    contests = [
        Contest(
            f"factors recall, dim={dim}",
            lambda: _recall(world, channel),
            lambda: model.recommend(everybody, world.matrix, N=K),
            len(users),
            _same_items,
        ),
        Contest(
            f"top-K scoring, dim={dim}",
            lambda: index.search(users, K),
            lambda: topk(items, users, K, num_threads=THREADS),
            len(users),
            _same_items,
        ),
    ]
    if "als" not in RECIPES:
        print("als fit: left out, for the registry has no channel 'als'")
        return contests
    recipe = recipe_class("als")(dim=dim, iterations=iterations)
    return [*contests, Contest(f"als fit, dim={dim}", lambda: recipe.fit(world.data), fit)]


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(contests: list[Contest], rounds: int) -> list[dict[str, Any]]:
    """Return two rows a contest, ours and the peer's; each round runs every contest, ours and the peer's in turn."""
    agreed = {c.name: c.agreement(c.ours(), c.peer()) for c in contests if c.agreement}  # compiles and warms, too
    seconds: dict[str, list[tuple[float, float]]] = {c.name: [] for c in contests}
    for _ in range(rounds):
        for contest in contests:
            seconds[contest.name].append((timed(contest.ours), timed(contest.peer)))
    return [row for c in contests for row in _rows(c, seconds[c.name], agreed.get(c.name))]


def _rows(contest: Contest, seconds: list[tuple[float, float]], agreed: float | None) -> list[dict[str, Any]]:
    ours, peer = (statistics.median(run) for run in zip(*seconds, strict=True))
    ratio = round(statistics.median(theirs / mine for mine, theirs in seconds), 2)
    rows: list[dict[str, Any]] = [
        {"name": f"{contest.name}: graphrec", "threads": THREADS, "seconds": round(ours, 3)},
        {
            "name": f"{contest.name}: implicit",
            "threads": contest.extra.get("peer_threads", THREADS),
            "seconds": round(peer, 3),
        },
    ]
    if contest.users:
        for row, took in zip(rows, (ours, peer), strict=True):
            row["users_per_s"] = round(contest.users / took)
    rows[0]["ratio_vs_implicit"] = ratio
    if agreed is not None:
        rows[0]["same_items"] = agreed
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the results as a table."""
    table = Table("", title="Gowalla, two threads, k=200")
    columns = ("threads", "seconds", "users_per_s", "ratio_vs_implicit", "same_items")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(row["name"], *(f"{row[column]:,}" if column in row else "" for column in columns))
    Console(width=110).print(table)


def main() -> None:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cf_speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path, help="where the results are written")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=15)
    given = parser.parse_args()
    if given.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    path = Path(given.data) / "gowalla" / "train.txt"
    if not path.exists():
        parser.error(f"{path} does not exist; --data names the folder that holds gowalla/train.txt")
    if hasattr(os, "sched_setaffinity"):  # ours takes every processor that it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    with threadpool_limits(limits=1, user_api="blas"):
        world = gowalla(path)
        rows = measure(item_item(world) + factors(world, given.factors, given.iterations), given.rounds)
    show(rows)
    if given.json:
        settings = {
            "data": "Gowalla, train.txt",
            "users": world.matrix.shape[0],
            "items": world.matrix.shape[1],
            "interactions": int(world.matrix.nnz),
            "k": K,
            "threads": THREADS,
            "blas_threads": 1,
            "rounds": given.rounds,
            "factors": given.factors,
            "iterations": given.iterations,
            "ratio": "median over rounds of the peer's seconds by ours",
        }
        write_json(given.json, "cf_speed", settings, rows, packages=("implicit",))


if __name__ == "__main__":
    main()
