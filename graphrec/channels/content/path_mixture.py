"""The channel of a weighted sum of path tables, whose weights are settings or learned on held-out users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from graphrec.channels.content.path_weights import Doubles, learn_path_weights
from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.contracts.choosing import ChosenFit
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.settings import flag, number
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.path_parts import path_parts
from graphrec.graph.path_scores import mix
from graphrec.graph.path_tables import PathTable, rows_to_one
from graphrec.graph.paths import MetaPath, Steps, path_graph
from graphrec.graph.relations import parse_path
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.path_neighbours import PathNeighbourRecaller
from graphrec.recallers.profile import Profile
from graphrec.sparse.taste import liked_pairs

# Digits of a learned weight: what is printed makes the same channel again.
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureSettings(HistorySettings):
    """What every channel that weighs path tables has besides: whether the weights are learned.

    Parameters
    ----------
    learn_weights : bool, default True
        Learn the weights where users are held out, in place of those that are given.
    sparsity : float, default 0.001
        Weight of the penalty on the weights; larger leaves fewer paths.
    """

    weighed: ClassVar[str]

    learn_weights: bool = flag(True)
    sparsity: float = number(0.001)
    weight_exponent: float = history_weight_exponent(searched=False)

    @property
    def chooses(self) -> bool:
        """Whether the weights are to be learned."""
        return self.learn_weights

    def choose(self, data: RecallData, context: FitContext) -> ChosenFit:
        """Learn the weights of the paths on the users held out of ``data``; see :mod:`graphrec.contracts.choosing`.

        Raises
        ------
        ConfigError
            If the context holds nobody out.
        DataError
            As the fit.
        """
        if context.validation is None:
            raise ConfigError(
                f"the weights of {self.weighed} are learned on held-out users, and the context has none; give it "
                "FitContext(validation=panel, objective=…), or set learn_weights = false"
            )
        paths, tables = self._tables(data, context)
        learned = learn_path_weights(
            tables, context.validation, self.profile(), sparsity=self.sparsity, seed=context.seed
        )
        recipe = self._learned(as_setting(paths, learned))
        return ChosenFit(recipe, recipe._mixed(data, paths, tables))

    def _tables(self, data: RecallData, context: FitContext) -> tuple[list[MetaPath], list[PathTable]]:
        """Return the paths, and the table of each."""
        raise NotImplementedError

    def _learned(self, weights: Mapping[str, float]) -> Self:
        """Return the recipe with these weights of its paths, which learns no others."""
        raise NotImplementedError

    def _mixed(self, data: RecallData, paths: list[MetaPath], tables: list[PathTable]) -> PathNeighbourRecaller:
        """Return the channel of the weighted sum of all tables."""
        raise NotImplementedError


def path_steps(data: RecallData) -> Steps:
    """Return the relations of the catalogue graph and of what users liked."""
    return Steps(path_graph(data.catalogue, liked_pairs(data.interactions)), data.catalogue.n_items)


def as_setting(paths: Sequence[MetaPath], weights: Doubles) -> dict[str, float]:
    """Return the weights above 0 by path, the greatest first."""
    return {
        path.text: float(f"{weight:.{_DIGITS}g}")
        for path, weight in sorted(zip(paths, weights, strict=True), key=lambda pair: (-pair[1], pair[0].text))
        if weight > 0
    }


def path_mixture(
    catalogue: CatalogueGraph,
    paths: Sequence[MetaPath],
    tables: Sequence[PathTable],
    weights: Mapping[str, float],
    *,
    k: int,
    profile: Profile,
) -> PathNeighbourRecaller:
    """Return the channel of the k best of each row of the sum of all tables.

    ``weights`` are those of ``paths`` by their text, 0 of a path that is not named; empty weighs all alike.
    """
    worth = {path.text: weights.get(path.text, 0.0) if weights else 1.0 for path in paths}
    kept = [place for place, path in enumerate(paths) if worth[path.text] > 0]
    named = [not paths[place].through_users for place in kept]
    chosen, amounts = [tables[place] for place in kept], [worth[paths[place].text] for place in kept]
    mixed = mix(chosen, amounts, named, k)
    table = mixed.table
    votes = rows_to_one(table)
    neighbours = NeighbourRecaller(
        [NeighbourTable(votes.indptr, votes.columns, votes.scores, n_columns=votes.n_columns)],
        profile=profile,
        reason="because you {verb} {source}: {path}",
    )
    shown = np.flatnonzero(named)
    numbers = np.full(len(kept) + 1, -1, dtype=np.int16)  # the last is that of entries without a path
    numbers[shown] = np.arange(len(shown))
    shares = np.minimum(table.best / table.scores, 1.0)
    metapaths = [parse_path(paths[kept[place]].text) for place in shown]
    parts = path_parts(chosen, amounts, numbers[:-1].tolist(), table)
    return PathNeighbourRecaller(neighbours, catalogue, metapaths, numbers[mixed.numbers], mixed.nodes, shares, parts)
