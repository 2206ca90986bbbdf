"""Who asks what, and what comes back: known users, live histories, nobody, filters, faults and reloads."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.bundle import publish
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.data.lists import ItemLists
from graphrec.errors import BundleError, ConfigError, DataError, UnknownIdError
from graphrec.fusion.settings import Quota
from graphrec.recallers.ranked import RankedRecaller
from graphrec.serve import Answer, Engine
from graphrec.serve.state import State, load_state
from tests.graphrec.bundle.make import RECIPES, fit, rewrite_manifest, write
from tests.worlds import library, skewed, without_knowledge

CHANNELS = tuple(RECIPES)


class Broken(RankedRecaller):
    def recall(self, queries: Queries, k: int) -> ItemLists:
        raise RuntimeError("no luck")


def waiting(before: Callable[[], object]) -> Recaller:
    """Return a channel that does what the test says before it answers."""

    class Waiting(RankedRecaller):
        def recall(self, queries: Queries, k: int) -> ItemLists:
            before()
            return super().recall(queries, k)

    return Waiting([11], [1.0])


def changed(engine: Engine, *, threads: int = 1, fusion: Any = None, **fields: Any) -> Engine:
    """Return an engine over the same bundle with some fields of it changed."""
    state = engine._state
    bundle = replace(state.bundle, **fields)
    return Engine(bundle.path, replace(state, bundle=bundle, fusion=fusion or state.fusion), threads=threads)


def with_channels(engine: Engine, more: Mapping[str, Recaller], *, threads: int = 1) -> Engine:
    return changed(engine, threads=threads, channels={**more, **engine.bundle.channels})


def eligible(engine: Engine, *, seen: set[str]) -> set[str]:
    items = engine.bundle.items
    return {items[row] for row in np.flatnonzero(engine.bundle.pool).tolist()} - seen


# --- who asks


def test_a_known_user_gets_what_the_channels_say(engine: Engine) -> None:
    answer = engine.recall("r0", k=4)
    assert answer.user_known
    assert answer.fallback is None
    assert answer.left_out == {}
    assert len(answer.items) == 4
    assert {"b0", "b1", "b4"}.isdisjoint(answer.ids)
    assert answer.items[0].title == "Foundation and Empire"
    scores = [one.score for one in answer.items]
    assert scores == sorted(scores, reverse=True)
    assert answer.version == "bundle"
    assert answer.took_ms >= 0


def test_provenance_is_the_channels_own_rank_and_score(engine: Engine) -> None:
    bundle = engine.bundle
    query = known_queries(bundle.history, [0])
    answer = engine.recall("r0", k=12)
    for name, recaller in bundle.channels.items():
        items, scores = recaller.recall(query, 12)[0]
        fresh = [
            (bundle.items[item], float(score))
            for item, score in zip(items.tolist(), scores.tolist(), strict=True)
            if bundle.items[item] not in {"b0", "b1", "b4"}
        ]
        told = {one.item: one.channels[name] for one in answer.items if name in one.channels}
        assert {item: (place.rank, place.score) for item, place in told.items()} == {
            item: (rank, score) for rank, (item, score) in enumerate(fresh, start=1)
        }


def test_the_merged_order_is_the_fusions(engine: Engine) -> None:
    answer = engine.recall("r1", k=12)
    for one in answer.items:
        expected = sum((0.2 if name == "hot" else 1.0) / (60 + place.rank) for name, place in one.channels.items())
        assert one.score == pytest.approx(expected, rel=1e-5)


def test_an_unknown_user_with_a_history_is_folded_in(engine: Engine) -> None:
    stranger = engine.recall("nobody-yet", history=["b6", "not-a-book"], k=3)
    assert not stranger.user_known
    assert stranger.unknown == 1
    assert stranger.ids[0] == "b7"
    assert "b6" not in stranger.ids
    assert stranger.ids == engine.recall(history=[("b6", 1.0)], k=3).ids


def test_a_history_of_dislikes_says_what_was_seen_and_no_more(engine: Engine) -> None:
    answer = engine.recall(history=[("b6", 0.0)], k=12)
    assert "b6" not in answer.ids
    assert {name for one in answer.items for name in one.channels} == {"hot"}


def test_nobody_at_all_gets_what_is_popular(engine: Engine) -> None:
    for answer in (engine.recall(k=3), engine.recall("r7", k=3), engine.recall(history=[], k=3)):
        assert answer.ids == ["b0", "b6", "b4"]
        assert set(answer.items[0].channels) == {"hot"}


def test_live_history_follows_the_stored_one(engine: Engine) -> None:
    known = engine.recall("r4", k=12)
    live = engine.recall("r4", history=["b0", "b6"], k=12)
    assert "b0" in known.ids
    assert "b0" not in live.ids
    assert live.ids != [one for one in known.ids if one != "b0"]
    # b6 was in the stored history: it counts as one item with the summed weight, at its newest place.
    assert known_queries(engine.bundle.history, [4]).history.items.tolist() == [6, 7, 8]
    same = engine.recall(history=[("b7", 1.0), ("b8", 1.0), ("b0", 1.0), ("b6", 2.0)], k=12, channels=["item-cf"])
    assert engine.recall("r4", history=["b0", "b6"], k=12, channels=["item-cf"]).items == same.items


# --- how much


@pytest.mark.parametrize("k", [1, 3, 9, 12, 1000])
def test_k_is_reached_while_items_remain(engine: Engine, k: int) -> None:
    answer = engine.recall("r0", k=k)
    assert len(answer.items) == min(k, 9)
    assert len(set(answer.ids)) == len(answer.ids)
    assert answer.ids == engine.recall("r0", k=1000).ids[:k]


def test_every_eligible_item_comes_back_when_asked_for_all(skewed_engine: Engine) -> None:
    bundle = skewed_engine.bundle
    for row in (0, 17, 58):
        seen = set(bundle.items.take(known_queries(bundle.history, [row]).history.items))
        answer = skewed_engine.recall(bundle.users[row], k=10_000)
        assert set(answer.ids) == eligible(skewed_engine, seen=seen)
        assert len(answer.ids) == len(set(answer.ids))


def test_what_the_channels_lack_is_filled_and_said(engine: Engine) -> None:
    few = changed(engine, channels={"kg-neighbours": engine.bundle.channels["kg-neighbours"]})
    answer = few.recall("r6", k=12)
    assert answer.fallback == "hot"
    assert len(answer.items) == 9
    filled = [one for one in answer.items if not one.channels]
    assert filled
    assert answer.items[-len(filled) :] == tuple(filled)
    assert all(one.score == 0 for one in filled)


def test_named_channels_are_filled_only_from_nothing(engine: Engine) -> None:
    some = engine.recall("r6", k=12, channels=["kg-neighbours"])
    assert some.fallback is None
    assert 0 < len(some.items) < 9
    none = engine.recall("nobody", k=3, channels=["kg-neighbours"], explain=True)
    assert none.ids == ["b0", "b6", "b4"]
    assert none.fallback == "hot"
    assert none.items[0].explanation == "widely read lately"


def test_without_a_ranked_channel_the_history_tells_what_is_popular(tmp_path: Path) -> None:
    data = without_knowledge(skewed())
    engine = Engine.open(write(tmp_path / "b", data, fit(data, {"item-cf": RECIPES["item-cf"]})))
    answer = engine.recall(k=45)
    users = np.bincount(histories(data.interactions).items, minlength=45)
    expected = [row for row in np.lexsort((np.arange(45), -users)).tolist() if data.pool[row]]
    assert answer.ids == [f"i{row}" for row in expected]
    assert answer.fallback == "popularity"
    assert engine.recall(k=1, explain=True).items[0].explanation == "widely read"


# --- what must not come back


def test_seen_excluded_and_taken_down_items_never_come_back(skewed_engine: Engine) -> None:
    bundle = skewed_engine.bundle
    for row in range(0, 60, 7):
        seen = set(bundle.items.take(known_queries(bundle.history, [row]).history.items))
        exclude = [one for one in ("i0", "i1", "i5", "unheard-of") if one not in seen]
        for channels in (None, *([name] for name in CHANNELS)):
            answer = skewed_engine.recall(bundle.users[row], k=45, exclude=exclude, channels=channels)
            assert not seen.intersection(answer.ids)
            assert not {"i0", "i1", "i5", "i2", "i40"}.intersection(answer.ids)
            assert answer.unknown == 1


def test_taking_items_down_takes_them_out_of_every_channel(engine: Engine) -> None:
    pool = engine.bundle.pool.copy()
    pool[[5, 3]] = False
    smaller = changed(engine, pool=pool)
    for channels in (None, *([name] for name in CHANNELS)):
        assert not {"b5", "b3"}.intersection(smaller.recall("r0", k=12, channels=channels).ids)
    assert not {"b5", "b3"}.intersection(smaller.neighbours("b4", k=12).ids)


def test_only(engine: Engine) -> None:
    answer = engine.recall("r0", k=12, only=["b11", "b2", "b0", "gone"])
    assert answer.ids == ["b2", "b11"]
    empty = engine.recall("r0", k=12, only=[])
    assert empty.items == ()
    assert empty.empty_because == "the filter 'only' names no item of the pool"
    seen = engine.recall("r0", k=12, only=["b0", "b1"])
    assert seen.empty_because == "all 2 items that the filter allows were seen or excluded"


def test_only_opens_no_door_to_what_was_taken_down(skewed_engine: Engine) -> None:
    assert skewed_engine.recall(k=5, only=["i2", "i3"]).ids == ["i3"]


def test_nothing_left_is_said(engine: Engine) -> None:
    answer = engine.recall("r0", k=5, exclude=list(engine.bundle.items))
    assert answer.items == ()
    assert answer.fallback is None
    assert answer.empty_because == "all 12 items that are in the pool were seen or excluded"
    closed = changed(engine, pool=np.zeros(12, dtype=np.bool_))
    assert closed.recall("r0").empty_because == "the pool is empty: no item of this bundle may be recalled"
    assert engine.recall("r0").empty_because is None


# --- what is illegal


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"k": 0}, "k is 0; it must be a whole number of 1 or more"),
        ({"k": 2.5}, "k is 2.5; it must be a whole number"),
        ({"k": True}, "k is True; it must be a whole number"),
        ({"channels": ["itemcf"]}, "channel 'itemcf' is not among hot, user-cf, item-cf, .*; nearest: 'item-cf'"),
        ({"channels": []}, "channels is empty; name some of hot"),
        ({"channels": "hot"}, "channels is 'hot'; it must be a sequence of ids"),
        ({"history": "b0"}, "history is 'b0'; it must be a sequence of ids"),
        ({"history": [7]}, r"history holds 7 \(int\); ids are strings: '7'"),
        ({"history": [("b0", float("nan"))]}, "history gives 'b0' the weight nan; it must be a finite number"),
        ({"history": [("b0", "5")]}, "the weight '5'; it must be a finite number"),
        ({"user": 42}, r"user is 42 \(int\); ids are strings: '42'"),
        ({"exclude": "b0"}, "exclude is 'b0'; it must be a sequence of ids"),
        ({"only": 3}, "only is 3; it must be a sequence of ids"),
        ({"deadline_ms": 0}, "deadline_ms is 0; it must be above 0"),
        ({"deadline_ms": float("nan")}, "deadline_ms is nan; it must be above 0"),
    ],
)
def test_illegal_requests_get_a_sentence(engine: Engine, request_: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        engine.recall(**request_)


def test_threads_must_be_one_or_more(library_bundle: Path) -> None:
    with pytest.raises(ConfigError, match="threads is 0; it must be a whole number of 1 or more"):
        Engine.open(library_bundle, threads=0)


# --- channels that fail


@pytest.mark.parametrize("threads", [1, 3])
def test_a_broken_channel_is_left_out_and_named(engine: Engine, threads: int, caplog: pytest.LogCaptureFixture) -> None:
    broken = with_channels(engine, {"bad": Broken([0], [1.0])}, threads=threads)
    answer = broken.recall("r0", k=9)
    assert answer.left_out == {"bad": "broken: RuntimeError: no luck"}
    assert answer.items == engine.recall("r0", k=9).items
    assert "channel bad failed" in caplog.text
    broken.close()


def test_when_every_channel_is_broken_the_fallback_answers(engine: Engine) -> None:
    answer = changed(engine, channels={"bad": Broken([0], [1.0])}).recall("r0", k=3)
    assert answer.fallback == "hot"
    assert len(answer.items) == 3
    assert not {"b0", "b1", "b4"}.intersection(answer.ids)


def test_a_deadline_leaves_the_rest_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: seconds[0])
    slow = with_channels(engine, {"slow": waiting(lambda: seconds.append(seconds.pop() + 0.2))})
    answer = slow.recall("r0", k=3, deadline_ms=100)
    # One after the other: the slow one ended, the others never got their turn.
    assert answer.ids[0] == "b11"
    assert answer.left_out == dict.fromkeys(CHANNELS, "late: the deadline of 100 ms had passed")
    assert len(answer.items) == 3
    assert answer.fallback == "hot"
    assert slow.recall("r0", k=3, deadline_ms=60_000).left_out == {}


def test_side_by_side_only_the_late_one_is_left_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    slow = with_channels(engine, {"slow": waiting(answered.wait)}, threads=8)

    def all_but_one(futures: Iterable[Future[ItemLists]], timeout: float | None) -> tuple[set[Any], set[Any]]:
        """Wait as the clock would on a quiet machine: until all that can end have ended."""
        every = set(futures)
        assert timeout is not None
        assert timeout <= 0.15
        done = {future for _, future in zip(range(len(every) - 1), as_completed(every), strict=False)}
        return done, every - done

    with monkeypatch.context() as patch:
        patch.setattr("graphrec.serve.channel_threads.wait", all_but_one)
        answer = slow.recall("r0", k=9, deadline_ms=150)
    answered.set()  # the answer is here while the late channel is still at work
    assert answer.left_out == {"slow": "late: the deadline of 150 ms had passed"}
    assert answer.items == engine.recall("r0", k=9).items
    assert slow.recall("r0", k=9).items[0].item in {"b5", "b11"}
    slow.close()


def test_threads_do_not_change_the_answer(engine: Engine) -> None:
    parallel = changed(engine, threads=4)
    for user in ("r0", "r5", None):
        assert parallel.recall(user, k=12).items == engine.recall(user, k=12).items
    parallel.close()


def test_quota_fusion(engine: Engine) -> None:
    quota = changed(engine, fusion=Quota({"kg-neighbours": 2, "hot": 1}))
    answer = quota.recall("r0", k=3)
    assert len(answer.items) == 3
    assert sum("kg-neighbours" in one.channels for one in answer.items) >= 2


# --- versions


def versioned(root: Path, name: str, channels: Mapping[str, Recaller]) -> Path:
    return publish(root, lambda directory: write(directory, library(), channels, config={"name": name}))


def test_reload_takes_the_new_version_and_keeps_the_old_on_error(tmp_path: Path) -> None:
    channels = fit(library())
    first = versioned(tmp_path, "one", channels)
    engine = Engine.open(tmp_path)
    assert engine.version == first.name
    assert not engine.reload()
    second = versioned(tmp_path, "two", {"hot": channels["hot"]})
    assert engine.version == first.name
    assert engine.reload()
    assert engine.version == engine.recall("r0").version == second.name
    assert list(engine.bundle.channels) == ["hot"]
    third = versioned(tmp_path, "three", channels)
    (third / "pool.npy").write_bytes(b"broken")
    with pytest.raises(BundleError, match=r"pool\.npy is damaged"):
        engine.reload()
    assert engine.recall("r0").version == second.name


def test_a_grown_bundle_knows_the_new_users_and_items(tmp_path: Path) -> None:
    worlds = [skewed(40, 30), skewed(60, 45)]
    first, second = [(data, fit(data, {"item-cf": RECIPES["item-cf"]})) for data in worlds]
    publish(tmp_path, lambda directory: write(directory, *first))
    engine = Engine.open(tmp_path)
    assert not engine.recall("u50").user_known
    assert engine.recall(history=["i40"]).unknown == 1
    publish(tmp_path, lambda directory: write(directory, *second))
    assert engine.reload()
    assert engine.recall("u50").user_known
    assert engine.recall(history=["i40"]).unknown == 0


def test_reloading_while_threads_ask(tmp_path: Path) -> None:
    channels = fit(library())
    versioned(tmp_path, "0", channels)
    engine = Engine.open(tmp_path)
    expected = engine.recall("r0", k=5, explain=True).items
    stop, answers, errors = threading.Event(), list[Answer](), list[Exception]()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(engine.recall("r0", k=5, explain=True))
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 50)  # threads that ask would leave the reloading thread a turn in 15 ms
    try:
        for thread in threads:
            thread.start()
        for number in range(5):
            versioned(tmp_path, str(number + 1), channels)
            assert engine.reload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert errors == []
    assert all(answer.items == expected for answer in answers)
    assert len({answer.version for answer in answers}) > 1


def test_a_bundle_whose_fusion_is_unknown(tmp_path: Path) -> None:
    data = library()
    channels = fit(data, {"hot": RECIPES["hot"]})
    with pytest.raises(BundleError, match=r"cannot be written: read back, fusion kind 'magic' is unknown"):
        write(tmp_path / "a", data, channels, fusion={"kind": "magic"})
    path = write(tmp_path / "b", data, channels)
    rewrite_manifest(path, fusion={"kind": "magic"})
    with pytest.raises(BundleError, match="fusion kind 'magic' is unknown"):
        load_state(path)


# --- neighbours and similar


def test_neighbours_share_entities_weighted_by_inverse_degree(engine: Engine) -> None:
    found = engine.neighbours("b0")
    assert found.title == "Dune"
    assert found.ids == ["b1", "b2", "b3", "b4", "b5", "b10"]
    assert [one.score for one in found.items[:3]] == pytest.approx(
        [1 + 1 / 3 + 1 / 4 + 1 / 7, 1 / 3 + 1 / 4 + 1 / 7, 1 / 4 + 1 / 7]
    )
    assert [(one.relation, one.label) for one in found.items[1].shared] == [
        ("series", "Dune Chronicles"),
        ("author", "Frank Herbert"),
        ("genre", "science-fiction"),
    ]
    assert found.items[1].shared[0].entity == "http://example.org/series/0"
    assert found.items[0].explanation.startswith("Dune → followed by → Dune Messiah; same series, Dune Chronicles; ")
    assert found.items[0].explanation.endswith("; same author, Frank Herbert; 1 more")
    assert len(engine.neighbours("b0", k=2)) == 2


def test_neighbours_along_one_relation(engine: Engine) -> None:
    found = engine.neighbours("b0", "series")
    assert found.ids == ["b1", "b2"]
    assert {shared.relation for one in found.items for shared in one.shared} == {"series"}
    for name in ("followed_by", "followedBy", "http://example.org/ns#followed-by"):
        assert engine.neighbours("b0", name).ids == ["b1"]
    back = engine.neighbours("b1", "rev_followed_by")
    assert back.ids == ["b0"]
    assert back.items[0].explanation == "Dune → followed by → Dune Messiah"
    assert engine.neighbours("b11", "series").ids == []


def test_unknown_names_get_the_nearest(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="relation 'serie' is not among those of items; nearest: 'series', 'genre'; legal: author"
    ):
        engine.neighbours("b0", "serie")
    with pytest.raises(UnknownIdError, match="item 'b00' is not among the 12 known items; nearest: 'b0'"):
        engine.neighbours("b00")
    with pytest.raises(ConfigError, match="k is 0"):
        engine.neighbours("b0", k=0)
    data = without_knowledge(library())
    plain = Engine.open(write(tmp_path / "b", data, fit(data, {"hot": RECIPES["hot"]})))
    assert plain.neighbours("b0").ids == []
    with pytest.raises(DataError, match="legal: none: the bundle has no knowledge graph"):
        plain.neighbours("b0", "series")


def test_similar_asks_one_channel_about_one_item(engine: Engine) -> None:
    answer = engine.similar("b6", channel="item-cf", k=2)
    assert answer.ids == engine.recall(history=["b6"], channels=["item-cf"], k=2).ids
    with pytest.raises(UnknownIdError, match="item 'b99' is not among"):
        engine.similar("b99", channel="item-cf")


def test_answers_are_json(engine: Engine) -> None:
    answer = json.loads(json.dumps(engine.recall("r0", k=2, explain=True).to_dict()))
    assert answer["items"][0]["item"] == "b5"
    assert answer["items"][0]["channels"]["user-cf"]["rank"] == 1
    assert answer["user_known"] is True
    near = json.loads(json.dumps(engine.neighbours("b0", k=1).to_dict()))
    assert near["items"][0]["shared"][1]["label"] == "Dune Chronicles"


def test_a_state_is_all_that_a_request_reads(engine: Engine) -> None:
    assert isinstance(engine._state, State)
    assert sorted(engine._state.popular.tolist()) == list(range(12))
