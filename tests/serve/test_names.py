"""Names of nodes, looked up again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from graphrec.serve import Engine, names
from graphrec.serve.names import NodeTexts, node_ids, node_names
from tests.serve.test_engine import changed


@pytest.mark.parametrize("kept", [0, 2, 1000])
def test_names_and_ids_are_those_of_the_graph_whatever_was_looked_up_before(
    engine: Engine, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_KEPT", kept)
    graph = engine.bundle.catalogue
    looked_up, ids = node_names(graph), node_ids(graph)
    for nodes in ([3, 0, 3], [], [11, 3, 1, 0], list(range(len(graph.labels))), [5]):
        assert looked_up.look_up(nodes) == [graph.label(node) for node in nodes]
        assert ids.look_up(nodes) == [graph.node_id(node) for node in nodes]
        assert len(looked_up._known) <= kept + len(graph.labels)


def test_names_of_a_small_graph_are_read_in_one_go() -> None:
    reads: list[list[int]] = []

    def read(nodes: Sequence[int]) -> list[str]:
        reads.append([*nodes])
        return [str(node) for node in nodes]

    small, large = NodeTexts(read, 4), NodeTexts(read, names._KEPT + 1)
    for texts in (small, large):
        assert (texts.look_up([2]), texts.look_up([2, 0])) == (["2"], ["2", "0"])
    assert reads == [[0, 1, 2, 3], [2], [0]]


def test_a_verb_with_a_percent_sign_is_shown_as_it_stands(engine: Engine) -> None:
    manifest = replace(engine.bundle.manifest, wording={"verb": "100 % read, %s"})
    said = changed(engine, manifest=manifest).recall("r0", k=9, explain=True)
    assert any("100 % read, %s" in str(item.explanation) for item in said.items)
    assert not any("%%" in str(item.explanation) for item in said.items)
