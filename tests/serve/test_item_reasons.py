"""All reasons for any item: what each part of a history gave adds up to the channel's score."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.errors import ConfigError, DataError, UnknownIdError
from graphrec.serve.engine import Engine
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import library

PATHS = {"author/^author": 1.0, "genre/^genre": 0.5, "^interacts/interacts": 0.7, "^followed_by/author/^author": 2.0}
ADDITIVE = {"item-cf", "user-cf", "tag", "kg-neighbours", "kg-paths"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    data = library()
    recipes = {**RECIPES, "kg-paths": KgPaths(paths=PATHS, learn_weights=False)}
    config: dict[str, Any] = {"channels": {name: {} for name in recipes}}
    wording = {"verb": "read", "author": "also by {entity}"}
    folder = tmp_path_factory.mktemp("reasons") / "bundle"
    return Engine.open(write(folder, data, fit(data, recipes), config=config, wording=wording))


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from([f"b{n}" for n in range(12)]), st.floats(0.5, 5, width=32)), min_size=1, max_size=6
    ),
    st.sampled_from([f"b{n}" for n in range(12)]),
)
def test_contributions_add_up_to_the_score_of_an_additive_channel(
    engine: Engine, history: list[tuple[str, float]], item: str
) -> None:
    found = engine.explain(item, history=history, k=1000)
    for channel in ADDITIVE & found.scores.keys():
        amounts = [reason.contribution for reason in found.reasons if reason.channel == channel]
        assert sum(amounts) == pytest.approx(found.scores[channel], rel=1e-4), channel  # type: ignore[arg-type]
    taken = {entry for entry, _ in history}
    assert {reason.source for reason in found.reasons if reason.source} <= taken
    for reason in found.reasons:
        if reason.path:
            assert (reason.path[0].id, reason.path[-1].id) == (reason.source, item)
            assert 0 < (reason.of_path or 0) <= (reason.contribution or 0) * 1.0001


def test_the_scores_are_those_of_the_answer(engine: Engine) -> None:
    answer = engine.recall(history=["b0", "b4"], k=12)
    for entry in answer.items:
        found = engine.explain(entry.item, history=["b0", "b4"])
        for channel, place in entry.channels.items():
            assert found.scores[channel] == pytest.approx(place.score, rel=1e-5)


def test_every_kind_of_path_is_there_and_users_are_not_named(engine: Engine) -> None:
    found = engine.explain("b3", history=["b1"], channels=["kg-paths"], k=100)
    kinds = {tuple(node.relation for node in reason.path[1:]) for reason in found.reasons}
    assert ("author", "rev_author") in kinds
    assert ("rev_followed_by", "author", "rev_author") in kinds
    assert () in kinds
    texts = [reason.text for reason in found.reasons]
    assert "because you read Dune Messiah: also by Frank Herbert" in texts
    assert "because you read Dune Messiah: what others took together" in texts
    shares = [reason.share for reason in found.reasons]
    assert shares == sorted(shares, reverse=True)  # type: ignore[type-var]


def test_without_parts_the_best_path_and_the_rest_add_up(engine: Engine, tmp_path: Path) -> None:
    channel: Any = engine.bundle.channels["kg-paths"]
    bare = replace(engine.bundle, channels={"kg-paths": type(channel)(
        channel.neighbours, channel.catalogue, channel.metapaths, channel.numbers, channel.nodes, channel.shares
    )})  # fmt: skip
    found = Engine(engine.bundle.path, replace(engine._state, bundle=bare)).explain("b2", history=["b1"], k=100)
    assert len(found) == 2
    assert sum(reason.share or 0 for reason in found.reasons) == pytest.approx(1, rel=1e-4)


def test_damaged_parts_are_refused(engine: Engine) -> None:
    channel: Any = engine.bundle.channels["kg-paths"]
    for change in ({"nodes": channel.parts.nodes[:-1]}, {"indptr": channel.parts.indptr[::-1]}):
        with pytest.raises(DataError, match="of the parts"):
            type(channel)(
                channel.neighbours, channel.catalogue, channel.metapaths, channel.numbers, channel.nodes,
                channel.shares, replace(channel.parts, **change),
            )  # fmt: skip


def test_a_walk_of_every_entity_is_named(tmp_path: Path) -> None:
    data = library()
    recipes = {"kg-neighbours": KgNeighbours(relations={"author": 1.0, "series": 2.0})}
    config = {"channels": {"kg-neighbours": {"relations": {"author": 1.0, "series": 2.0}}}}
    engine = Engine.open(write(tmp_path / "b", data, fit(data, recipes), config=config))
    found = engine.explain("b2", history=["b1"])
    assert [reason.text for reason in found.reasons] == [
        "because you read Dune Messiah: same series, Dune Chronicles",
        "because you read Dune Messiah: same author, Frank Herbert",
    ]
    assert sum(reason.share or 0 for reason in found.reasons) == pytest.approx(1)


def test_what_is_unknown_or_unconnected_gets_a_sentence(engine: Engine) -> None:
    with pytest.raises(UnknownIdError, match="item 'b99' is not among"):
        engine.explain("b99", history=["b1"])
    with pytest.raises(UnknownIdError, match="user 'r99' is not among"):
        engine.explain("b1", user="r99")
    with pytest.raises(ConfigError, match="neither a user nor a history"):
        engine.explain("b1")
    with pytest.raises(ConfigError, match="k is 0"):
        engine.explain("b1", user="r0", k=0)
    empty = engine.explain("b1", history=["zz"])
    assert empty.unconnected == (
        "the history is empty (1 unknown ids are ignored), so nothing leads from it to Dune Messiah"
    )
    assert {reason.source for reason in empty.reasons} == {None}
    apart = engine.explain("b0", history=["b11"], channels=["kg-paths"])
    assert apart.reasons == ()
    assert str(apart.unconnected).startswith("no channel of kg-paths leads from the item of the history to Dune")


def test_a_broken_channel_is_named(engine: Engine) -> None:
    class Broken(type(engine.bundle.channels["item-cf"])):  # type: ignore[misc]
        def contributions(self, query: object, item: int) -> object:
            raise RuntimeError("gone")

    old: Any = engine.bundle.channels["item-cf"]
    broken = Broken(old.tables, old.keep, profile=old.profile)
    bundle = replace(engine.bundle, channels={**engine.bundle.channels, "item-cf": broken})
    found = Engine(bundle.path, replace(engine._state, bundle=bundle)).explain("b1", history=["b0"])
    assert found.unexplained == {"item-cf": "RuntimeError: gone"}
    assert np.isfinite(list(found.scores.values())).all()
