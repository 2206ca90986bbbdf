import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels, graph_levels
from graphrec.fusion.stacked import stack
from tests.worlds import Relation, catalogue, library, vocabulary, without_knowledge

# Events and one: 8, 1, 2, 4, 1.
COUNTS = np.array([7, 0, 1, 3, 0])
# By one author: items 0, 1, 2; item 2 has another beside, alone with item 3. Item 4 has none.
AUTHOR = Relation("author", "author", [(0, 0), (1, 0), (2, 0), (2, 1), (3, 1)])


def test_levels_are_those_of_the_neighbours_and_of_their_popularity() -> None:
    told = graph_levels(catalogue(vocabulary("i", 5), {"author": 2}, [AUTHOR]), COUNTS, ["kg"])
    # 3, 3, 3 + 2 and 2 neighbours; the others' events for each own: 3 / 8, 10, (9 + 4) / 2, 2 / 4.
    assert told == GraphLevels({"author: items": "44530", "author: events": "17610"}, ("kg",), ("author",))
    assert told.links is not None
    assert told.matrix.tolist() == [[4, 1], [4, 7], [5, 6], [3, 1], [0, 0]]


def test_an_edge_between_items_leads_to_one_neighbour() -> None:
    bought = Relation("bought", "item", [(0, 1), (0, 3), (3, 0)])
    told = graph_levels(catalogue(vocabulary("i", 5), {"author": 2}, [AUTHOR, bought]), COUNTS, ["kg"])
    assert list(told.relations) == ["author: items", "author: events", "bought: items", "bought: events"]
    # Item 0 leads to 1 and 3, (1 + 4) / 8; item 3 to 0, 8 / 4.
    assert (told.relations["bought: items"], told.relations["bought: events"]) == ("30020", "10030")


def test_relations_with_the_most_edges_count_in_the_order_of_the_graph() -> None:
    few = [Relation(f"r{size}", "tag", [(0, tag) for tag in range(size)]) for size in (3, 1, 9, 4, 5, 6, 7, 8, 2, 10)]
    told = graph_levels(catalogue(vocabulary("i", 5), {"tag": 10}, few), COUNTS, ["kg"])
    assert [name for name in told.relations if name.endswith("items")] == [
        f"r{size}: items" for size in (3, 9, 4, 5, 6, 7, 8, 10)
    ]


def test_a_graph_without_edges_tells_nothing() -> None:
    data = without_knowledge(library())
    assert graph_levels(data.catalogue, np.zeros(len(data.items), np.int64), ["kg"]) == NO_LEVELS
    assert NO_LEVELS.matrix.shape == (0, 0)


def test_only_queries_that_a_channel_of_the_graph_answers_are_told() -> None:
    lists = {"hot": item_lists([[1], [2], []]), "kg": item_lists([[3], [], []]), "paths": item_lists([[], [], [1]])}
    told = GraphLevels({"a": "1"}, ("kg", "paths", "late"))
    assert told.told(stack(lists)).tolist() == [True, False, True]
    assert NO_LEVELS.told(stack(lists)).tolist() == [False, False, False]


def test_bad_levels_are_refused() -> None:
    with pytest.raises(ConfigError, match="'author: items' holds 'É'; legal: 0123"):
        GraphLevels({"author: items": "0É"}, ("kg",))
    with pytest.raises(ConfigError, match="levels of 1 to 3 items; give a digit an item"):
        GraphLevels({"a": "0", "b": "000"}, ("kg",))
    with pytest.raises(ConfigError, match="no channel of the graph to tell them"):
        GraphLevels({"a": "0"})
    with pytest.raises(ConfigError, match="links is 'all'; links are counted by a catalogue, no setting"):
        GraphLevels({"a": "0"}, ("kg",), ("a",), "all")  # type: ignore[arg-type]
