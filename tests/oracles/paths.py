"""Meta-paths walk by walk: every path between two items is listed, with what it gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from graphrec.contracts.recall_data import RecallData
from tests.oracles.sparse import Dense, expected_takers

Edges = dict[int, set[int]]
# (item, item) -> paths by their nodes, with what each gives.
Instances = dict[tuple[int, int], dict[tuple[int, ...], float]]


def edges_by_relation(data: RecallData) -> dict[str, Edges]:
    """Return the nodes that each relation joins, backwards by ``^``; users come after the catalogue's nodes."""
    graph = data.catalogue.adjacency
    edges: dict[str, Edges] = defaultdict(lambda: defaultdict(set))
    for node in range(graph.n_nodes):
        for edge in range(int(graph.indptr[node]), int(graph.indptr[node + 1])):
            name = graph.relation_names[graph.relations[edge]]
            written = f"^{name[4:]}" if name.startswith("rev_") else name
            edges[written][node].add(int(graph.indices[edge]))
    liked: dict[tuple[int, int], float] = defaultdict(float)
    events = data.interactions
    for user, item, weight in zip(events.users.tolist(), events.items.tolist(), events.weights.tolist(), strict=True):
        liked[user, item] += weight
    for (user, item), weight in liked.items():
        if weight > 0:
            edges["interacts"][graph.n_nodes + user].add(item)
            edges["^interacts"][item].add(graph.n_nodes + user)
    return edges


def walks(steps: list[Edges], starts: Iterator[int] | range) -> Iterator[tuple[int, ...]]:
    """Yield the nodes of every walk along ``steps``."""
    for start in starts:
        ends: list[tuple[int, ...]] = [(start,)]
        for step in steps:
            ends = [(*walk, node) for walk in ends for node in step.get(walk[-1], ())]
        yield from ends


def back(step: Edges) -> Edges:
    """Return the edges the other way round."""
    turned: Edges = defaultdict(set)
    for node, others in step.items():
        for other in others:
            turned[other].add(node)
    return turned


def segments_of(steps: list[Edges], n_items: int) -> list[list[Edges]]:
    """Return the steps, divided where only items join two of them."""
    segments = [[steps[0]]]
    for before, after in pairwise(steps):
        joints = {node for ends in before.values() for node in ends} & {node for node, ends in after.items() if ends}
        if max(joints) < n_items:
            segments.append([])
        segments[-1].append(after)
    return segments


def _probability(walk: tuple[int, ...], steps: list[Edges]) -> float:
    return float(np.prod([1 / len(step[node]) for step, node in zip(steps, walk, strict=False)]))


def _pcrw(walk: tuple[int, ...], steps: list[Edges], exponent: float) -> float:
    return float(np.prod([len(step[node]) ** -exponent for step, node in zip(steps[1:], walk[1:], strict=False)]))


def _lengths(steps: list[Edges], n_items: int) -> dict[int, float]:
    """Return the length of each item's vector of where its walks meet the other end's."""
    h, odd = len(steps) // 2, len(steps) % 2
    sums: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
    for walk in walks(steps[: h + odd], range(n_items)):
        sums[walk[0], walk[h:]] += _probability(walk, steps[: h + odd])
    squares: dict[int, float] = defaultdict(float)
    for (item, _), amount in sums.items():
        squares[item] += amount**2
    return {item: amount**0.5 for item, amount in squares.items()}


def segment_instances(steps: list[Edges], n_items: int, ends: Dense, settings: Mapping[str, Any]) -> Instances:
    """Return what each path of a segment gives, rows summing to 1."""
    score, cap, h, odd = settings["score"], settings["hub_cap"], len(steps) // 2, len(steps) % 2
    kept = [dict(step) for step in steps]
    for place in range(len(steps) - 1):
        came, goes = back(steps[place]), steps[place + 1]
        hubs = {node for node in {*came, *goes} if cap and max(len(came.get(node, ())), len(goes.get(node, ()))) > cap}
        kept[place] = {node: others - hubs for node, others in kept[place].items()}
        kept[place + 1] = {node: others for node, others in kept[place + 1].items() if node not in hubs}
    backwards = [back(step) for step in reversed(kept)]
    own: dict[int, int] = defaultdict(int)
    for walk in walks(kept, range(n_items)):
        own[walk[0]] += walk[0] == walk[-1]
    forth, home = _lengths(kept, n_items), _lengths(backwards, n_items)
    found: Instances = defaultdict(dict)
    for walk in walks(kept, range(n_items)):
        i, j = walk[0], walk[-1]
        if i == j or j >= n_items:
            continue
        if score == "pcrw":
            value = _pcrw(walk, kept, settings["degree_exponent"]) * len(backwards[0][j]) ** -settings["link_exponent"]
        elif score == "pathsim":
            value = 2 / (own[i] + own[j])
        else:
            first = _probability(walk[: h + odd + 1], kept[: h + odd])
            value = first * _probability(walk[::-1][: h + odd + 1], backwards[: h + odd]) / (forth[i] * home[j])
        if value * ends[j] > 0:
            found[i, j][walk] = value * ends[j]
    return _rows_to_one(found)


def _rows_to_one(found: Instances) -> Instances:
    sums: dict[int, float] = defaultdict(float)
    for (i, _), paths in found.items():
        sums[i] += sum(paths.values())
    return {
        (i, j): {path: value / sums[i] for path, value in paths.items()} for (i, j), paths in found.items() if paths
    }


def path_instances(data: RecallData, path: str, settings: Mapping[str, Any]) -> Instances:
    """Return what each path of a meta-path gives, rows summing to 1, of tables that keep everything."""
    edges, n = edges_by_relation(data), len(data.items)
    parts = segments_of([edges[step] for step in path.split("/")], n)
    takers: list[set[int]] = [set() for _ in range(n)]
    for user, item in zip(data.interactions.users.tolist(), data.interactions.items.tolist(), strict=True):
        takers[item].add(user)
    expected = expected_takers(np.array([float(len(users)) for users in takers]), settings["cold_popularity"])
    ends = (1.0 + expected) ** settings["popularity_exponent"]
    found: Instances = {(i, i): {(i,): 1.0} for i in range(n)}
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        more = segment_instances(part, n, ends * data.pool if last else ends, settings)
        joined: Instances = defaultdict(dict)
        for (i, m), heads in found.items():
            for (_, j), tails in ((pair, tails) for pair, tails in more.items() if pair[0] == m):
                for head, given in heads.items():
                    joined[i, j] |= {head + tail[1:]: given * value for tail, value in tails.items()}
        found = _rows_to_one({(i, j): paths for (i, j), paths in joined.items() if not last or i != j})
    return found


def summed(found: Instances, n_items: int) -> Dense:
    """Return (n_items, n_items): what all paths of a pair give."""
    table = np.zeros((n_items, n_items))
    for (i, j), paths in found.items():
        table[i, j] = sum(paths.values())
    return table
