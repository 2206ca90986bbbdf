"""A graph's searches are as wide as its own vectors show to be needed, or exact search takes its place."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.index import ExactIndex, HnswIndex, Index, build_hnsw, build_index, load_index
from graphrec.index.build import index_kind

Matrix = npt.NDArray[np.float32]

# A graph of few links, built in a hurry: at its least width it loses more than 2 of a hundred in every world.
POOR: dict[str, Any] = {"m": 4, "ef_construction": 12, "ef_search": 1}
K = 100


def clustered(rng: np.random.Generator) -> Matrix:
    centres = rng.standard_normal((150, 20))
    return (centres[rng.integers(0, 150, 3300)] + 0.7 * rng.standard_normal((3300, 20))).astype(np.float32)


def uniform(rng: np.random.Generator) -> Matrix:
    return rng.uniform(-1, 1, (3300, 20)).astype(np.float32)


def repeated(rng: np.random.Generator) -> Matrix:
    few = rng.standard_normal((1800, 20)).astype(np.float32)
    return np.concatenate([few, few[rng.integers(0, 900, 1500)]])[rng.permutation(3300)]


WORLDS = {"clustered": clustered, "uniform": uniform, "repeated": repeated}


def world(name: str) -> tuple[Matrix, Matrix]:
    """Return 3,000 rows, and 300 queries that no audit has seen."""
    drawn = WORLDS[name](np.random.default_rng(6))
    return drawn[:3000], drawn[3000:]


def recall(index: Index, matrix: Matrix, queries: Matrix) -> float:
    """Return the share of the best 100 scores of each query that the index finds."""
    wanted = ExactIndex(matrix, index.metric).search(queries, K).scores.reshape(-1, K)
    answer = index.search(queries, K).scores.reshape(-1, K)
    return float((answer >= wanted[:, -1:] - 1e-5 * np.abs(wanted[:, -1:])).mean())


@pytest.fixture
def graphs_are_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the graph be quicker than exact search at any width, as over many more rows."""
    monkeypatch.setattr("graphrec.index.hnsw._VISITED_NS", 0.0)
    monkeypatch.setattr("graphrec.index.hnsw._VISITED_NUMBER_NS", 0.0)


@pytest.mark.usefixtures("graphs_are_cheap")
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
@pytest.mark.parametrize("name", WORLDS)
def test_an_audited_graph_finds_98_of_the_best_100_of_other_queries(name: str, metric: str) -> None:
    matrix, queries = world(name)
    index = build_index(matrix, "hnsw", metric, seed=0, **POOR)
    assert isinstance(index, HnswIndex | ExactIndex)
    assert recall(index, matrix, queries) > 0.975
    if metric != "ip":  # whose searches are twice as wide from the start, and may come to be those of all rows
        assert isinstance(index, HnswIndex)
        assert recall(build_hnsw(matrix, metric=metric, seed=0, **POOR), matrix, queries) < 0.97
        assert index.settings.ef_search > POOR["ef_search"]


def test_a_graph_that_is_slower_than_exact_search_gives_way_to_it(caplog: pytest.LogCaptureFixture) -> None:
    matrix, queries = world("clustered")
    with caplog.at_level(logging.INFO, logger="graphrec.index.hnsw_audit"):
        index = build_index(matrix, "hnsw", "cosine", seed=0, **POOR)
    assert index_kind(index) == "exact"
    assert recall(index, matrix, queries) == 1
    assert "exact search over 3000 vectors of 20 by cosine" in caplog.text


def test_a_width_that_is_enough_stays(caplog: pytest.LogCaptureFixture) -> None:
    matrix, _ = world("clustered")
    with caplog.at_level(logging.INFO, logger="graphrec.index.hnsw_audit"):
        index = build_index(matrix, "hnsw", "cosine", seed=0, m=16, ef_search=300)
    assert isinstance(index, HnswIndex)
    assert index.settings.ef_search == 300
    assert "ef_search 300 finds" in caplog.text


@pytest.mark.usefixtures("graphs_are_cheap")
def test_the_width_that_the_audit_chose_is_kept_on_disk(tmp_path: Path) -> None:
    matrix, queries = world("uniform")
    index = build_index(matrix, "hnsw", "cosine", seed=0, **POOR)
    assert isinstance(index, HnswIndex)
    index.save(tmp_path)
    loaded = load_index(tmp_path, matrix)
    assert isinstance(loaded, HnswIndex)
    assert loaded.settings == index.settings
    assert np.array_equal(loaded.search(queries, K).items, index.search(queries, K).items)


@pytest.mark.usefixtures("graphs_are_cheap")
def test_queries_as_they_will_come_decide_the_width() -> None:
    """Near rows an easy search, far from them a hard one: the audit goes by what will be asked."""
    rng = np.random.default_rng(2)
    matrix, _ = world("clustered")
    far = rng.standard_normal((300, 20)).astype(np.float32)
    index = build_index(matrix, "hnsw", "cosine", seed=0, queries=far, **POOR)
    assert isinstance(index, HnswIndex)
    assert recall(index, matrix, far) >= 0.98


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_rows_or_none_or_zeros_alone_need_no_audit(n: int) -> None:
    index = build_index(np.zeros((n, 4), np.float32), "hnsw", "cosine", seed=0)
    assert isinstance(index, HnswIndex)
    assert len(index.search(np.ones((2, 4), np.float32), 5).items) == 2 * min(n, 5)
