"""DIN: the net's formula, its ONNX graph, what it learns, and how its two ways to serve relate to the whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.lists import item_lists
from graphrec.data.sequences import sequences
from graphrec.errors import BundleError, ConfigError
from graphrec.models.deep.din import DIN
from graphrec.models.deep.export_onnx import target_net
from graphrec.models.deep.target_attention import TargetAttention
from graphrec.models.deep.target_task import drawn_prefixes
from graphrec.recallers import load_recaller
from graphrec.recallers.interest_encoder import InterestEncoderRecaller
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.target_attention import TargetAttentionRecaller
from tests.graphrec.models.deep.sequence_worlds import rounds
from tests.graphrec.models.deep.test_sequence_parts import drawn_events
from tests.worlds import parts_of

SMALL = DIN(dim=16, epochs=15, lr=0.02, batch=8, dropout=0.1, last=6, interests=2, hidden=8, contrasts=8)


def drawn_net() -> TargetAttention:
    torch.manual_seed(0)
    net = TargetAttention(8, hidden=5, last=6, dropout=0.4)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(std=0.5)
    return net.eval()


def by_hand(net: TargetAttention, events: Any, candidate: Any) -> float:
    """Return the score of one candidate (dim,) after events (w, dim), an event at a time."""
    w = {name: value.detach().numpy().astype(np.float64) for name, value in net.state_dict().items()}
    logits = []
    for place, event in enumerate(events):
        both = (w["event_side.weight"] @ event) * (w["candidate_side.weight"] @ candidate)
        apart = w["by_event.weight"] @ event + w["by_event.bias"] + w["by_candidate.weight"] @ candidate
        unit = np.maximum(both + apart, 0)
        logits.append(w["activation.weight"][0] @ unit + w["by_distance"][len(events) - 1 - place])
    shares = np.exp(logits) / np.exp(logits).sum()
    mixed = sum(share * event for share, event in zip(shares, events, strict=True))
    read = (mixed - mixed.mean()) / np.sqrt(mixed.var() + 1e-5) * w["norm.weight"] + w["norm.bias"]
    hidden = np.maximum(
        w["reading.weight"] @ np.concatenate([read, candidate, read * candidate]) + w["reading.bias"], 0
    )
    return float(read @ candidate + w["scoring.weight"][0] @ hidden)


@torch.no_grad()
def test_the_net_is_its_formula_and_so_is_its_file() -> None:
    net, events = drawn_net(), drawn_events([5, 2, 1])
    candidates = torch.from_numpy(np.random.default_rng(3).normal(size=(3, 4, 8)).astype(np.float32))
    scores = net(events.vectors, events.lengths, candidates).numpy()
    for row, length in enumerate([5, 2, 1]):
        read = events.vectors[row, :length].numpy().astype(np.float64)
        expected = [by_hand(net, read, candidate) for candidate in candidates[row].numpy().astype(np.float64)]
        np.testing.assert_allclose(scores[row], expected, atol=1e-4)
    served = OnnxTower(target_net(net))
    given = {"events": events.vectors.numpy(), "lengths": events.lengths.numpy(), "candidates": candidates.numpy()}
    np.testing.assert_allclose(served(given), scores, atol=1e-4)
    first = {name: array[:1, :2] if name == "candidates" else array[:1] for name, array in given.items()}
    np.testing.assert_allclose(served(first), scores[:1, :2], atol=1e-4)


def test_prefixes_are_of_every_length_but_the_whole() -> None:
    starts, lengths = drawn_prefixes(np.array([3, 20]), np.array([2, 5]), 60, np.random.default_rng(0))
    assert starts.tolist() == [3] * 60 + [20] * 60
    assert set(lengths[:60].tolist()) == {1}
    assert set(lengths[60:].tolist()) == {1, 2, 3, 4}


@pytest.fixture(scope="module")
def fitted() -> tuple[RecallData, TargetAttentionRecaller, InterestEncoderRecaller]:
    data, context = rounds(), FitContext(seed=1)
    learnt, _ = SMALL._task(data, context).run(context)
    channel = SMALL._channel(data, learnt, context)
    tower = replace(SMALL, serve="interests")._channel(data, learnt, context)
    assert isinstance(channel, TargetAttentionRecaller)
    assert type(tower) is InterestEncoderRecaller
    return data, channel, tower


Fitted = tuple[RecallData, TargetAttentionRecaller, InterestEncoderRecaller]


def test_the_net_and_the_tower_that_learnt_from_it_put_what_comes_next_first(fitted: Fitted) -> None:
    _, channel, tower = fitted
    first = np.arange(12)
    taken = item_lists([[start, (start + 1) % 12, (start + 2) % 12] for start in range(12)])
    queries, all_allowed = Queries(np.full(12, -1), taken), np.ones(12, dtype=np.bool_)
    for recaller in (channel, tower):
        answer = recaller.recall_allowed(queries, 1, exclude=taken, allowed=all_allowed)
        assert (answer.items == (first + 3) % 12).mean() > 0.8


def test_with_all_items_as_candidates_the_list_is_the_ranking_by_the_net(fitted: Fitted) -> None:
    data, channel, tower = fitted
    queries = Queries(np.arange(40), sequences(data.interactions))
    whole = replace(channel, candidates=12).recall(queries, 5)
    few = replace(channel, candidates=5).recall(queries, 5)
    named = tower.recall(queries, 5)
    for user in range(0, 40, 3):
        history = queries.events.items[queries.events.indptr[user] : queries.events.indptr[user + 1]][-6:]
        given: dict[str, Any] = {
            "events": channel.sources[history][None], "lengths": np.array([len(history)]),
            "candidates": channel.targets[None],
        }  # fmt: skip
        scores = channel.net(given)[0]
        np.testing.assert_allclose(whole[user][1], np.sort(scores)[::-1][:5], atol=1e-4)
        assert set(few[user][0].tolist()) == set(named[user][0].tolist())
        np.testing.assert_allclose(few[user][1], np.sort(scores[named[user][0]])[::-1], atol=1e-4)


def test_evidence_is_the_event_that_alone_would_score_an_item_highest(fitted: Fitted) -> None:
    _, channel, _ = fitted
    query, items = Queries([-1], item_lists([[2, 7, 4]])), np.arange(12, dtype=np.int32)
    alone = []
    for event in (2, 7, 4):
        given: dict[str, Any] = {"events": channel.sources[[[event]]], "lengths": np.ones(1, np.int64),
                 "candidates": channel.targets[None]}  # fmt: skip
        alone.append(channel.net(given)[0])
    expected = np.array([2, 7, 4])[np.argmax(alone, axis=0)]
    assert channel.evidence(query, items).sources.tolist() == expected.tolist()


def test_many_queries_are_scored_in_parts(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    data, channel, _ = fitted
    queries = Queries(np.arange(40), sequences(data.interactions))
    whole = channel.recall(queries, 4)
    monkeypatch.setattr("graphrec.recallers.target_attention._PAIRS", 6 * 12 * 7)
    again = channel.recall(queries, 4)
    np.testing.assert_array_equal(again.items, whole.items)
    np.testing.assert_allclose(again.scores, whole.scores, atol=1e-5)


def test_a_net_of_another_width_and_candidates_below_one_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    data, channel, _ = fitted
    with pytest.raises(ConfigError, match="candidates is 0; it must be 1 or more"):
        replace(channel, candidates=0)
    channel.save(tmp_path)
    (tmp_path / "net.onnx").write_bytes(target_net(drawn_net()))
    with pytest.raises(BundleError, match=r"net\.onnx cannot be run on its inputs"):
        load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
    (tmp_path / "net.onnx").write_bytes(channel.net.content)
    path = tmp_path / "recaller.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**settings, "candidates": 0}), encoding="utf-8")
    with pytest.raises(BundleError, match="has 0 candidates"):
        load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
