import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, LeakError
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.leaks import find_leaks, refuse_leaks, user_nodes
from tests.worlds import library

# Items 0-2, people 3-4 (users u0, u1), events 5-6, a city 7.
IRIS = [
    "http://x/u/u0",
    "http://x/u/u1",
    "http://x/e/0",
    "http://x/e/1",
    "http://x/paris",
]
USERS = Vocabulary(["u0", "u1", "u2"])


def graph(edges: list[tuple[int, int, int]]) -> CatalogueGraph:
    sources, relations, targets = np.array(edges).T
    adjacency = adjacency_from_edges(
        sources,
        targets,
        relations,
        type_offsets=[0, 3, 5, 7, 8],
        node_types=["item", "person", "event", "place"],
        relation_names=["likes", "by", "of", "lives_in", "set_in"],
    )
    return CatalogueGraph(adjacency, Vocabulary(["a", "b", "c"]), Vocabulary(IRIS))


def nodes(catalogue: CatalogueGraph) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return user_nodes(catalogue, USERS, lambda user: f"http://x/u/{user}")


TEST = Interactions([0, 1, 2], [0, 1, 2], n_users=3, n_items=3)


def test_users_are_found_by_their_iri() -> None:
    assert nodes(graph([(3, 0, 0)])).tolist() == [3, 4, -1]


def test_direct_edges_either_way() -> None:
    catalogue = graph([(3, 0, 0), (1, 0, 4), (3, 0, 1)])
    leaks = find_leaks(catalogue, nodes(catalogue), TEST)
    assert leaks.by_relation == {"likes": 2}
    assert (leaks.by_event, leaks.total, leaks.n_pairs) == (0, 2, 2)


def test_event_nodes_but_no_shared_places() -> None:
    # Event 5 joins u0 and item a: held out. Event 6 joins u0 and item b: not. Paris is home to u0 and scene of a and b.
    edges = [(5, 1, 3), (5, 2, 0), (6, 1, 3), (6, 2, 1), (3, 3, 7), (0, 4, 7), (1, 4, 7)]
    catalogue = graph(edges)
    leaks = find_leaks(catalogue, nodes(catalogue), TEST)
    assert (leaks.by_relation, leaks.by_event) == ({}, 1)
    with pytest.raises(LeakError, match=r"event nodes \(1\)"):
        refuse_leaks(leaks)


def test_a_node_with_a_user_but_no_item_is_no_event() -> None:
    catalogue = graph([(5, 1, 3), (0, 4, 7)])
    assert find_leaks(catalogue, nodes(catalogue), TEST).total == 0


def test_a_clean_graph_passes() -> None:
    data = library()
    none = user_nodes(data.catalogue, data.users, lambda user: f"http://x/u/{user}")
    leaks = find_leaks(data.catalogue, none, data.interactions)
    assert leaks.total == 0
    refuse_leaks(leaks)


def test_the_relation_is_named() -> None:
    catalogue = graph([(3, 0, 0)])
    with pytest.raises(LeakError, match=r"'likes' \(1 edges\)"):
        refuse_leaks(find_leaks(catalogue, nodes(catalogue), TEST))


def test_sizes_must_agree() -> None:
    catalogue = graph([(3, 0, 0)])
    with pytest.raises(DataError, match="nodes"):
        find_leaks(catalogue, np.array([3], dtype=np.int32), TEST)
    with pytest.raises(DataError, match="test has 4 items"):
        find_leaks(catalogue, nodes(catalogue), Interactions([0], [0], n_users=3, n_items=4))
