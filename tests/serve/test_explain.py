"""Sentences for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recaller import Evidence, Paths, evidence_of, joined_paths
from graphrec.fusion.settings import Rrf
from graphrec.recallers.ranked import RankedRecaller
from graphrec.serve import Engine
from graphrec.serve.explain import _paths
from graphrec.serve.paths import Link, all_relation_words, edges_of, link_words, links, path_words, relation_words
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import Relation, catalogue, library, vocabulary


def sentences(engine: Engine, user: str | None, **settings: object) -> dict[str, str | None]:
    answer = engine.recall(user, k=12, explain=True, **settings)  # type: ignore[arg-type]
    return {one.title: one.explanation for one in answer.items}


def test_each_channel_in_words(engine: Engine) -> None:
    assert sentences(engine, None, history=["b0"], channels=["kg-neighbours"])["The Dosadi Experiment"] == (
        "because you read Dune: same author, Frank Herbert"
    )
    assert sentences(engine, "r0", channels=["item-cf"])["The Dosadi Experiment"] == (
        "because you read Dune Messiah: often read by the same people"
    )
    assert (
        sentences(engine, None, history=["b0"], channels=["tag"])["Dune Messiah"]
        == "because you like science-fiction, as in Dune"
    )
    assert sentences(engine, "r0", channels=["hot"])["The Hobbit"] == "widely read lately"
    assert sentences(engine, "r0", channels=["user-cf"])["Foundation and Empire"] == (
        "read by people whose taste is close to yours; Foundation is common ground"
    )


def test_the_series_is_named_because_it_is_what_few_books_share(tmp_path: Path) -> None:
    data = library()
    recipes = {"hot": RECIPES["hot"], "kg-neighbours": KgNeighbours(relations={"author": 1.0, "series": 1.0})}
    config = {"channels": {"hot": {}, "kg-neighbours": {"relations": {"author": 1.0, "series": 1.0}}}}
    engine = Engine.open(write(tmp_path / "b", data, fit(data, recipes), config=config))
    told = sentences(engine, None, history=["b1"])
    # The direct edge to Children of Dune is not among the relations that this channel walks.
    assert told["Children of Dune"] == "because you read Dune Messiah: same series, Dune Chronicles"
    assert told["The Hobbit"] == "widely read lately"


def test_something_of_the_history_comes_before_what_is_hot(engine: Engine) -> None:
    told = sentences(engine, "r6")
    for title in ("The Two Towers", "A Wizard of Earthsea"):
        assert told[title] is not None
        assert "widely" not in str(told[title])


def weighted(engine: Engine, **weights: float) -> Engine:
    named = {name.replace("_", "-"): weight for name, weight in weights.items()}
    return Engine(engine.bundle.path, replace(engine._state, fusion=Rrf(named)))


def test_a_source_beats_any_weight_of_what_is_hot(engine: Engine) -> None:
    told = sentences(weighted(engine, hot=100.0), "r6")
    assert told["The Two Towers"] != "widely read lately"


def test_a_telling_path_quarters_the_rank(engine: Engine) -> None:
    def ranks(user: str, title: str) -> dict[str, int]:
        (entry,) = (entry for entry in engine.recall(user, k=12).items if entry.title == title)
        return {name: place.rank for name, place in entry.channels.items()}

    # Third by its path counts as 0.75: before the first of Item-CF.
    dosadi = ranks("r0", "The Dosadi Experiment")
    assert (dosadi["kg-neighbours"], dosadi["item-cf"]) == (3, 1)
    assert sentences(engine, "r0")["The Dosadi Experiment"] == "because you read Dune: same author, Frank Herbert"
    # Many books are science fiction: that path has its own rank, the eighth, and User-CF is before it.
    empire = ranks("r6", "Foundation and Empire")
    assert (empire["kg-neighbours"], empire["user-cf"]) == (8, 6)
    assert str(sentences(engine, "r6")["Foundation and Empire"]).startswith("read by people whose taste")


class Asked(RankedRecaller):
    """Keeps which items it was asked about."""

    about: ClassVar[list[list[int]]] = []

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        self.about.append(items.tolist())
        return super().evidence(query, items)


def test_a_channel_is_asked_about_the_items_that_it_speaks_for_first(engine: Engine) -> None:
    Asked.about.clear()
    first = Asked(np.arange(12), np.arange(12)[::-1], "as in {source}")
    bundle = replace(engine.bundle, channels={"first": first, "hot": engine.bundle.channels["hot"]})
    answer = Engine(bundle.path, replace(engine._state, bundle=bundle)).recall("r0", k=5, explain=True)
    # What says the same of every item is not asked, and comes last; what was asked and has no source is asked no more.
    assert sorted(row for rows in Asked.about for row in rows) == sorted(
        engine.bundle.items.row(entry.item) for entry in answer.items if "first" in entry.channels
    )
    assert {entry.explanation for entry in answer.items if "hot" in entry.channels} == {"widely read lately"}


def test_a_path_is_worded_as_it_is_alone_whichever_paths_are_shown(engine: Engine) -> None:
    bundle, state = engine.bundle, engine._state
    query, items = known_queries(bundle.history, [0]), np.arange(len(bundle.items), dtype=np.int32)
    walked = bundle.channels["kg-neighbours"].evidence(query, items).paths
    alone = Paths(np.array([0, 1]), np.array([5], dtype=np.int32), np.array([-1], dtype=np.int16))
    paths = joined_paths([walked, alone, walked])
    evidence = evidence_of(np.zeros(len(paths), dtype=np.int32), paths=paths)
    names = bundle.catalogue.adjacency.relation_names
    each = [
        path_words(
            [bundle.catalogue.label(node) for node in nodes.tolist()],
            [names[relation] for relation in relations.tolist()],
            [state.words[relation] for relation in relations.tolist()],
        )
        if len(relations)
        else None
        for nodes, relations in (paths[place] for place in range(len(paths)))
    ]
    assert len({*each}) > 3
    for at in ([], [*range(len(paths))], [*range(len(paths))][::-1], [len(walked), 1], [1, 1]):
        assert _paths(state, evidence, at) == [each[place] for place in at]


def test_nothing_is_explained_unless_asked(engine: Engine) -> None:
    assert {one.explanation for one in engine.recall("r0", k=12).items} == {None}


def test_the_verb_has_a_default(tmp_path: Path) -> None:
    data = library()
    engine = Engine.open(write(tmp_path / "b", data, fit(data), wording={}))
    assert sentences(engine, "r0", channels=["item-cf"])["The Dosadi Experiment"] == (
        "because you picked Dune Messiah: often picked by the same people"
    )


def test_a_reason_with_unknown_places_is_left_as_it_is(tmp_path: Path) -> None:
    data = library()
    odd = {"odd": RankedRecaller([3, 2], [2.0, 1.0], reason="{verb} {0} {nobody} {")}
    engine = Engine.open(write(tmp_path / "b", data, odd))
    assert sentences(engine, None)["Children of Dune"] == "read {0} {nobody} {"


class Mute(RankedRecaller):
    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        raise RuntimeError("no words")


def test_a_channel_that_cannot_explain_costs_its_sentence_alone(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = replace(engine.bundle, channels={"mute": Mute([2], [1.0], "as in {source}"), **engine.bundle.channels})
    answer = Engine(bundle.path, replace(engine._state, bundle=bundle)).recall("r1", k=12, explain=True)
    told = {one.item: one.explanation for one in answer.items if "mute" in one.channels}
    assert told == {"b2": "because you read Dune: same series, Dune Chronicles"}
    assert "channel mute cannot explain" in caplog.text


def test_a_channel_that_can_say_nothing_gives_none(tmp_path: Path) -> None:
    data = library()
    engine = Engine.open(write(tmp_path / "b", data, {"odd": RankedRecaller([3], [1.0], reason="as in {source}")}))
    assert engine.recall(k=1, explain=True).items[0].explanation is None


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        ("author", "author"),
        ("hasOriginalAuthor", "original author"),
        ("has_colour", "colour"),
        ("in_genre", "genre"),
        ("made_by", "made by"),
        ("http://schema.org/isPartOf", "is part of"),
        ("http://example.org/ns#inLanguage", "language"),
        ("rev_followed_by", "followed by"),
        ("rev_http://schema.org/author", "author"),
        ("hasISBN", "ISBN"),
        ("publishedByHTTPServer", "published by HTTP server"),
        ("has", "has"),
    ],
)
def test_relations_in_words(relation: str, words: str) -> None:
    assert relation_words(relation, {}) == words


def test_wording_names_a_relation_otherwise() -> None:
    assert relation_words("http://x.org/made_by", {"made_by": "maker"}) == "maker"
    assert relation_words("rev_made_by", {"made_by": "maker"}) == "maker"
    assert relation_words("is_part_of", {"isPartOf": "series", "verb": "read"}) == "series"
    assert relation_words("http://schema.org/isPartOf", {"is_part_of": "series"}) == "series"


def test_a_relation_may_have_a_template() -> None:
    graph = library().catalogue
    wording = {"author": "also by {entity}", "followedBy": "{item} goes on where {source} ends"}
    words = all_relation_words(graph, wording)
    here = edges_of(graph.adjacency, 0)
    direct, *shared = links(graph, here, 1)
    names, ends = graph.adjacency.relation_names, ("Dune", "Dune Messiah")
    assert link_words(direct, ends, "", names, words) == "Dune Messiah goes on where Dune ends"
    named = [link_words(link, ends, graph.label(link.node), names, words) for link in shared]
    assert named[:2] == ["same series, Dune Chronicles", "also by Frank Herbert"]
    steps = [names.index(name) for name in ("author", "rev_author")]
    path = [names[step] for step in steps], [words[step] for step in steps]
    assert path_words(["Dune", "Frank Herbert", "Dune Messiah"], *path) == "also by Frank Herbert"


def test_two_steps_that_share_nothing_are_told_one_after_the_other() -> None:
    chain = path_words(["Dune", "Frank Herbert", "Tacoma"], ["author", "born_in"], ["author", "born in"])
    assert chain == "Dune → author → Frank Herbert, Frank Herbert → born in → Tacoma"
    back = path_words(["Tacoma", "Frank Herbert", "Dune"], ["rev_born_in", "rev_author"], ["born in", "author"])
    assert back == "Frank Herbert → born in → Tacoma, Dune → author → Frank Herbert"
    assert path_words(["A", "B", "C"], ["rev_wrote", "wrote"], ["wrote", "wrote"]) == "same wrote, B"


@pytest.mark.parametrize("words", ["{0} of {1}", "{}", "}{", "{item", "100 % {x}"])
def test_braces_in_words_and_names_are_shown_as_they_stand(words: str) -> None:
    labels = ["{source}", "{0}", "C}"]
    assert path_words(labels, ["wrote", "rev_wrote"], [words, words]) == f"same {words}, {{0}}"
    assert path_words(labels[:2], ["wrote"], [words]) == f"{{source}} → {words} → {{0}}"
    assert path_words(labels, ["wrote", "rev_wrote"], [f"{words}: {{entity}}"] * 2) == f"{words}: {{0}}"
    unlike = f"{{0}}, {words} of one and by of the other"
    assert path_words(labels, ["wrote", "rev_signed"], [words, "by"]) == unlike


def test_several_relations_to_one_entity() -> None:
    items = vocabulary("i", 3)
    people = [
        Relation("author", "person", [(0, 0), (1, 0)]),
        Relation("illustrator", "person", [(0, 0), (1, 0), (2, 0)]),
    ]
    graph = catalogue(items, {"person": 1}, people, ["A", "B", "C", "Tove Jansson"])
    here, words = edges_of(graph.adjacency, 0), all_relation_words(graph, {})
    told = ("Tove Jansson", graph.adjacency.relation_names, words)
    (both,) = links(graph, here, 1)
    assert link_words(both, ("A", "B"), *told) == "same author and illustrator, Tove Jansson"
    (single,) = links(graph, here, 2)
    assert link_words(single, ("A", "C"), *told) == "same illustrator, Tove Jansson"
    other = Link(3, (2,), (0,), 5)
    assert link_words(other, ("C", "A"), *told) == "Tove Jansson, illustrator of one and author of the other"
