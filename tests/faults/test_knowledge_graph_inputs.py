"""Knowledge graphs that nobody would write, or only by mistake: each is read as it is, or refused with a sentence.

Elsewhere: endpoints that are silent, cut, answer with a web page or page badly (``tests/kg/sparql/test_endpoint.py``),
depth to the level (``tests/kg/reading/test_nesting.py``), misspelt relations and meta-paths that do not join, before
anything is fitted (``tests/pipelines/jobs/test_meta_paths.py``, ``tests/graphrec/channels/content/test_kg_paths.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphrec as gr
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.channels.content.pixie import Pixie
from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.lists import item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph

E = "http://e/"
CHANNELS: dict[str, Callable[[], Any]] = {
    "kg-neighbours": KgNeighbours,
    "kg-paths": lambda: KgPaths(learn_weights=False, paths={"author/^author": 1.0}),
    "preference-walk": PreferenceWalk,
    "pixie": lambda: Pixie(steps=500),
}


def lines(*edges: tuple[str, str, str]) -> str:
    """N-Triples of edges between nodes; ``_:x`` is blank, ``"x"`` a literal, and any other name an IRI."""
    return "".join(" ".join(n if n[0] in '_"' else f"<{E}{n}>" for n in edge) + " .\n" for edge in edges)


def read(folder: Path, text: str, extension: str = ".nt") -> KnowledgeGraph:
    path = folder / f"graph{extension}"
    path.write_text(text, encoding="utf-8")
    return gr.read_rdf(path)


def ring(letter: str, n: int) -> list[tuple[str, str, str]]:
    return [(f"_:{letter}{node}", "p", f"_:{letter}{(node + 1) % n}") for node in range(n)]


@pytest.mark.parametrize(
    "edges",
    [
        [("_:a", "p", "_:a")],
        ring("a", 2),
        [*ring("a", 3), *ring("b", 6)],  # alike from every node, and yet not the same
        [*ring("a", 4), ("_:a0", "q", "b1"), ("b1", "q", "_:a2")],
        [(f"_:a{one}", "p", f"_:a{two}") for one in range(12) for two in range(12) if one != two],
        ring("a", 3_000),
    ],
    ids=["itself", "two", "three and six", "with a name", "all with all", "many"],
)
def test_cyclic_blank_nodes_stay_apart(tmp_path: Path, edges: list[tuple[str, str, str]]) -> None:
    graph = read(tmp_path, lines(*edges))
    assert len(graph.triples) == len(set(edges))
    again = read(tmp_path, lines(*reversed(edges)))
    assert list(again.entities.ids) == list(graph.entities.ids)
    assert (again.triples == graph.triples).all()


@pytest.mark.parametrize("extension", [".ttl", ".trig", ".jsonld", ".rdf"])
def test_very_deep_blank_nodes_are_refused_with_their_depth(tmp_path: Path, extension: str) -> None:
    n = 20_000
    nests = {
        ".ttl": f"<{E}a> <{E}p> " + f"[ <{E}p> " * n + "1" + "]" * n + " .",
        ".trig": f"<{E}a> <{E}p> " + f"[ <{E}p> " * n + "1" + "]" * n + " .",
        ".jsonld": f'{{"{E}p":' * n + "1" + "}" * n,
        ".rdf": '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
        + "<e:A><e:p>" * n + "</e:p></e:A>" * n + "</r:RDF>",
    }  # fmt: skip
    with pytest.raises(DataError, match=r"nests|deep|levels") as refused:
        read(tmp_path, nests[extension], extension)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("entity", ['<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">', '<!ENTITY % b "&#37;a;&#37;a;">'])
@pytest.mark.parametrize("extension", [".rdf", ".owl", ".xml"])
def test_billion_laughs_are_refused_before_an_entity_is_expanded(tmp_path: Path, entity: str, extension: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY l0 "ha">{entity}{laughs}]>'
    xml = f'<?xml version="1.0"?>{bomb}<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&l9;</r:RDF>'
    with pytest.raises(DataError, match=r"line 1: .*DOCTYPE"):
        read(tmp_path, xml, extension)


def world(folder: Path, text: str, *, items: int = 6) -> RecallData:
    """Books b0, b1, … with the graph of ``text``; users r0, r1 and r2 took b0, b1 and b2, one each, and b0."""
    graph = read(folder, text)
    ids = Vocabulary([f"b{item}" for item in range(items)])
    linking = gr.link_by_template(ids, graph, E + "{id}")
    events = gr.Interactions([0, 1, 2, 1, 2], [0, 1, 2, 0, 0], n_users=3, n_items=items)
    users = Vocabulary(["r0", "r1", "r2"])
    return RecallData(users, ids, events, gr.catalogue_graph(graph, linking, ids))


BOOKS = lines(
    ("b0", "author", "frank"), ("b1", "author", "frank"), ("b2", "author", "ursula"), ("b3", "author", "jane")
)


def recalled(data: RecallData, channel: str, history: list[int]) -> tuple[Any, list[int]]:
    made = CHANNELS[channel]().fit(data)
    return made, made.recall(Queries([-1], item_lists([history])), 6)[0][0].tolist()


def test_a_predicate_of_literals_and_iris_alike_has_edges_and_values(tmp_path: Path) -> None:
    mixed = [("b1", "author", '"Frank"'), ("b2", "author", '"Frank"'), ("b2", "author", '"5"'), ("b4", "author", "b0")]
    graph = read(tmp_path, BOOKS + lines(*mixed))
    data = world(tmp_path, BOOKS + lines(*mixed))
    assert data.catalogue.adjacency.relation_names == ("author", "rev_author")
    assert data.catalogue.adjacency.n_edges == 2 * 5  # literals are no edges
    assert gr.describe(graph).suspicious[E + "author"] == ("mixed",)
    assert set(recalled(data, "kg-neighbours", [0])[1]) == {1, 4}


def test_links_to_entities_that_do_not_exist_are_counted_and_named(tmp_path: Path) -> None:
    import polars as pl

    graph, ids = read(tmp_path, BOOKS), Vocabulary(["b0", "b1", "b9"])
    table = pl.DataFrame({"item_id": ["b0", "b1", "b9"], "iri": [E + "b0", E + "no-such", "not an iri"]})
    report = gr.link_by_table(table, ids, graph).report
    assert (report.matched, report.missing, report.unknown_iris) == (1, 2, 2)
    assert report.examples["missing"] == ("b1", "b9")
    assert gr.link_by_template(ids, graph, "http://other/{id}").report.matched == 0


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_item_without_triples_is_no_start_and_no_end_of_a_path(tmp_path: Path, channel: str) -> None:
    data = world(tmp_path, BOOKS)
    made, items = recalled(data, channel, [4])  # b4 has neither triples nor events
    assert items == []
    assert len(made.evidence(Queries([-1], item_lists([[4]])), np.array([1], np.int32)).paths[0][0]) == 0
    assert not {4, 5} & set(recalled(data, channel, [0])[1])


@pytest.mark.parametrize("channel", ["kg-neighbours", "kg-paths"])
def test_without_a_path_between_history_and_item_there_is_no_reason(tmp_path: Path, channel: str) -> None:
    made, items = recalled(world(tmp_path, BOOKS), channel, [3])  # Jane wrote no other book
    assert items == []
    evidence = made.evidence(Queries([-1], item_lists([[3]])), np.array([0, 1, 2], np.int32))
    assert evidence.sources.tolist() == [-1, -1, -1]
    assert [len(nodes) for nodes, _ in evidence.paths] == [0, 0, 0]


def test_a_graph_in_which_no_two_items_meet_is_refused_or_answers_nothing(tmp_path: Path) -> None:
    apart = world(tmp_path, lines(*((f"b{item}", "author", f"a{item}") for item in range(4))))
    assert [recalled(apart, name, [0])[1] for name in ("kg-neighbours", "kg-paths")] == [[], []]
    none = world(tmp_path, lines(("x", "author", "y")))
    for name in ("kg-neighbours", "kg-paths"):
        with pytest.raises(DataError, match=r"no item has an edge|is no relation of the graph"):
            recalled(none, name, [0])
