from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.transitions import Transitions, transitions_of
from tests.graphrec.graph.graphs import GRAPHS, ODD


def star(weights: list[float], relations: list[int] | None = None) -> Adjacency:
    """Return a hub with an edge of each weight."""
    m = len(weights)
    return adjacency_from_edges(
        [0] * m, range(1, m + 1), relations or [0] * m, weights,
        type_offsets=[0, m + 1], node_types=["n"], relation_names=["a", "b", "c"],
    )  # fmt: skip


def chances(steps: Transitions, node: int) -> npt.NDArray[np.float64]:
    """Return the probability of each edge of a node that its alias table gives."""
    start, stop = steps.indptr[node], steps.indptr[node + 1]
    accepted = (steps.thresholds[start:stop].astype(np.float64) + 1) / 2**32
    given = accepted.copy()
    np.add.at(given, steps.aliases[start:stop], 1 - accepted)
    given /= stop - start
    return given


@given(st.lists(st.floats(2.0**-126, 2.0**126, width=32), min_size=1, max_size=40))
def test_an_alias_table_gives_each_edge_its_share(weights: list[float]) -> None:
    exact = np.array(weights, np.float64)
    assert np.allclose(chances(transitions_of(star(weights)), 0), exact / exact.sum(), atol=1e-8)


def test_a_hub_gives_a_tiny_weight_no_average_share() -> None:
    weights = np.concatenate([np.random.default_rng(0).random(30_000) ** 8, np.full(30_000, 1e-12)]) + 1e-15
    exact = weights.astype(np.float32).astype(np.float64)
    # An average share is 1.7e-5.
    assert np.abs(chances(transitions_of(star(weights.tolist())), 0) - exact / exact.sum()).max() < 1e-8


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e300])
def test_relations_are_weighted_by_their_ratio(scale: float) -> None:
    graph = star([1.0, 3.0, 5.0, 7.0], [0, 0, 1, 2])
    steps = transitions_of(graph, {"a": scale, "b": 3 * scale, "c": 0.0})
    assert steps.indices.tolist() == [1, 2, 3]
    assert np.allclose(chances(steps, 0), [1 / 16, 3 / 16, 3 / 4], atol=1e-8)


def test_a_graph_without_weights_is_taken_as_it_is() -> None:
    graph = GRAPHS["house"]
    steps = transitions_of(graph)
    assert steps.indices is graph.indices
    assert len(steps.thresholds) == 0
    assert len(transitions_of(ODD).thresholds) == ODD.n_edges
