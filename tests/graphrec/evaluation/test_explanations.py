"""Figures of explanation paths, beside pandas as hopwise has them; channels that are faithful and some that are not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Evidence
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import DataError
from graphrec.evaluation.explanations import entity_levels, explanation_quality, levels
from tests.worlds import library, skewed


def moving_average(values: list[float]) -> npt.NDArray[np.float64]:
    """hopwise's ``normalized_ema``."""
    if max(values) == min(values):
        values = list(range(len(values)))
    average = pd.Series(values).ewm(span=len(values)).mean()
    stretched: npt.NDArray[np.float64] = ((average - average.min()) / (average.max() - average.min())).to_numpy()
    return stretched


@pytest.mark.parametrize("values", [[1, 1], [3, 3, 3, 3], [1, 2, 2, 9], [0.5, 0.7, 11.0], [1.7e9, 1.7e9 + 5, 1.8e9]])
def test_levels_are_those_of_pandas(values: list[float]) -> None:
    np.testing.assert_allclose(levels(values), moving_average(values), atol=1e-9)


def test_a_single_value_is_at_the_bottom() -> None:
    assert levels([5.0]).tolist() == [0.0]
    assert levels([]).tolist() == []


def by_hand(
    paths: list[tuple[int, list[int], list[int]]], recency: dict[tuple[int, int], float], popularity: Any
) -> Any:
    """The figures of (user, nodes, relations) as hopwise sums them up, a path after the other."""
    users: dict[int, list[tuple[int, int, int]]] = {}
    for user, nodes, relations in paths:
        users.setdefault(user, []).append((nodes[0], nodes[-2], relations[-1]))
    n_types = len({kind for own in users.values() for *_, kind in own})
    lid, sed, etd, ptc = ([] for _ in range(4))
    for own in users.values():
        n, kinds = len(own), [kind for *_, kind in own]
        lid.append(len({link for link, *_ in own}) / n)
        sed.append(len({entity for _, entity, _ in own}) / n)
        etd.append(len(set(kinds)) / min(n, n_types))
        alike = sum(kinds.count(kind) * (kinds.count(kind) - 1) for kind in set(kinds))
        ptc.append(1 - alike / (n * (n - 1)) if n > 1 else 0)
    lir = np.mean([recency[user, nodes[0]] for user, nodes, _ in paths])
    sep = np.mean([popularity[nodes[-2]] for _, nodes, _ in paths])
    return lir, sep, np.mean(lid), np.mean(sed), np.mean(etd), np.mean(ptc)


@pytest.mark.parametrize("timed", [True, False])
def test_figures_are_those_of_adding_up(timed: bool) -> None:
    data = library()
    channel, history = KgNeighbours(half_life=2.0).fit(data), histories(data.interactions)
    queries = known_queries(history, np.arange(8))
    lists = channel.recall(queries, 5)
    rng = np.random.default_rng(3)
    times = [rng.permutation(100 + 7 * np.arange(len(items))) for items, _ in history]
    quality = explanation_quality(channel, queries, lists, data.catalogue, times=times if timed else None)
    paths: list[tuple[int, list[int], list[int]]] = []
    recency: dict[tuple[int, int], float] = {}
    for user in range(8):
        own = history[user][0].tolist()
        when = sorted(times[user].tolist()) if timed else list(range(len(own)))
        order = np.argsort(times[user]) if timed else np.arange(len(own))
        values = moving_average(when) if len(own) > 1 else np.zeros(len(own))
        recency |= {(user, own[place]): value for place, value in zip(order.tolist(), values.tolist(), strict=True)}
        evidence = channel.evidence(Queries([user], item_lists([history[user][0]])), lists[user][0])
        for place in range(len(lists[user][0])):
            nodes, relations = evidence.paths[place]
            paths += [(user, nodes.tolist(), relations.tolist())]
    expected = by_hand(paths, recency, entity_levels(data.catalogue))
    assert (quality.lir, quality.sep, quality.lid, quality.sed, quality.etd, quality.ptc) == pytest.approx(expected)
    assert quality.n_paths == quality.n_items == len(lists.items)
    assert quality.explained == quality.fidelity == 1.0


HOPWISE = {"LIR": "lir", "SEP": "sep", "LID": "lid", "SED": "sed", "PTD": "etd", "PTC": "ptc", "Fidelity": "explained"}


@pytest.mark.parametrize("world", [library, skewed])
def test_figures_are_those_of_hopwise(world: Callable[[], RecallData]) -> None:
    """hopwise's own metrics over the same paths; its ``Fidelity`` is the share of the list that has a path."""
    reason = "no hopwise: pip install --no-deps hopwise texttable colorama colorlog thop (it pins protobuf 3.20)"
    metrics = pytest.importorskip("hopwise.evaluator.metrics", reason=reason)
    data = world()
    graph, channel, history = data.catalogue.adjacency, KgNeighbours().fit(data), histories(data.interactions)
    users = np.flatnonzero(history.lengths > 1)[::3]
    queries, rng = known_queries(history, users), np.random.default_rng(5)
    lists = channel.recall(queries, 5)
    when = np.zeros((len(users), data.catalogue.n_items), dtype=np.int64)
    times, paths = [], []
    for row, user in enumerate(users.tolist()):
        own = history[user][0]
        times.append(1_700_000_000 + rng.permutation(100 * len(own))[: len(own)])
        when[row, own] = times[row]
        items = lists[row][0]
        evidence = channel.evidence(Queries([user], item_lists([own])), items)
        for place, item in enumerate(items.tolist()):
            nodes, relations = evidence.paths[place]
            kinds = np.searchsorted(graph.type_offsets, nodes, side="right") - 1
            names = [str(kind) if kind else "item" for kind in kinds.tolist()]
            steps = zip(["liked", *relations.tolist()], names, nodes.tolist(), strict=True)
            paths += [(row, item, 1.0, [("self_loop", "user", row), *steps])] if len(relations) else []
    bounds = graph.type_offsets.tolist()
    degrees = {  # hopwise looks for the degrees of items under "entity"
        str(kind) if kind else "entity": dict(enumerate(graph.degrees[start:stop].tolist(), start))
        for kind, (start, stop) in enumerate(itertools.pairwise(bounds))
    }
    given = {
        "rec.paths": paths,
        "data.timestamp": when,
        "data.num_items": data.catalogue.n_items,
        "data.node_degree": degrees,
        "data.max_path_type": list({path[-1][0] for *_, path in paths}),
    }
    quality = explanation_quality(channel, queries, lists, data.catalogue, times=times)
    settings = {"topk": [5], "metric_decimal_place": 10}
    for name, ours in HOPWISE.items():
        (theirs,) = getattr(metrics, name)(settings).calculate_metric(given).values()
        assert getattr(quality, ours) == pytest.approx(theirs, abs=1e-6), name


def test_levels_of_entities_are_by_type() -> None:
    catalogue = library().catalogue
    graph, popularity = catalogue.adjacency, entity_levels(catalogue)
    for start, stop in zip(graph.type_offsets[:-1], graph.type_offsets[1:], strict=True):
        ranked = popularity[start:stop][np.argsort(graph.degrees[start:stop], kind="stable")]
        assert (ranked[0], ranked[-1]) == (0.0, 1.0)
        assert (np.diff(ranked) >= 0).all()


class Changed:
    """A channel whose evidence is changed on its way out."""

    def __init__(self, channel: Any, change: Any) -> None:
        self._channel, self._change = channel, change

    def recall(self, queries: Queries, k: int) -> Any:
        return self._channel.recall(queries, k)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        changed: Evidence = self._change(self._channel, query, items)
        return changed


def test_paths_that_were_not_used_are_counted() -> None:
    """A path from an item of no weight, and contributions beyond the score, are no reasons."""
    data = library()
    channel, history = KgNeighbours().fit(data), item_lists([[0, 4], [6, 7]], [[1.0, 0.0], [1.0, 1.0]])
    queries = Queries([-1, -1], history)
    lists = channel.recall(queries, 4)
    assert explanation_quality(channel, queries, lists, data.catalogue).fidelity == 1.0

    def of_the_weightless(own: Any, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        only = query.history.items[1:]
        evidence: Evidence = own.evidence(Queries([-1], item_lists([only])), items)
        return evidence

    def too_much(own: Any, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        evidence: Evidence = own.evidence(query, items)
        return replace(evidence, contributions=evidence.contributions + 100)

    false: Any = Changed(channel, of_the_weightless)
    first = take(queries, lists, 0)
    assert explanation_quality(false, *first, data.catalogue).fidelity == 0.0
    boasting: Any = Changed(channel, too_much)
    assert explanation_quality(boasting, queries, lists, data.catalogue).fidelity == 0.0


def take(queries: Queries, lists: Any, place: int) -> tuple[Queries, Any]:
    items, scores = queries.history[place]
    return Queries([-1], item_lists([items], [scores])), item_lists([lists[place][0]], [lists[place][1]])


def test_all_paths_of_the_kg_channel_are_faithful() -> None:
    data = skewed()
    channel, history = KgNeighbours(half_life=5.0).fit(data), histories(data.interactions)
    queries = known_queries(history, np.arange(0, len(data.users), 3))
    lists = channel.recall(queries, 10)
    quality = explanation_quality(channel, queries, lists, data.catalogue)
    assert quality.fidelity == 1.0
    assert 0 < quality.n_paths <= quality.n_items


def test_nothing_shown_has_no_figures() -> None:
    data = library()
    channel = KgNeighbours().fit(data)
    quality = explanation_quality(channel, Queries([-1], item_lists([[]])), item_lists([[]]), data.catalogue)
    assert (quality.n_paths, quality.n_items) == (0, 0)
    assert np.isnan([quality.lir, quality.fidelity, quality.explained]).all()


def test_numbers_that_do_not_fit_are_refused() -> None:
    data = library()
    channel = KgNeighbours().fit(data)
    with pytest.raises(DataError, match="there are 1 queries, 2 lists"):
        explanation_quality(channel, Queries([-1], item_lists([[0]])), item_lists([[1], [2]]), data.catalogue)
