from __future__ import annotations

from pathlib import Path

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, UnknownIdError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.kg.catalogue import catalogue_graph
from graphrec.kg.entity_types import entity_types
from graphrec.kg.export import to_networkx
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.linking import link_by_table, link_by_template
from graphrec.kg.linking_report import Linking
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.tags import item_tags
from tests.kg.reading.documents import write

WORLD = """
@prefix : <http://e/> . @prefix o: <http://other/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix gr: <https://graphrec.org/ns#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:Novelist rdfs:subClassOf :Person . :Person rdfs:subClassOf :Agent .
:dune a :Book ; :author :herbert ; :year 1965 ; :genre "Fantasy", "Desert" ; :partOf :cycle ; :genre :fantasy .
:dune2 a :Book ; :author :herbert ; :year "1969-10-01"^^xsd:date ; :genre "Fantasy"@en ; :partOf :cycle .
:hobbit a :Book ; o:author :tolkien ; :genre :fantasy .
:herbert a :Agent, :Person, :Novelist, owl:Thing ; rdfs:label "Frank Herbert" ; :knows :tolkien .
:tolkien a :Person, :Agent ; rdfs:label "Tolkien" .
:fantasy rdfs:label "Fantasy" .
:cycle a :BookSeries .
:island :author :nobody . :nobody a :Person .
:ann gr:interacted :dune ; :likes :hobbit .
"""


@pytest.fixture
def kg(tmp_path: Path) -> KnowledgeGraph:
    return read_rdf(write(tmp_path / "world.ttl", WORLD))


@pytest.fixture
def items() -> Vocabulary:
    return Vocabulary(["hobbit", "unlinked", "dune", "dune2"])


@pytest.fixture
def linking(kg: KnowledgeGraph, items: Vocabulary) -> Linking:
    return link_by_template(items, kg, "http://e/{id}")


def edges(graph: CatalogueGraph) -> set[tuple[str, str, str]]:
    """Return all edges in words."""
    a = graph.adjacency
    return {
        (graph.node_id(h), a.relation_names[a.relations[e]], graph.node_id(int(a.indices[e])))
        for h in range(a.n_nodes)
        for e in range(a.indptr[h], a.indptr[h + 1])
    }


def test_entity_types_are_the_most_specific(kg: KnowledgeGraph) -> None:
    chosen = entity_types(kg)
    kind = {iri: kg.entities[c] if c >= 0 else None for iri, c in zip(kg.entities, chosen.tolist(), strict=True)}
    assert kind["http://e/herbert"] == "http://e/Novelist"
    assert kind["http://e/tolkien"] == "http://e/Person"
    assert kind["http://e/fantasy"] is None
    few = entity_types(kg, max_types=1)
    assert {kg.entities[c] for c in few.tolist() if c >= 0} == {"http://e/Book"}


def test_most_frequent_type_wins_without_a_hierarchy(tmp_path: Path) -> None:
    text = "@prefix : <http://e/> . :a a :Rare, :Often . :b a :Often . :c a :Tie1, :Tie2 ."
    kg = read_rdf(write(tmp_path / "a.ttl", text))
    kinds = [kg.entities[c][-4:] if c >= 0 else "" for c in entity_types(kg).tolist()]
    assert [k for k in kinds if k] == ["ften", "ften", "Tie1"]


def test_classes_in_a_cycle_count_as_equal(tmp_path: Path) -> None:
    text = """@prefix : <http://e/> . @prefix r: <http://www.w3.org/2000/01/rdf-schema#> .
    :A r:subClassOf :B . :B r:subClassOf :A , :B , :Top . :x a :A, :B, :Top ."""
    kg = read_rdf(write(tmp_path / "a.ttl", text))
    assert kg.entities[int(entity_types(kg)[kg.entities.row("http://e/x")])] == "http://e/A"


def test_catalogue_in_words(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    graph = catalogue_graph(kg, linking, items, exclude=["likes"], labels=["The Hobbit", None, None, None])
    assert [*graph.items, *graph.entities] == [
        "hobbit", "unlinked", "dune", "dune2",
        "http://e/cycle", "http://e/fantasy", "http://e/herbert", "http://e/tolkien",
    ]  # fmt: skip
    assert graph.adjacency.node_types == ("item", "book_series", "genre", "novelist", "person")
    one_way = {
        ("dune", "author", "http://e/herbert"),
        ("dune2", "author", "http://e/herbert"),
        ("hobbit", "author_2", "http://e/tolkien"),
        ("dune", "genre", "http://e/fantasy"),
        ("hobbit", "genre", "http://e/fantasy"),
        ("dune", "part_of", "http://e/cycle"),
        ("dune2", "part_of", "http://e/cycle"),
        ("http://e/herbert", "knows", "http://e/tolkien"),
    }
    assert edges(graph) == one_way | {(t, f"rev_{r}", h) for h, r, t in one_way}
    assert [graph.label(n) for n in range(8)] == [
        "The Hobbit", "unlinked", "dune", "dune2", "cycle", "Fantasy", "Frank Herbert", "Tolkien",
    ]  # fmt: skip
    assert graph.adjacency.degrees[1] == 0


def test_relations_may_be_chosen(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    graph = catalogue_graph(kg, linking, items, relations=["author"])
    assert {r for _, r, _ in edges(graph)} == {"author", "rev_author", "author_2", "rev_author_2"}
    one = catalogue_graph(kg, linking, items, relations=["http://e/author"])
    assert one.adjacency.relation_names == ("author", "rev_author")
    assert one.adjacency.n_nodes == 5
    with pytest.raises(DataError, match=r"relation 'auther' is not among .*nearest: 'author'"):
        catalogue_graph(kg, linking, items, relations=["auther"])


def test_literals_may_be_nodes(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    graph = catalogue_graph(kg, linking, items, relations=["partOf"], literal_nodes=["genre", "year"])
    types = graph.adjacency.node_types
    rows = {kind: range(*graph.adjacency.type_offsets[place : place + 2]) for place, kind in enumerate(types)}
    assert [graph.label(n) for n in rows["genre"]] == ["Desert", "Fantasy"]
    assert ("dune2", "genre", graph.node_id(rows["genre"][1])) in edges(graph)
    assert len(rows["year"]) == 2
    assert ("http://e/year#1965", "rev_year", "dune") in edges(graph)


def test_editions_of_one_entity_share_its_edges(kg: KnowledgeGraph, tmp_path: Path) -> None:
    items = Vocabulary(["hardcover", "paperback", "hobbit"])
    path = write(
        tmp_path / "l.csv",
        "item_id,iri\nhardcover,http://e/dune\npaperback,http://e/dune\nhobbit,http://e/hobbit\n",
    )
    graph = catalogue_graph(kg, link_by_table(path, items, kg), items, relations=["author", "likes"])
    found = edges(graph)
    for edition in ("hardcover", "paperback"):
        assert (edition, "author", "http://e/herbert") in found
        assert ("http://e/herbert", "rev_author", edition) in found
    assert "http://e/dune" not in graph.entities


def test_nothing_linked_leaves_items_alone(kg: KnowledgeGraph) -> None:
    items = Vocabulary(["x", "y"])
    graph = catalogue_graph(kg, link_by_template(items, kg, "http://e/{id}"), items)
    assert graph.adjacency.n_nodes == 2
    assert graph.adjacency.n_edges == 0
    assert graph.adjacency.relation_names == ()


def test_sizes_must_agree(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    with pytest.raises(DataError, match="the linking is of 4 items, the vocabulary has 1"):
        catalogue_graph(kg, linking, Vocabulary(["a"]))
    with pytest.raises(DataError, match="1 labels for 4 items"):
        catalogue_graph(kg, linking, items, labels=["a"])


def test_item_tags(kg: KnowledgeGraph, linking: Linking) -> None:
    tags = item_tags(kg, linking, ["genre", "author"])
    carried = {i: {tags.tags[int(t)] for t in tags.table[i][0]} for i in range(4)}
    assert carried == {
        0: {"Fantasy (http://e/fantasy)", "Tolkien"},
        1: set(),
        2: {"Fantasy (http://e/fantasy)", "Fantasy (text, http://e/genre)", "Desert", "Frank Herbert"},
        3: {"Fantasy (text, http://e/genre)", "Frank Herbert"},
    }
    assert (tags.table.scores == 1).all()


def test_networkx_neighbourhood(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    graph = catalogue_graph(kg, linking, items, exclude=["likes"])
    near = to_networkx(graph, 2)
    assert {d["label"] for _, d in near.nodes(data=True)} == {"dune", "cycle", "Fantasy", "Frank Herbert"}
    assert {(u, v, k) for u, v, k in near.edges(keys=True) if u == 2} == {
        (2, 4, "part_of"),
        (2, 5, "genre"),
        (2, 6, "author"),
    }
    assert near.nodes[6] == {"id": "http://e/herbert", "label": "Frank Herbert", "type": "novelist", "distance": 1}
    assert len(to_networkx(graph, 2, hops=0)) == 1
    two = to_networkx(graph, 2, hops=2)
    assert {d["id"] for _, d in two.nodes(data=True)} >= {"dune2", "hobbit", "http://e/tolkien"}
    small = to_networkx(graph, 2, hops=3, max_nodes=2)
    assert len(small) == 2
    assert small.graph["n_left_out"] >= 2
    with pytest.raises(DataError, match="legal rows are 0 to 7"):
        to_networkx(graph, 99)
    with pytest.raises(ConfigError, match="max_nodes"):
        to_networkx(graph, 0, max_nodes=0)


def test_networkx_by_id_and_whole(kg: KnowledgeGraph, linking: Linking, items: Vocabulary) -> None:
    graph = catalogue_graph(kg, linking, items, exclude=["likes"])
    for row, node in ((2, "dune"), (6, "http://e/herbert")):
        assert nx.utils.graphs_equal(to_networkx(graph, node), to_networkx(graph, row))
    whole = to_networkx(graph)
    assert sorted(name for _, name in whole.nodes(data="id")) == sorted([*graph.items, *graph.entities])
    forward = [not name.startswith("rev_") for name in graph.adjacency.relation_names]
    assert whole.number_of_edges() == np.array(forward)[graph.adjacency.relations].sum() > 5
    named = nx.relabel_nodes(whole, nx.get_node_attributes(whole, "id"))
    assert named.has_edge("dune", "http://e/herbert", key="author")
    with pytest.raises(UnknownIdError, match=r"item 'dun' is not among .* nearest: 'dune'"):
        to_networkx(graph, "dun")
