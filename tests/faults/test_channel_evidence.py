"""Evidence that cannot be used: its channel is named, the reason is another's, and the process lives on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, cast

import numpy as np
import pytest

from graphrec.contracts.panel import Panel
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, Paths, Recaller, evidence_of, no_evidence
from graphrec.data.interactions import histories
from graphrec.data.lists import ItemLists, item_lists, lists_of
from graphrec.errors import BundleError, DataError
from graphrec.graph.adjacency import relation_number
from graphrec.pipelines.evaluation.panel_lists import ask
from graphrec.pipelines.jobs.served import check_served
from graphrec.recallers.evidence import check_evidence
from graphrec.recallers.ranked import RankedRecaller
from graphrec.serve import Engine
from graphrec.serve.state import load_state
from tests.serve.conftest import engine, library_bundle
from tests.serve.test_engine import with_channels
from tests.worlds import library

__all__ = ["engine", "library_bundle"]

DATA = library()
N_ITEMS, N_NODES = len(DATA.items), DATA.catalogue.adjacency.n_nodes
FOLLOWED = relation_number(DATA.catalogue.adjacency, "followed_by")
# The channel returns "Children of Dune", which follows "Dune Messiah" (row 1), and "Emma".
ITEMS = np.array([2, 11], dtype=np.int32)


def good() -> Evidence:
    """Return evidence that says the truth about ITEMS: a path of the graph for the first, none for the other."""
    paths = Paths(
        np.array([0, 2, 2], dtype=np.int64),
        np.array([1, 2], dtype=np.int32),
        np.array([-1, FOLLOWED], dtype=np.int16),
    )
    return evidence_of(np.array([1, 1], dtype=np.int32), np.array([1.0, 0.5]), paths=paths)


def part(name: str, *values: Any, dtype: Any = None) -> Callable[[Evidence], Any]:
    """Return what puts other values into one array of evidence."""

    def put(evidence: Evidence) -> Evidence:
        before = getattr(evidence, name)
        changes: dict[str, Any] = {name: np.array(values, dtype=dtype or before.dtype)}
        return replace(evidence, **changes)

    return put


def path(**arrays: Any) -> Callable[[Evidence], Any]:
    """Return what puts other values into the arrays of the paths."""

    def put(evidence: Evidence) -> Evidence:
        before = {field.name: getattr(evidence.paths, field.name) for field in fields(Paths)}
        own = {name: np.asarray(values).astype(before[name].dtype) for name, values in arrays.items()}
        return replace(evidence, paths=Paths(**{**before, **own}))

    return put


def paths_of(value: Any) -> Callable[[Evidence], Any]:
    return lambda evidence: replace(evidence, paths=value)


HOSTILE: dict[str, tuple[Callable[[Evidence], Any], str]] = {
    "source too high": (part("sources", 1, N_ITEMS), "entry 1 of the evidence has the source 12; legal item rows are"),
    "source far away": (part("sources", 2**31 - 1, 1), "entry 0 of the evidence has the source 2147483647; legal"),
    "source negative": (part("sources", 1, -2), "has the source -2; legal item rows are 0 to 11, and -1 for none"),
    "via negative": (part("via", -(2**31), -1), "has the middle row -2147483648; legal rows are 0, and -1 for none"),
    "NaN": (part("contributions", 1, np.nan), "entry 1 of the evidence has the contribution nan; it must be finite"),
    "inf": (part("contributions", -np.inf, 1), "entry 0 of the evidence has the contribution -inf"),
    "int64 sources": (part("sources", 1, 1, dtype=np.int64), "sources of the evidence holds int64 in shape (2,)"),
    "float32": (part("contributions", 1, 1, dtype=np.float32), "contributions of the evidence holds float32"),
    "swapped bytes": (part("via", -1, -1, dtype=">i4"), "via of the evidence holds >i4"),
    "too few": (part("sources", 1), "the evidence has 1 sources for 2 items; each item has one"),
    "too many": (part("contributions", 1, 1, 1), "the evidence has 3 contributions for 2 items"),
    "a list": (
        lambda evidence: replace(evidence, sources=cast("Any", [1, 1])),
        "sources of the evidence is of type list",
    ),
    "no evidence": (lambda evidence: None, "the evidence is of type NoneType; a channel returns Evidence"),
    "an array": (lambda evidence: evidence.sources, "the evidence is of type ndarray"),
    "no paths": (paths_of(None), "the paths of the evidence are of type NoneType"),
    "paths of others": (path(indptr=[0, 2]), "the evidence has 1 paths for 2 items"),
    "bounds beyond": (path(indptr=[0, 2, 10**12]), "indptr of the paths is 1000000000000 at 2; it starts at 0, never"),
    "bounds cross": (path(indptr=[0, 3, 2]), "indptr of the paths is 2 at 2"),
    "bounds negative": (path(indptr=[-7, 2, 2]), "indptr of the paths is -7 at 0"),
    "relations missing": (path(relations=[-1]), "the paths have 2 nodes and 1 relations"),
    "node too high": (path(nodes=[1, N_NODES]), f"path 0 of the evidence has the node {N_NODES}; legal nodes are 0 to"),
    "node negative": (path(nodes=[-1, 2]), "path 0 of the evidence has the node -1"),
    "to another item": (path(nodes=[1, 3]), "path 0 of the evidence does not lead from the source 1 to the item 2"),
    "from elsewhere": (path(nodes=[0, 2]), "does not lead from the source 1 to the item 2"),
    "relation at first": (path(relations=[FOLLOWED, FOLLOWED]), f"begins with the relation {FOLLOWED}; no relation"),
    "relation too high": (path(relations=[-1, 32767]), "goes to node 2 by relation 32767, which is no edge"),
    "relation negative": (path(relations=[-1, -1]), "goes to node 2 by relation -1, which is no edge"),
    "another relation": (path(relations=[-1, FOLLOWED + 1]), "which is no edge of the catalogue graph"),
    "no such edge": (
        path(indptr=[0, 0, 2], nodes=[1, 11], relations=[-1, FOLLOWED]),
        f"path 1 of the evidence goes to node 11 by relation {FOLLOWED}, which is no edge of the catalogue graph",
    ),
}


def explaining(make: Callable[[Evidence], Any], *, reason: Any = "after {source}: {path}") -> Recaller:
    """Return a channel of ITEMS whose evidence ``make`` makes of the true one, cut to the items that it is given."""

    class Explaining(RankedRecaller):
        def evidence(self, query: Queries, items: np.ndarray[Any, np.dtype[np.int32]]) -> Any:
            return make(good() if items.tolist() == ITEMS.tolist() else no_evidence(len(items)))

    return Explaining(ITEMS.tolist(), [2.0, 1.0], reason)


def explained(engine: Engine, channel: Recaller) -> tuple[dict[str, str | None], dict[str, str]]:
    answer = with_channels(engine, {"own": channel}).recall(
        None, history=["b0", "b1"], k=2, channels=["own"], explain=True
    )
    return {item.item: item.explanation for item in answer.items if "own" in item.channels}, dict(answer.unexplained)


def test_what_is_true_is_said(engine: Engine) -> None:
    sentences, unexplained = explained(engine, explaining(lambda evidence: evidence))
    assert unexplained == {}
    assert sentences["b2"] == "after Dune Messiah: Dune Messiah → followed by → Children of Dune"


@pytest.mark.parametrize("fault", HOSTILE)
def test_evidence_that_cannot_be_used_is_dropped_and_its_channel_named(engine: Engine, fault: str) -> None:
    change, sentence = HOSTILE[fault]
    sentences, unexplained = explained(engine, explaining(change))
    assert list(unexplained) == ["own"]
    assert sentence in unexplained["own"]
    assert set(sentences) == {"b2", "b11"}
    assert not any(text and text.startswith("after") for text in sentences.values())


@pytest.mark.parametrize("reason", [None, 3, b"after {source}"])
def test_a_template_that_is_no_text_is_as_bad(engine: Engine, reason: Any) -> None:
    sentences, unexplained = explained(engine, explaining(lambda evidence: evidence, reason=reason))
    assert list(unexplained) == ["own"]
    assert set(sentences) == {"b2", "b11"}


def test_middle_rows_have_names() -> None:
    evidence = replace(good(), via=np.array([-1, 3], dtype=np.int32))
    check_evidence(evidence, ITEMS, DATA.catalogue, n_via=4)
    check_evidence(evidence, ITEMS, DATA.catalogue, n_via=None)
    with pytest.raises(DataError, match=r"entry 1 of the evidence has the middle row 3; legal rows are 0 to 2, and -1"):
        check_evidence(evidence, ITEMS, DATA.catalogue, n_via=3)


def test_random_evidence_never_ends_a_request(engine: Engine) -> None:
    """Whatever the numbers, an answer comes back; a path is worded only where each of its steps is an edge."""
    rng = np.random.default_rng(0)
    graph, used = DATA.catalogue.adjacency, 0
    wild = np.array([-1, 0, 1, 2, 11, N_NODES - 1, N_NODES, 2**31 - 1, -(2**31)])

    def make(_: Evidence) -> Evidence:
        n_nodes = int(rng.integers(0, 4))
        relations = np.concatenate([[-1], rng.integers(-1, len(graph.relation_names) + 1, n_nodes)])[:n_nodes]
        paths = Paths(
            np.array([0, n_nodes, n_nodes]) if rng.random() < 0.8 else rng.choice([-1, 0, 1, 2, 2**40], 3),
            rng.choice(wild, n_nodes, p=[0.04, 0.1, 0.36, 0.36, 0.02, 0.04, 0.04, 0.02, 0.02]).astype(np.int32),
            relations.astype(np.int16),
        )
        sources = rng.choice([-1, 0, 1, 12], 2, p=[0.1, 0.2, 0.6, 0.1]).astype(np.int32)
        return evidence_of(sources, rng.choice([0.0, 1.0, np.nan], 2, p=[0.2, 0.75, 0.05]), paths=paths)

    for _ in range(300):
        sentences, unexplained = explained(engine, explaining(make))
        assert set(sentences) == {"b2", "b11"}
        used += not unexplained
    assert 0 < used < 300


class Wrong(RankedRecaller):
    """A channel for everybody whose rows are not those of the bundle."""

    def recall(self, queries: Queries, k: int) -> ItemLists:
        n = len(queries)
        rows = np.tile(np.array([0, 10**6], dtype=np.int32), n)
        return lists_of(2 * np.arange(n + 1), rows, np.ones(2 * n, dtype=np.float32))


class Raising(RankedRecaller):
    def recall(self, queries: Queries, k: int) -> ItemLists:
        raise ZeroDivisionError("no luck")


@pytest.mark.parametrize("kind", [Wrong, Raising])
def test_a_fallback_that_cannot_rank_is_passed_over(
    engine: Engine, kind: type[RankedRecaller], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = engine.bundle
    second = RankedRecaller([11], [1.0])
    for channels, ranked in (
        ({"hot": kind([11], [1.0])}, "popularity"),
        ({"hot": kind([11], [1.0]), "second": second}, "second"),
    ):
        bundle = replace(whole, channels=channels)
        monkeypatch.setattr("graphrec.serve.state.open_bundle", lambda *_, made=bundle, **__: made)
        state = load_state(whole.path)
        assert state.ranked == ranked
        assert sorted(state.popular.tolist()) == list(range(N_ITEMS))
        assert "channel hot cannot rank the items of the fallback" in caplog.text
        answer = Engine(whole.path, state).recall(None, k=3)
        assert len(answer.items) == 3
        assert list(answer.left_out) == ["hot"]


def test_evaluation_names_the_channel_whose_answer_cannot_be_used() -> None:
    history = histories(DATA.interactions)
    users = np.arange(len(history), dtype=np.int32)
    panel = Panel(users, history, item_lists([[2]] * len(users)), DATA.pool)
    with pytest.raises(DataError, match="channel 'wrong': list 0 of the answer holds item row 1000000; legal rows are"):
        ask({"good": RankedRecaller([11], [1.0]), "wrong": Wrong([11], [1.0])}, panel, 5)


def test_a_bundle_whose_reasons_cannot_be_used_is_not_published(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = with_channels(engine, {"own": explaining(HOSTILE["NaN"][0])})
    monkeypatch.setattr(Engine, "open", lambda *_, **__: broken)
    with pytest.raises(BundleError, match="channel own does not explain its items: "):
        check_served(engine.bundle.path)
