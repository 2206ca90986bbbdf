from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.history_links import history_links
from graphrec.graph.catalogue import CatalogueGraph
from tests.worlds import Relation, catalogue, library, vocabulary

N = 9


def _catalogue(seed: int) -> CatalogueGraph:
    rng = np.random.default_rng(seed)
    edges = {
        name: sorted(
            {(int(a), int(b)) for a, b in zip(rng.integers(N, size=m), rng.integers(ends, size=m), strict=True)}
        )
        for name, ends, m in (("author", 3, 12), ("genre", 2, 14), ("bought", N, 25))
    }
    relations = [Relation(name, "item" if name == "bought" else name, edges[name]) for name in edges]
    return catalogue(vocabulary("i", N), {"author": 3, "genre": 2}, relations)


def _linked(graph: CatalogueGraph, relation: str, item: int, taken: list[int]) -> list[int]:
    """Return the items of the history, other than the item, that its edges lead to, one for each such edge."""
    adjacency = graph.adjacency

    def ends(node: int) -> list[int]:
        here = slice(adjacency.indptr[node], adjacency.indptr[node + 1])
        names = [adjacency.relation_names[number] for number in adjacency.relations[here]]
        return [int(t) for t, name in zip(adjacency.indices[here], names, strict=True) if name == relation]

    return [
        other
        for tail in ends(item)
        for other in taken
        if other != item and (other == tail if tail < N else tail in ends(other))
    ]


@pytest.mark.parametrize("seed", range(4))
def test_links_are_entities_in_common_and_edges_to_the_history(seed: int) -> None:
    graph, rng = _catalogue(seed), np.random.default_rng(seed)
    relations = ("bought", "author")
    histories = [rng.permutation(N)[:size].tolist() for size in (5, 0, 3, 9)]
    weights = rng.integers(1, 6, size=N).astype(float)
    # The last of each is seen, but not to his taste.
    seen = item_lists(histories, [[*weights[taken[:-1]], 0.0][: len(taken)] for taken in histories])
    histories = [taken[:-1] for taken in histories]
    items = [rng.permutation(N + 2)[:6].astype(np.int32) for _ in histories]
    told = history_links(graph, relations).features(
        seen, np.array([True, True, False, True]), np.arange(0, 30, 6), np.concatenate(items).astype(np.int32)
    )
    expected = np.zeros((24, 6))
    for query in (0, 1, 3):
        taken = histories[query]
        for column, relation in enumerate(relations):
            own = [len(_linked(graph, relation, item, taken)) for item in taken]
            for place, item in enumerate(items[query].tolist()):
                row, linked = 6 * query + place, _linked(graph, relation, item, taken) if item < N else []
                expected[row, column] = np.log2(1 + len(linked))
                expected[row, 2 + column] = np.log2(1 + np.mean(own)) if own else 0
                if linked:
                    expected[row, 4 + column] = (weights[linked] - weights[taken].mean()).sum() / (len(linked) + 1)
    assert expected[:6].any(axis=0).all()
    np.testing.assert_allclose(told[:, :4], expected[:, :4], rtol=1e-6)
    # Sums of what weights are above and below a mean.
    np.testing.assert_allclose(told[:, 4:], expected[:, 4:], atol=1e-6)


def test_a_relation_that_the_catalogue_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="along 'colour', which the graph of the catalogue does not have"):
        history_links(library().catalogue, ["colour"])
