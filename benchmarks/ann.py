"""Nearest vectors: our HNSW index beside raw hnswlib, faiss, usearch, voyager, and exact search, in one run.

    python -m benchmarks.ann [--json FILE] [--cases NAME ...] [--ours]

Vectors are those of items that ALS and Node2Vec learn on the bundled books (queries: vectors of items with a tenth of
noise), and draws around a thousand centres: 100,000 of them, or as many as the case says. Scores are cosines, lists
have 100 rows, graphs have the same links (16) and building width (200). Peers search at the width that ours searches
at: the default; "graphrec audited" is what ``index = "hnsw"`` makes of the vectors. Everything runs on one thread;
times are those of the process on its processor, so that what else the machine does counts little, of rounds in turn.
Builds of all but ours and hnswlib run once.

Filtered, our index stands beside exact search over the allowed rows alone, in a batch and one query at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import hnswlib
import numpy as np
import numpy.typing as npt
import usearch.index
import voyager
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.harness import write_json
from graphrec.channels.behaviour.als import Als
from graphrec.contracts.progress import FitContext
from graphrec.index import ExactIndex, HnswIndex, Index, build_hnsw, build_index, build_quantised
from graphrec.index.build import index_kind, suitable_kind
from graphrec.index.hnsw import HnswSettings
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import load_inputs
from graphrec.pipelines.registry.datasets import datasets_directory
from graphrec.recallers.embeddings import item_embeddings
from graphrec.threads import at_most

FloatArray = npt.NDArray[np.float32]
# (q, dim) unit vectors to (q, k) rows.
Search = Callable[[FloatArray], npt.NDArray[np.integer]]

CASES = ("goodbooks-als", "goodbooks-node2vec", "clustered-128-20000", "clustered-64", "clustered-128")
K, M, BUILDING = 100, 16, 200
QUERIES, SINGLE, ROUNDS = 1000, 200, 3
SHARES = (0.9, 0.5, 0.1, 0.01, 0.001)
SEED = 0


@dataclass(frozen=True)
class Way:
    """How rows are searched: in a batch, what building it took (seconds of the processor), and our index."""

    search: Search
    build_s: float
    index: Index | None = None


def vectors_of(case: str) -> tuple[FloatArray, FloatArray]:
    """Return (n, dim) rows and (q, dim) queries."""
    rng = np.random.default_rng(SEED)
    if case.startswith("clustered"):
        dim, n = map(int, case.split("-")[1:]) if case.count("-") > 1 else (int(case.split("-")[1]), 100_000)
        centres = rng.standard_normal((1000, dim))
        drawn = centres[rng.integers(0, 1000, n + QUERIES)] + 0.7 * rng.standard_normal((n + QUERIES, dim))
        return drawn[:n].astype(np.float32), drawn[n:].astype(np.float32)
    config = load_config(datasets_directory() / "goodbooks" / "demo.toml")
    data = load_inputs(config, rejects=None, steps=Silent()).data
    context = FitContext(seed=SEED, workers=1)
    if case == "goodbooks-als":
        matrix = item_embeddings(Als(dim=128, iterations=3).fit(data, context), data).matrix
    else:
        matrix = Node2Vec(walks_per_node=3).embed(data, context, of="items").matrix
    asked = matrix[rng.choice(len(matrix), QUERIES, replace=False)]
    noise = rng.standard_normal(asked.shape) * np.linalg.norm(asked, axis=1, keepdims=True) / asked.shape[1] ** 0.5
    return matrix, (asked + 0.1 * noise).astype(np.float32)


def unit(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    divided: FloatArray = (vectors / lengths).astype(np.float32)
    return divided


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    """Return what ``make`` made, and the processor's seconds."""
    started = time.process_time()
    return make(), time.process_time() - started


def our_ways(matrix: FloatArray) -> dict[str, Way]:
    """Return our ways to search, built; BLAS is what recall is measured by."""
    rows = unit(matrix)
    return {
        "graphrec audited": _ours(*timed(lambda: build_index(matrix, "hnsw", "cosine", seed=SEED))),
        "BLAS": Way(lambda asked: np.argpartition(-(asked @ rows.T), K - 1, axis=1)[:, :K], 0.0),
        "graphrec exact": _ours(*timed(lambda: ExactIndex(matrix))),
        "graphrec quantised": _ours(*timed(lambda: build_quantised(matrix, seed=SEED))),
    }


def graphs(matrix: FloatArray, ef: int) -> dict[str, Way]:
    """Return our graph and those of peers, built. ``ef`` is the width of peers' searches."""
    rows, (n, dim) = unit(matrix), matrix.shape
    found: dict[str, Way] = {}

    def raw() -> hnswlib.Index:
        graph = hnswlib.Index("ip", dim)
        graph.init_index(n, M, BUILDING, SEED)
        graph.add_items(rows, num_threads=1)
        graph.set_ef(ef)
        return graph

    # In turn, so that a machine that slows down slows both.
    pairs = [(timed(raw), timed(lambda: build_hnsw(matrix, seed=SEED))) for _ in range(2 if n < 50_000 else 1)]
    graph, index = pairs[-1][0][0], pairs[-1][1][0]
    found["graphrec hnsw"] = _ours(index, min(took for _, (_, took) in pairs))
    found["hnswlib"] = Way(
        lambda asked: graph.knn_query(asked, k=K, num_threads=1)[0], min(took for (_, took), _ in pairs)
    )

    def by_faiss() -> Any:
        made = faiss.IndexHNSWFlat(dim, M, faiss.METRIC_INNER_PRODUCT)
        made.hnsw.efConstruction, made.hnsw.efSearch = BUILDING, ef
        made.add(rows)
        return made

    faiss_index, took = timed(by_faiss)
    found["faiss"] = Way(lambda asked: faiss_index.search(asked, K)[1], took)

    def by_usearch() -> Any:
        made = usearch.index.Index(
            ndim=dim, metric="ip", dtype="f32", connectivity=M, expansion_add=BUILDING, expansion_search=ef
        )
        made.add(np.arange(n), rows, threads=1)
        return made

    usearch_index, took = timed(by_usearch)
    found["usearch"] = Way(
        lambda asked: np.atleast_2d(usearch_index.search(asked, K, threads=1).keys).astype(np.int64), took
    )

    def by_voyager() -> Any:
        made = voyager.Index(voyager.Space.Cosine, num_dimensions=dim, M=M, ef_construction=BUILDING)
        made.add_items(rows, num_threads=1)
        return made

    voyager_index, took = timed(by_voyager)
    found["voyager"] = Way(lambda asked: voyager_index.query(asked, k=K, num_threads=1, query_ef=ef)[0], took)
    return found


def _ours(index: Index, build_s: float) -> Way:
    return Way(lambda asked: index.search(asked, K).items.reshape(len(asked), K), build_s, index)


def share_found(truth: npt.NDArray[np.integer], rows: npt.NDArray[np.integer]) -> float:
    """Return the mean share of ``truth`` (q, k) among ``rows`` (q, k)."""
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(truth, rows, strict=True)]))


def in_turn(searches: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least of the processor's seconds of each, over rounds in which all run in turn."""
    took: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(rounds):
        for name, search in searches.items():
            took[name].append(timed(search)[1])
    return {name: min(times) for name, times in took.items()}


def one_by_one(search: Search, asked: FloatArray) -> None:
    """Search for each query by itself."""
    for place in range(len(asked)):
        search(asked[place : place + 1])


def measured(case: str, *, peers: bool) -> list[dict[str, Any]]:
    """Return a row for each way, and one for each share of allowed rows."""
    matrix, queries = vectors_of(case)
    asked, ef = unit(queries), max(int(1.5 * K), HnswSettings().ef_search)
    found = {**(graphs(matrix, ef) if peers else {}), **our_ways(matrix)}
    truth = found["BLAS"].search(asked)
    batch = in_turn({name: partial(way.search, asked) for name, way in found.items()}, ROUNDS)
    single = in_turn({name: partial(one_by_one, way.search, asked[:SINGLE]) for name, way in found.items()}, ROUNDS)
    rows = []
    for name, way in found.items():
        row = {
            "name": f"{case}: {name}", "case": case, "way": name, "rows": len(matrix), "dim": matrix.shape[1], "ef": ef,
            "recall@100": share_found(truth, way.search(asked)), "build_s": way.build_s,
            "batch_us": 1e6 * batch[name] / len(asked), "single_us": 1e6 * single[name] / SINGLE,
            "auto": suitable_kind(*matrix.shape),
        }  # fmt: skip
        if isinstance(way.index, HnswIndex):
            row["ef"] = way.index.settings.ef_search
        if way.index is not None:
            row["kind"] = index_kind(way.index)
        if name == "graphrec hnsw":
            row |= {
                "build_ratio_vs_hnswlib": way.build_s / found["hnswlib"].build_s,
                "batch_ratio_vs_hnswlib": batch[name] / batch["hnswlib"],
                "single_ratio_vs_hnswlib": single[name] / single["hnswlib"],
            }
        rows.append(row)
    index = found["graphrec hnsw" if peers else "graphrec audited"].index
    assert index is not None
    return rows + [filtered(case, index, matrix, asked, share) for share in SHARES]


def filtered(case: str, index: Index, matrix: FloatArray, asked: FloatArray, share: float) -> dict[str, Any]:
    """Return how our index answers where a share of the rows is allowed, beside exact search over these alone."""
    rng, n = np.random.default_rng(SEED), len(matrix)
    allow = np.zeros(n, dtype=np.bool_)
    allow[rng.permutation(n)[: max(1, round(share * n))]] = True
    exact = ExactIndex(matrix)
    truth, answer = exact.search(asked, K, allow=allow), index.search(asked, K, allow=allow)
    wanted = min(K, int(allow.sum()))
    searches: dict[str, Index] = {"ours": index, "exact": exact}
    few = asked[: SINGLE // 4]

    def search(way: Index, queries: FloatArray) -> npt.NDArray[np.integer]:
        return way.search(queries, K, allow=allow).items

    batch = in_turn({name: partial(search, way, asked) for name, way in searches.items()}, ROUNDS)
    single = in_turn({name: partial(one_by_one, partial(search, way), few) for name, way in searches.items()}, ROUNDS)
    return {
        "name": f"{case}: {100 * share:g} % allowed", "case": case, "allowed": share, "wanted": wanted,
        "fewest": int(answer.lengths.min()),
        "recall@100": share_found(truth.items.reshape(-1, wanted), answer.items.reshape(-1, wanted)),
        "batch_us": 1e6 * batch["ours"] / len(asked), "single_us": 1e6 * single["ours"] / len(few),
        "batch_ratio_vs_exact": batch["ours"] / batch["exact"],
        "single_ratio_vs_exact": single["ours"] / single["exact"],
    }  # fmt: skip


def tables(rows: list[dict[str, Any]]) -> list[Table]:
    """Return the rows for people."""
    plain = Table(title=f"best {K} rows by cosine, one thread", title_justify="left")
    for name in ("", "recall", "build s", "batch µs", "single µs", "build, batch, single beside hnswlib"):
        plain.add_column(name, justify="right" if name else "left", no_wrap=True)
    some = Table(title="a share of the rows allowed", title_justify="left")
    for name in ("", "rows", "recall", "batch µs", "single µs", "batch, single beside exact"):
        some.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in rows:
        times = (f"{row['recall@100']:.4f}", f"{row['batch_us']:.0f}", f"{row['single_us']:.0f}")
        ratios = ", ".join(f"{value:.2f}" for name, value in row.items() if "ratio" in name)
        if "allowed" in row:
            some.add_row(row["name"], f"{row['fewest']} of {row['wanted']}", *times, ratios)
        else:
            plain.add_row(row["name"], times[0], f"{row['build_s']:.2f}", *times[1:], ratios)
    return [plain, some]


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument(
        "--ours", action="store_true", help="leave out the peers and the graph as it is without an audit"
    )
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1), at_most(1):
        for case in arguments.cases:
            rows += measured(case, peers=not arguments.ours)
    for table in tables(rows):
        Console(width=140).print(table)
    if arguments.json is not None:
        settings = {
            "k": K, "m": M, "ef_construction": BUILDING, "ef_search": HnswSettings().ef_search, "queries": QUERIES,
            "single": SINGLE, "rounds": ROUNDS, "seed": SEED,
        }  # fmt: skip
        write_json(arguments.json, "ann", settings, rows, packages=["faiss-cpu", "usearch", "voyager"])


if __name__ == "__main__":
    main()
