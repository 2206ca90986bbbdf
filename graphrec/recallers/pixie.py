"""Recall by Pixie's random walks from a history over the graph of items, entities and users, at request time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_count
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, Paths, evidence_of, no_evidence
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, empty_lists, lists_of
from graphrec.errors import DataError
from graphrec.graph.counter_random import key_of
from graphrec.graph.pixie import PixieSteps, Visited, check_walking, walk_lists
from graphrec.graph.pixie_paths import visiting_ways
from graphrec.graph.transitions import Transitions, transitions_of
from graphrec.recallers.files import read_array, write_array
from graphrec.recallers.profile import Profile, evidence_weights, question_weights
from graphrec.recallers.taste_graph import TasteGraph, must_fit, read_walker, save_walker


@dataclass(frozen=True, slots=True, kw_only=True)
class PixieSettings:
    """How walks are taken and counted; see :func:`graphrec.graph.pixie.pixie`."""

    steps: int
    restart: float
    enough_targets: int
    enough_visits: int
    booster: bool
    degree_exponent: float
    seed: int
    relations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class PixieRecaller:
    """A graph that walks from histories visit; an answer is a function of the history, nothing is drawn anew.

    Parameters
    ----------
    graph : TasteGraph
        What is walked on.
    settings : PixieSettings
        How.
    pool : ndarray
        (n_items,) bool: items that may be recalled.
    profile : Profile
        Which items of a history count, and how much.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    ConfigError
        If a setting is out of range, or the weight of a relation is below 0 or not finite.
    DataError
        If the graph lacks a relation, or ``pool`` is of another number of items.
    """

    kind: ClassVar[str] = "pixie"

    graph: TasteGraph
    settings: PixieSettings
    pool: npt.NDArray[np.bool_]
    profile: Profile
    reason: str
    _transitions: Transitions

    def __init__(
        self,
        graph: TasteGraph,
        settings: PixieSettings,
        pool: npt.NDArray[np.bool_],
        *,
        profile: Profile | None = None,
        reason: str = "because you {verb} {source}: {path}",
    ) -> None:
        if len(pool) != graph.n_items:
            raise DataError(f"the pool is of {len(pool)} items, the graph of {graph.n_items}")
        check_walking(_steps(settings), booster=settings.booster, degree_exponent=settings.degree_exponent)
        check_count("seed", settings.seed, -(2**63), 2**64)
        values = {
            "graph": graph, "settings": settings, "pool": pool, "profile": profile or Profile(), "reason": reason,
            "_transitions": transitions_of(graph.adjacency, settings.relations),
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.graph.n_items

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the k items that walks visited most; an empty list where no item of the history has an edge.

        Items of the history that say something of taste are left out, for walks come back to where they began.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        DataError
            If a history holds a row that is no item.
        """
        weights = question_weights(queries, k, self.profile, n_items=self.n_items)
        used = weights > 0
        bounds = np.append(0, used.cumsum())[queries.history.indptr]
        history = lists_of(bounds, queries.history.items[used], weights[used].astype(np.float32))
        outside = self.n_items - int(self.pool.sum())
        table = self._walk(history, top=k + outside, booster=self.settings.booster).table
        lists = lists_of(table.indptr, table.neighbours, table.scores)
        return leave_out(lists, k, exclude=empty_lists(len(lists)), allowed=self.pool)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the history item whose walks visited it most, these visits, and one way.

        The walks are those of the request, taken again; with the booster a score is more than the sum of visits. The
        path is the shortest by which a walk from the history item came; empty where all came through users, who are
        never named, or in more than six steps.
        """
        targets, weights, used = evidence_weights(query, items, self.profile, n_items=self.n_items)
        if len(used) == 0 or len(targets) == 0:
            return no_evidence(len(targets))
        sources = query.history.items[used]
        history = lists_of(np.array([0, len(used)]), sources, weights[used].astype(np.float32))
        table, steps = self._walk(history, top=self.n_items, booster=False, apart=True)
        best, through = np.zeros(self.n_items), np.full(self.n_items, -1, np.int32)
        for source, row in zip(sources.tolist(), range(len(table)), strict=True):
            visited, visits = table[row]
            more = visited[visits > best[visited]]
            best[visited] = np.maximum(best[visited], visits)
            through[more] = source
        ways = visiting_ways(
            self._transitions, sources, steps, targets, through[targets],
            restart=self.settings.restart, key=key_of(self.settings.seed), n_named=self.graph.n_named,
        )  # fmt: skip
        return evidence_of(through[targets], best[targets], paths=Paths(*ways))

    def _walk(self, history: ItemLists, *, top: int, booster: bool, apart: bool = False) -> Visited:
        how = self.settings
        return walk_lists(
            self._transitions, history, _steps(how),
            top=top, booster=booster, degree_exponent=how.degree_exponent, seed=how.seed, targets=(0, self.n_items),
            apart=apart,
        )  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write what users took, the pool and the settings; the catalogue graph is the bundle's."""
        how = asdict(self.settings) | {"relations": dict(self.settings.relations)}
        save_walker(directory, self.kind, self.graph, how, self.profile, self.reason)
        write_array(directory, "pool", np.flatnonzero(self.pool).astype(np.int32))

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
            pool = np.zeros(graph.n_items, np.bool_)
            pool[read_array(directory, "pool", np.int32)] = True
            return cls(graph, PixieSettings(**settings), pool, profile=profile, reason=reason)


def _steps(settings: PixieSettings) -> PixieSteps:
    return PixieSteps(settings.steps, settings.restart, settings.enough_targets, settings.enough_visits)
