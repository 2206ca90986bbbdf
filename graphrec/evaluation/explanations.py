r"""How good the reasons of a list are: the field's figures of paths [1]_ [2]_, and whether the channel used them.

A shown path leads from an item of the history, the *linking interaction*, over the node before the last, the *shared
entity*, to the item that it speaks for; its *type* is its last relation.

============ ===========================================================================================================
figure       over the shown paths
============ ===========================================================================================================
``lir``      how recent their linking interactions are, 0 to 1: the mean of :func:`levels` of the history's times
``sep``      how popular their shared entities are, 0 to 1: the mean of :func:`levels` of the degrees of a type of node
``lid``      distinct linking interactions by paths, the mean over users
``sed``      distinct shared entities by paths, the mean over users
``etd``      distinct types by the most that there could be, the mean over users
``ptc``      the chance that two paths of a user are of different types (Simpson), the mean over users
``explained`` the share of the items that have a path
``fidelity`` the share of the paths that the channel used: see :func:`explanation_quality`
============ ===========================================================================================================

References
----------
.. [1] Balloccu, Boratto, Fenu, Marras, "Post processing recommender systems with knowledge graphs for recency,
   popularity and diversity of explanations", SIGIR 2022 (lir, sep, etd).
.. [2] The same, "Reinforcement recommendation reasoning through knowledge graphs for explanation path quality",
   Knowledge-Based Systems 260, 2023 (lid, sed, ptc). As in the package hopwise, whose ``PTD`` is ``etd``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_late
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import Evidence, Recaller
from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers.evidence import check_evidence

Rows = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]
# A contribution may exceed the score by what float32 rounds.
_ROUNDED = 1 + 1e-4


@dataclass(frozen=True, slots=True)
class ExplanationQuality:
    """The figures of the module; nan where no path was shown. ``n_paths`` of ``n_items`` items had a path."""

    lir: float
    sep: float
    lid: float
    sed: float
    etd: float
    ptc: float
    explained: float
    fidelity: float
    n_paths: int
    n_items: int


def levels(values: npt.ArrayLike) -> FloatArray:
    r"""Return the moving average of ascending ``values`` (n,), stretched from 0 to 1; their order where all are equal.

    .. math:: y_t = \frac{\sum_{i \le t} (1 - a)^{t - i} x_i}{\sum_{i \le t} (1 - a)^{t - i}},
              \qquad a = \frac{2}{n + 1}

    A single value is at 0.
    """
    given = np.asarray(values, dtype=np.float64)
    n = len(given)
    if n < 2:
        return np.zeros(n)
    given = np.arange(n, dtype=np.float64) if given[0] == given[-1] else given - given[0]
    kept, total, weight = 1 - 2 / (n + 1), 0.0, 0.0
    averages = np.empty(n)
    for place, value in enumerate(given.tolist()):
        total, weight = value + kept * total, 1 + kept * weight
        averages[place] = total / weight
    least, most = averages.min(), averages.max()
    stretched: FloatArray = (averages - least) / (most - least)
    return stretched


def entity_levels(catalogue: CatalogueGraph) -> FloatArray:
    """Return how popular each node is among those of its type, (n_nodes,) from 0 to 1, by its degree."""
    graph = catalogue.adjacency
    popularity = np.empty(graph.n_nodes)
    for start, stop in zip(graph.type_offsets[:-1].tolist(), graph.type_offsets[1:].tolist(), strict=True):
        order = start + np.argsort(graph.degrees[start:stop], kind="stable")
        popularity[order] = levels(graph.degrees[order])
    return popularity


@typed_late
def explanation_quality(
    channel: Recaller,
    queries: Queries,
    lists: ItemLists,
    catalogue: CatalogueGraph,
    *,
    times: Sequence[npt.ArrayLike] | None = None,
) -> ExplanationQuality:
    """Return the figures of the paths that a channel gives for what it recalled.

    Fidelity is tested from outside: a path counts as used if it leads over edges of the catalogue from a history item
    to the item (:func:`graphrec.recallers.evidence.check_evidence`), its contribution is above 0 and no more than the
    item's score, and the item scores lower, or is not recalled, once its linking interaction weighs nothing.

    Parameters
    ----------
    channel : Recaller
        Whose reasons.
    queries : Queries
        n of them.
    lists : ItemLists
        n lists that the channel answered.
    catalogue : CatalogueGraph
        The graph that paths go through.
    times : sequence of array-like or None
        n arrays: when each item of a history was taken, as long as the history. None goes by the order of the history.

    Raises
    ------
    DataError
        If the numbers of queries, lists and times differ, or the channel's evidence cannot be used.

    Notes
    -----
    Each path asks the channel once more, for all items.
    """
    if len(lists) != len(queries) or (times is not None and len(times) != len(queries)):
        raise DataError(
            f"there are {len(queries)} queries, {len(lists)} lists and {len(times or lists)} times; one each"
        )
    popularity, users, used = entity_levels(catalogue), [], 0
    for entry in range(len(queries)):
        query = take_queries(queries, np.array([entry]))
        items, scores = lists[entry]
        evidence = channel.evidence(query, items)
        check_evidence(evidence, items, catalogue, n_via=None)
        when = None if times is None else np.asarray(times[entry])
        shown = _shown(evidence, query, when, popularity)
        users.append(shown)
        used += _n_used(channel, query, evidence, shown, (items, scores), catalogue.n_items)
    return _figures(users, used, n_items=len(lists.items))


@dataclass(frozen=True, slots=True)
class _Shown:
    """The paths of one user: their places in the list, linking items, their recency, entities, their levels, types."""

    places: list[int]
    links: list[int]
    recency: list[float]
    entities: list[int]
    popularity: list[float]
    types: list[int]


def _shown(evidence: Evidence, query: Queries, when: npt.NDArray[np.generic] | None, popularity: FloatArray) -> _Shown:
    """Return the paths of the evidence for one user."""
    history = query.history.items
    order = np.arange(len(history)) if when is None else np.argsort(when, kind="stable")
    level = np.empty(len(history))
    level[order] = levels(order if when is None else when[order].astype(np.float64))
    newest = dict(zip(history[order].tolist(), level[order].tolist(), strict=True))
    shown = _Shown([], [], [], [], [], [])
    for place in range(len(evidence.sources)):
        nodes, relations = evidence.paths[place]
        if len(relations):
            shown.places.append(place)
            shown.links.append(int(nodes[0]))
            shown.recency.append(newest.get(int(nodes[0]), 0.0))
            shown.entities.append(int(nodes[-2]))
            shown.popularity.append(float(popularity[nodes[-2]]))
            shown.types.append(int(relations[-1]))
    return shown


def _n_used(
    channel: Recaller,
    query: Queries,
    evidence: Evidence,
    shown: _Shown,
    answer: tuple[Rows, npt.NDArray[np.floating]],
    n_items: int,
) -> int:
    """Return how many of the shown paths the channel used."""
    history, (items, scores) = query.history, answer
    weights = np.tile(history.scores, (len(shown.places), 1))
    weights[np.array(shown.links, dtype=np.int32)[:, None] == history.items[None, :]] = 0
    without = item_lists([history.items] * len(weights), list(weights))
    rest = channel.recall(Queries(np.repeat(query.users, len(weights)), without), n_items)
    used = 0
    for place, link, (others, values) in zip(shown.places, shown.links, rest, strict=True):
        given, score = float(evidence.contributions[place]), float(scores[place])
        left = values[others == items[place]]
        falls = not len(left) or float(left[0]) < score
        used += bool(link in history.items and 0 < given <= score * _ROUNDED and falls)
    return used


def _figures(users: Sequence[_Shown], used: int, *, n_items: int) -> ExplanationQuality:
    """Return the means over all paths, and over the users with a path."""
    n_types = len({number for user in users for number in user.types})
    some = [user for user in users if user.places]
    n_paths = sum(len(user.places) for user in some)

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else float("nan")

    return ExplanationQuality(
        lir=mean([value for user in some for value in user.recency]),
        sep=mean([value for user in some for value in user.popularity]),
        lid=mean([len(set(user.links)) / len(user.links) for user in some]),
        sed=mean([len(set(user.entities)) / len(user.entities) for user in some]),
        etd=mean([len(set(user.types)) / min(len(user.types), n_types) for user in some]),
        ptc=mean([_simpson(user.types) for user in some]),
        explained=n_paths / n_items if n_items else float("nan"),
        fidelity=used / n_paths if n_paths else float("nan"),
        n_paths=n_paths,
        n_items=n_items,
    )


def _simpson(types: Sequence[int]) -> float:
    """Return the chance that two of the paths are of different types; 0 for a single path."""
    n = len(types)
    alike = sum(count * (count - 1) for count in np.unique(types, return_counts=True)[1].tolist())
    return 1 - alike / (n * (n - 1)) if n > 1 else 0.0
