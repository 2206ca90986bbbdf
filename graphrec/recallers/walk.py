"""Recall by spreading the mass of a history over the graph of items, entities and users at request time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_at_least, check_count, check_finite, check_length
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, Paths, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.graph.propagation import propagate, step_weights
from graphrec.graph.propagation_paths import best_walks
from graphrec.recallers.files import read_array, write_array
from graphrec.recallers.profile import Profile, evidence_weights, question_weights
from graphrec.recallers.taste_graph import TasteGraph, must_fit, read_walker, save_walker

# Every hop multiplies what a request costs; farther than this everything is reached.
MOST_HOPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkSettings:
    """How mass spreads; see :mod:`graphrec.graph.propagation`.

    Parameters
    ----------
    hops : int
        Steps from the history, up to 8.
    width : int
        Nodes kept of each hop.
    decay : float
        What each hop counts of the one before.
    degree_exponent : float
        How much of its mass a node of many edges keeps back: 1 shares it out, 0 gives it to each.
    hub_cap : int
        Nodes with more edges of one relation are not walked through by it; 0 walks through all.
    relations : mapping of str to float
        Weight of each relation; 1 where it is not named.
    """

    hops: int
    width: int
    decay: float
    degree_exponent: float
    hub_cap: int
    relations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class WalkRecaller:
    """A graph that histories are spread over, hop by hop; nothing is computed before a request.

    Parameters
    ----------
    graph : TasteGraph
        What is walked on.
    settings : WalkSettings
        How.
    ends : ndarray
        (n_items,) float32 >= 0: what an item's mass is multiplied by; items of 0 are not recalled.
    profile : Profile
        Which items of a history count, and how much.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    ConfigError
        If a setting is out of range, or the weight of a relation is below 0 or not finite.
    DataError
        If the graph lacks a relation, or ``ends`` is of another number of items or not finite.
    """

    kind: ClassVar[str] = "walk"

    graph: TasteGraph
    settings: WalkSettings
    ends: npt.NDArray[np.float32]
    profile: Profile
    reason: str
    _steps: npt.NDArray[np.float32]

    def __init__(
        self,
        graph: TasteGraph,
        settings: WalkSettings,
        ends: npt.ArrayLike,
        *,
        profile: Profile | None = None,
        reason: str = "because you {verb} {source}: {path}",
    ) -> None:
        factors = as_array(ends, np.float32, name="ends")
        check_length(factors, graph.n_items, name="ends")
        check_finite(factors, name="ends")
        check_count("hops", settings.hops, 1, MOST_HOPS)
        check_count("width", settings.width, 1)
        check_count("hub_cap", settings.hub_cap, 0)
        check_at_least("decay", settings.decay, 0)
        check_at_least("degree_exponent", settings.degree_exponent, 0)
        steps = step_weights(
            graph.adjacency, settings.relations, exponent=settings.degree_exponent, hub_cap=settings.hub_cap
        )
        values = {
            "graph": graph, "settings": settings, "ends": factors, "profile": profile or Profile(), "reason": reason,
            "_steps": steps,
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.graph.n_items

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the k items of the largest score of each query; an empty list where the history leads nowhere.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        DataError
            If a history holds a row that is no item.
        """
        weights = question_weights(queries, k, self.profile, n_items=self.n_items)
        history = lists_of(queries.history.indptr, queries.history.items, weights.astype(np.float32))
        how = self.settings
        return lists_of(
            *propagate(
                self.graph.adjacency, self._steps, history, k,
                hops=how.hops, width=how.width, decay=how.decay, ends=self.ends.astype(np.float64),
            )
        )  # fmt: skip

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the single walk that gave it most: where it began, its nodes, its part.

        Walks through users are never named: where others lead to the item, the best of those is returned; else its path
        is empty. Time that of the request once more.
        """
        targets, weights, used = evidence_weights(query, items, self.profile, n_items=self.n_items)
        if len(used) == 0 or len(targets) == 0:
            return no_evidence(len(targets))
        how = self.settings
        sources, contributions, walks = best_walks(
            self.graph.adjacency, self._steps, query.history.items[used], weights[used].astype(np.float32), targets,
            n_named=self.graph.n_named, hops=how.hops, width=how.width, decay=how.decay,
            ends=self.ends.astype(np.float64),
        )  # fmt: skip
        lengths = np.array([len(nodes) for nodes, _ in walks], dtype=np.int64)
        relations = [np.append(np.int16(-1), steps) for nodes, steps in walks if len(nodes)]
        paths = Paths(
            indptr_of(lengths),
            np.concatenate([nodes for nodes, _ in walks]).astype(np.int32),
            np.concatenate([np.empty(0, np.int16), *relations]).astype(np.int16),
        )
        return evidence_of(sources, contributions, paths=paths)

    def save(self, directory: Path) -> None:
        """Write what users took, the ends and the settings; the catalogue graph is the bundle's."""
        how = asdict(self.settings) | {"relations": dict(self.settings.relations)}
        save_walker(directory, self.kind, self.graph, how, self.profile, self.reason)
        write_array(directory, "ends", self.ends)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or it was made for other items or another graph.
        """
        with must_fit(directory):
            graph, settings, profile, reason = read_walker(directory, cls.kind, parts)
            ends = read_array(directory, "ends", np.float32)
            return cls(graph, WalkSettings(**settings), ends, profile=profile, reason=reason)
