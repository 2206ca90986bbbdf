"""What the beam of TDM misses of its own exhaustive ranking, and what it costs, on a validation part of Gowalla.

    python -m benchmarks.tdm [--data DIR] [--json FILE] [--users N] [--epochs N] [--beam N ...]

Held out is a random fifth of the training items of the users drawn; the test part is not read. One training, with the
narrowest of the beams; two rows a beam: nodes as they were learnt, and nodes that are the means of what is below them.
``recall_ratio@K`` is the beam's Recall@K over the exhaustive ranking's by the same
vectors, ``overlap@K`` the share of the exhaustive top K that it returns, ``cost@K`` the products with nodes and leaves
over those of an exhaustive ranking, ``time_ratio`` the processor's time of queries one by one over that of scans of all
leaves.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.gowalla import configuration
from benchmarks.harness import write_json
from benchmarks.negatives import parted
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.data.interactions import take
from graphrec.data.lists import ItemLists, places_among, take_lists
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.index import ExactIndex, Index, TreeIndex
from graphrec.index.tree import first_tree_level, mean_nodes, tree_depth
from graphrec.models.deep.tdm import TDM
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.recallers.vector import VectorRecaller

CUTOFFS = (20, 200)
SEED = 0
PANEL_USERS = 1000
# Queries of a round of timing.
TIMED = 50
SETTINGS: dict[str, Any] = {
    "dim": 64, "mix": {"in-batch": 1.0}, "negatives": 4096, "batch": 1024, "features": False, "half_life": 0.0,
}  # fmt: skip


class Exhaustive:
    """The panel's queries as vectors, and what an exhaustive ranking by the same model returns."""

    def __init__(self, channel: VectorRecaller, panel: Panel) -> None:
        self.targets, self.rows = np.array(channel.targets), channel.rows
        self.queries = channel.encoder.vectors(panel.queries)
        self.skip, self.truth = places_among(panel.history, self.rows), panel.truth
        self.index = ExactIndex(self.targets, "ip")
        self.answer = self.index.search(self.queries, CUTOFFS[-1], skip=self.skip)
        self.recall = {k: self._recall(self.answer, k) for k in CUTOFFS}

    def _recall(self, places: ItemLists, k: int) -> float:
        items = ItemLists(places.indptr, self.rows[places.items], places.scores)
        return float(np.nanmean(rank_metrics(items, self.truth, k).recall))

    def beside(self, tree: TreeIndex) -> dict[str, float]:
        """Return what a beam keeps of it, and at what cost."""
        row: dict[str, float] = {"exhaustive_products": len(tree)}
        for k in CUTOFFS:
            answer = tree.search(self.queries, k, skip=self.skip)
            recall = self._recall(answer, k)
            shares = [len(np.intersect1d(mine, best[:k])) / len(best[:k])
                      for (mine, _), (best, _) in zip(answer, self.answer, strict=True) if len(best)]  # fmt: skip
            row |= {
                f"recall@{k}": recall,
                f"recall_ratio@{k}": recall / self.recall[k],
                f"overlap@{k}": float(np.mean(shares)),
                f"cost@{k}": float(tree.products(self.queries, k).mean()) / len(tree),
            }
        return row | {"time_ratio": self._time_ratio(tree)}

    def _time_ratio(self, tree: TreeIndex) -> float:
        """Return the median over alternating rounds."""
        queries, skip = self.queries[:TIMED], take_lists(self.skip, np.arange(min(TIMED, len(self.queries))))
        ratios = [_seconds(tree, queries, skip) / _seconds(self.index, queries, skip) for _ in range(5)]
        return float(np.median(ratios))


def _seconds(index: Index, queries: npt.NDArray[np.float32], skip: ItemLists) -> float:
    """Return the processor's seconds for the queries, one by one: as requests come."""
    started = time.process_time()
    for i in range(len(queries)):
        index.search(queries[i : i + 1], CUTOFFS[-1], skip=take_lists(skip, [i]))
    return time.process_time() - started


def run(root: Path, settings: dict[str, Any], users: int, beams: list[int]) -> list[dict[str, Any]]:
    """Return a row for the exhaustive ranking, and two a beam."""
    _, _, data = prepare(configuration(root / "gowalla", ["hot"]), rejects=None, steps=Silent())
    if users:
        kept = np.random.default_rng(SEED).permutation(len(data.users))[:users]
        data = dataclasses.replace(
            data, interactions=take(data.interactions, np.isin(data.interactions.users, kept))
        )  # fmt: skip
    train, rest = parted(data)
    panel = held_out_panel(train, rest, max_users=PANEL_USERS, seed=SEED).panel
    started = time.process_time()
    recipe = TDM(**settings, beam=min(beams))
    channel = recipe.fit(train, FitContext(seed=SEED, workers=1))
    fit_cpu_s, tree = time.process_time() - started, channel.near
    if not isinstance(tree, TreeIndex):
        raise AssertionError("the channel searches a tree")
    whole, depth = Exhaustive(channel, panel), tree_depth(len(tree), recipe.leaf)
    rows: list[dict[str, Any]] = [{
        "name": "exhaustive", "fit_cpu_s": fit_cpu_s, **{f"recall@{k}": recall for k, recall in whole.recall.items()},
    }]  # fmt: skip
    for beam in beams:
        learnt = tree.with_beam(beam)
        means = mean_nodes(whole.targets, tree.order, first_tree_level(beam, depth), depth)
        for name, searched in (
            (f"beam {beam}, learnt nodes", learnt),
            (f"beam {beam}, nodes as means", TreeIndex(whole.targets, tree.order, means, beam)),
        ):
            rows.append({"name": name, "beam": beam, **whole.beside(searched)})
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title="Gowalla, a validation part", title_justify="left")
    heads = ("recall@20", "recall_ratio@20", "overlap@20", "cost@20", "recall@200", "recall_ratio@200", "cost@200",
             "time_ratio")  # fmt: skip
    for head in ("search", *heads):
        shown.add_column(head, justify="left" if head == "search" else "right")
    for row in rows:
        shown.add_row(row["name"], *(f"{row[head]:.4f}" if head in row else "" for head in heads))
    return shown


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--users", type=int, default=8000, help="users drawn; 0 takes all")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--beam", type=int, nargs="+", default=[100, 200])
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    settings = SETTINGS | {"epochs": arguments.epochs}
    rows = run(Path(arguments.data), settings, arguments.users, arguments.beam)
    Console(width=132).print(table(rows))
    if arguments.json is not None:
        described = {"seed": SEED, "users": arguments.users, "tdm": settings, "panel_users": PANEL_USERS}
        write_json(arguments.json, "tdm", described, rows, packages=("torch",))


if __name__ == "__main__":
    main()
