"""Ways to find the greatest products of a query and many vectors, beside a scan of all float32 rows.

    python -m benchmarks.dense_scan [--data DIR] [--json FILE] [--cases NAME ...]

Vectors and queries are those of channels, fitted as in ``benchmarks.gowalla`` and, on the bundled books, by the
recipes' defaults: item factors and folded-in users of ``als``; targets and histories of ``gf-cf``, whose score has a
sparse part besides, made before the clock starts. A list holds the best 400 of a test user without the items of train,
which is what a fused list of 200 asks a channel for; its share of the exact best 200 is taken at 200.

Time is that of the thread on its processor, so that what else the machine does counts little; one thread, one query at
a time, in rounds over all ways, median. Sketches are chosen on users that are not measured.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.gowalla import configuration
from benchmarks.harness import write_json
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import ItemLists, concatenate, item_lists, take_lists
from graphrec.data.splits import held_out
from graphrec.errors import ConfigError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.index import build_hnsw, build_quantised
from graphrec.index.sketch import AUDITED, DEPTH, choose_sketch, sketch_rows
from graphrec.index.sketch_kernels import exact_scores
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config, load_config
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown
from graphrec.pipelines.registry.datasets import datasets_directory
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.spectral import SpectralRecaller
from graphrec.recallers.vector import VectorRecaller
from graphrec.sparse.topk import best_columns, top_columns

FloatArray = npt.NDArray[np.float32]
# A way: (q, dim) vectors and (q, n) base to (q, c) rows, ascending, and their scores.
Way = Callable[[FloatArray, FloatArray], tuple[npt.NDArray[np.int32], FloatArray]]

CASES = {"gowalla-als": ("gowalla", "als"), "gowalla-gf-cf": ("gowalla", "gf-cf"),
         "goodbooks-als": ("goodbooks", "als"), "goodbooks-gf-cf": ("goodbooks", "gf-cf")}  # fmt: skip
K, SHOWN = DEPTH, 200
SEED = 0
ROUNDS, JUDGED = 200, 3000
# The way that leads with principal axes in float32: a quarter of them, and the best tenth of the rows.
AXES, CANDIDATES = 4, 10


@dataclass(frozen=True)
class Problem:
    """Queries (q, dim) of test users for the rows of ``matrix`` (n, dim), and what besides products counts.

    ``base(queries)`` gives (q, n) for positions of queries; minus infinity where an item may not come back.
    ``audited`` and ``audited_base`` are queries of other users. ``quantised`` is the ``channel`` with a sketch.
    """

    matrix: FloatArray
    vectors: FloatArray
    base: Callable[[npt.NDArray[np.intp]], FloatArray]
    sparse: bool
    audited: FloatArray
    audited_base: FloatArray | None
    truth: ItemLists
    channel: Recaller
    quantised: Recaller
    queries: Queries


def loaded(name: str, data: Path | None) -> tuple[RecallData, Interactions, Config]:
    """Return the training data of a data set, what is held out, and the configuration."""
    if name == "gowalla":
        if data is None:
            raise ConfigError("--data is missing; name the folder that holds gowalla/train.txt")
        config = configuration(data / "gowalla", ["als", "gf-cf"])
    else:
        books = load_config(datasets_directory() / "goodbooks" / "all-channels.toml")
        raw = books.settings.model_dump(exclude_unset=True)
        raw |= {"split": {"kind": "ratio", "test_share": 0.2}, "channels": {"als": {}, "gf-cf": {}}, "fusion": {}}
        config = check_config(raw, directory=books.directory)
    _, split, train = prepare(config, rejects=None, steps=Shown(Console(stderr=True)))
    return train, split.test, config


def problem(recipe: Any, data: RecallData, test: Interactions) -> Problem:
    """Return the queries of test users for a channel that is fitted here."""
    channel = replace(recipe, index="exact").fit(data, FitContext(seed=SEED))
    rng, history, truth = np.random.default_rng(SEED), histories(data.interactions), held_out(data.interactions, test)
    users = rng.permutation(np.flatnonzero((truth.lengths > 0) & (history.lengths > 0)))
    users, others = users[AUDITED:][:JUDGED], users[:AUDITED]
    queries, audited = known_queries(history, users), known_queries(history, others)
    if isinstance(channel, SpectralRecaller):
        return _spectral(channel, queries, audited, take_lists(truth, users))
    return _vectors(channel, queries, audited, take_lists(truth, users))


def _spectral(channel: SpectralRecaller, queries: Queries, audited: Queries, truth: ItemLists) -> Problem:
    def low(asked: ItemLists) -> FloatArray:
        return channel._coordinates(asked.indptr, asked.items, np.ones(len(asked.items)))

    def base(asked: ItemLists) -> FloatArray:
        scores = channel._two_hops(asked.indptr, asked.items, np.ones(len(asked.items)))
        return _without(scores, asked)

    history, other = queries.history, audited.history
    return Problem(
        np.ascontiguousarray(channel.targets), low(history), lambda chosen: base(take_lists(history, chosen)), True,
        low(other), base(other), truth, channel, channel.with_sketch(other), queries,
    )  # fmt: skip


def _vectors(channel: VectorRecaller, queries: Queries, audited: Queries, truth: ItemLists) -> Problem:
    rows = np.full(channel.n_items, -1)
    rows[channel.rows] = np.arange(len(channel.rows))
    history = item_lists([rows[items][rows[items] >= 0] for items, _ in queries.history])

    def base(chosen: npt.NDArray[np.intp]) -> FloatArray:
        return _without(np.zeros((len(chosen), len(channel.rows)), dtype=np.float32), take_lists(history, chosen))

    places = item_lists([rows[items][rows[items] >= 0] for items, _ in truth])
    other = channel.encoder.vectors(audited)
    quantised = replace(channel, near=build_quantised(channel.targets, metric="ip", queries=other, seed=SEED))
    return Problem(
        channel.targets, channel.encoder.vectors(queries), base, False, other, None, places, channel, quantised, queries
    )


def _without(scores: FloatArray, lists: ItemLists) -> FloatArray:
    scores[np.repeat(np.arange(len(lists)), lists.lengths), lists.items] = -np.inf
    return scores


def ways(task: Problem) -> tuple[dict[str, Way], dict[str, dict[str, Any]]]:
    """Return the ways by name, and of each what it was built with, the seconds and the bytes."""
    matrix, (n, dim) = task.matrix, task.matrix.shape
    built: dict[str, dict[str, Any]] = {"float32 scan": {"build_s": 0.0, "bytes": 4 * n * dim}}
    everything = np.arange(n, dtype=np.int32)

    def scan(vectors: FloatArray, base: FloatArray) -> tuple[npt.NDArray[np.int32], FloatArray]:
        return np.broadcast_to(everything, (len(vectors), n)), base + vectors @ matrix.T

    def rescored(
        rows: npt.NDArray[np.int32], vectors: FloatArray, base: FloatArray
    ) -> tuple[npt.NDArray[np.int32], FloatArray]:
        scores = np.empty(rows.shape, dtype=np.float32)
        exact_scores(rows, matrix, vectors, base, scores)
        return rows, scores

    started = time.thread_time()
    _, basis = np.linalg.eigh((matrix.T @ matrix).astype(np.float64))
    axes = np.ascontiguousarray(basis[:, ::-1][:, : dim // AXES], dtype=np.float32)
    leading = matrix @ axes
    built["principal axes, float32"] = {
        "build_s": time.thread_time() - started, "bytes": leading.nbytes, "axes": dim // AXES,
        "candidates": max(n // CANDIDATES, 2 * K),
    }  # fmt: skip

    def by_axes(vectors: FloatArray, base: FloatArray) -> tuple[npt.NDArray[np.int32], FloatArray]:
        approximate = base + (vectors @ axes) @ leading.T
        return rescored(best_columns(approximate, max(n // CANDIDATES, 2 * K)), vectors, base)

    started, width = time.thread_time(), int(1.25 * K)
    whole = sketch_rows(matrix, dim, candidates=width, finalists=width, depth=K)
    built["int8, all axes"] = {
        "build_s": time.thread_time() - started, "bytes": whole.leading.nbytes, "axes": dim, "candidates": width,
    }  # fmt: skip
    started = time.thread_time()
    chosen = choose_sketch(matrix, task.audited, task.audited_base)
    seconds = time.thread_time() - started
    started = time.thread_time()
    hnsw = build_hnsw(matrix, metric="ip", seed=SEED)
    built["HNSW"] = {"build_s": time.thread_time() - started, "bytes": n * (4 * (dim + 1) + 9 * 16)}

    def by_graph(vectors: FloatArray, base: FloatArray) -> tuple[npt.NDArray[np.int32], FloatArray]:
        rows = np.stack([items for items, _ in hnsw.search(vectors, K + K // 4)])
        if task.sparse:  # the graph knows nothing of the sparse part: its best rows stand beside the graph's
            rows = np.unique(np.concatenate([rows, best_columns(base, K)], axis=1))[None]
        return rescored(np.sort(rows, axis=1), vectors, base)

    result: dict[str, Way] = {
        "float32 scan": scan,
        "HNSW": by_graph,
        "principal axes, float32": by_axes,
        "int8, all axes": lambda vectors, base: whole.shortlist(matrix, vectors, base, K),
    }
    if chosen is not None:
        built["quantised, audited"] = {
            "build_s": seconds, "bytes": chosen.leading.nbytes + chosen.others.nbytes + chosen.axes.nbytes,
            "axes": chosen.n_axes, "candidates": chosen.candidates, "finalists": chosen.finalists,
        }  # fmt: skip
        result["quantised, audited"] = lambda vectors, base: chosen.shortlist(matrix, vectors, base, K)
    return result, built


def lists_of(task: Problem, way: Way) -> ItemLists:
    """Return the best 400 of each query."""
    parts = []
    for i in range(len(task.vectors)):
        base = task.base(np.array([i]))
        rows, scores = way(task.vectors[i : i + 1], base)
        bounds, places, best = top_columns(np.ascontiguousarray(scores), K)
        parts.append(ItemLists(bounds, rows[0][places], best))
    return concatenate(parts)


def timed(task: Problem, found: Mapping[str, Way]) -> dict[str, float]:
    """Return the median milliseconds of a query, by the thread's clock; all ways in turn."""
    took: dict[str, list[float]] = {name: [] for name in found}
    for i in range(min(ROUNDS, len(task.vectors))):
        base = task.base(np.array([i]))
        for name, way in found.items():
            started = time.thread_time()
            _, scores = way(task.vectors[i : i + 1], base)
            top_columns(np.ascontiguousarray(scores), K)
            took[name].append(time.thread_time() - started)
    return {name: 1e3 * float(np.median(times)) for name, times in took.items()}


def channel_times(task: Problem, data: RecallData) -> dict[str, float]:
    """Return the median milliseconds of a whole question to the channel, exact and quantised, in turn."""
    took: dict[str, list[float]] = {"exact": [], "quantised": []}
    for i in range(min(ROUNDS, len(task.queries))):
        query = known_queries(take_lists(task.queries.history, [i]), [0])
        for name, channel in (("exact", task.channel), ("quantised", task.quantised)):
            started = time.thread_time()
            recall_allowed(channel, query, K, exclude=query.history, allowed=data.pool)
            took[name].append(time.thread_time() - started)
    return {f"channel_{name}_ms": 1e3 * float(np.median(times)) for name, times in took.items()}


def measured(case: str, recipe: Any, data: RecallData, test: Interactions) -> list[dict[str, Any]]:
    """Return a row for each way."""
    task = problem(recipe, data, test)
    found, built = ways(task)
    times, exact = timed(task, found), lists_of(task, found["float32 scan"])
    truth_at = rank_metrics(exact, task.truth, SHOWN).recall
    whole = channel_times(task, data)
    rows = []
    for name, way in found.items():
        lists = lists_of(task, way)
        share = [
            len(np.intersect1d(ours[:SHOWN], theirs[:SHOWN])) / len(theirs[:SHOWN])
            for (ours, _), (theirs, _) in zip(lists, exact, strict=True)
        ]
        gone = np.nanmean(truth_at) - np.nanmean(rank_metrics(lists, task.truth, SHOWN).recall)
        rows.append({
            "name": f"{case}: {name}", "case": case, "way": name, "rows": len(task.matrix), "dim": task.matrix.shape[1],
            "ms": times[name], "ratio_vs_float32_scan": times["float32 scan"] / times[name],
            f"of_exact@{SHOWN}": float(np.mean(share)), f"recall@{SHOWN}": float(np.nanmean(truth_at) - gone),
            "points_lost": 100 * float(gone), **built[name],
            **(whole if name == "quantised, audited" else {}),
        })  # fmt: skip
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title=f"best {K} of a query, one thread", title_justify="left")
    for name in ("", "ms", "ratio", f"of exact {SHOWN}", f"Recall@{SHOWN} lost", "build s", "MB"):
        shown.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in rows:
        shown.add_row(
            row["name"], f"{row['ms']:.2f}", f"{row['ratio_vs_float32_scan']:.1f}", f"{row[f'of_exact@{SHOWN}']:.4f}",
            f"{row['points_lost']:+.3f}", f"{row['build_s']:.1f}", f"{row['bytes'] / 1e6:.0f}",
        )  # fmt: skip
    return shown


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("GRAPHREC_DATA")
    parser.add_argument("--data", type=Path, default=Path(default) if default else None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for case in arguments.cases:
        dataset, channel = CASES[case]
        data, test, config = loaded(dataset, arguments.data)
        results += measured(case, config.recipes[channel], data, test)
    Console(width=118).print(table(results))
    if arguments.json is not None:
        settings = {"k": K, "shown": SHOWN, "rounds": ROUNDS, "users": JUDGED, "seed": SEED}
        write_json(arguments.json, "dense_scan", settings, results)


if __name__ == "__main__":
    main()
