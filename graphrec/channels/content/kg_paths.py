"""KG paths: items that typed paths through the knowledge graph lead to, each kind of path with a weight of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from graphrec.channels.content.path_mixture import MixtureSettings, path_mixture, path_steps
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number, weights
from graphrec.errors import ConfigError, DataError
from graphrec.graph.path_mining import mine_paths
from graphrec.graph.path_scores import PathScore, PathScoring, PathTables
from graphrec.graph.path_tables import PathTable
from graphrec.graph.paths import MetaPath, Steps
from graphrec.graph.relations import parse_path
from graphrec.recallers.path_neighbours import PathNeighbourRecaller
from graphrec.sparse.taste import expected_popularity, liked_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class KgPaths(MixtureSettings):
    r"""The k items nearest to each item along typed paths, weighted by what each kind of path is worth.

    .. math:: S_{ij} = \sum_P \theta_P\, T_P(i, j), \qquad \sum_j T_P(i, j) = 1

    with :math:`T_P` the k items to which the meta-path P leads best, by one of three scores
    (:mod:`graphrec.graph.path_scores`). A path is given by hand (``"author/^author"``, also over entities of entities,
    and through users: ``"^interacts/interacts"``) or mined: those that join items liked by one user oftener than chance
    (:mod:`graphrec.graph.path_mining`), or, where no such path is found, ``r/^r`` of every relation r of items. Their
    weights are learned on held-out users, and many are 0 (:mod:`graphrec.channels.content.path_weights`).

    A user is served by his history, known or live; without history the list is empty. Cold items need no events: paths
    through entities reach them, and start at them.

    Parameters
    ----------
    k : int, default 300
        Neighbours kept an item, of each path and of their sum; >= 1.
    paths : mapping of str to float, default mined
        Weight of each meta-path, of 0 or more; paths of weight 0 are left out. Empty mines them, with equal weights.
    learn_weights : bool, default True
        Learn the weights of the paths where users are held out, in place of those of ``paths``. What was learned is a
        value of ``paths``, with ``learn_weights`` false.
    score : {"pcrw", "pathsim", "hetesim"}
        Probability of a walk, balanced count of paths, or cosine of where walks from both ends meet. Mined paths that
        do not read the same backwards are left out for "pathsim".
    degree_exponent : float, default 0.5
        Of "pcrw": power of the degree of a node that is walked through; 1 is the probability of a random walk.
    link_exponent : float, default 0.5
        Of "pcrw": how much an item's own number of links is divided out.
    popularity_exponent : float, default 0.4
        Power of the popularity of the item that is reached.
    cold_popularity : float, default 0.5
        Popularity of an item without events, in parts of the mean of the others.
    hub_cap : int, default 1000
        Entities and users with more edges of a relation than this are not walked through; 0 walks through all.
    width : int, default 1000
        Nodes kept of each item's walk inside a path, best first; it bounds time and memory.
    max_length : int, default 4
        Most steps of a mined path.
    n_paths : int, default 24
        Paths mined at most.
    through_users : bool, default True
        Whether mined paths may lead through users: such paths count, but are never shown.
    sparsity : float, default 0.001
        Weight of the penalty on the paths' weights; larger leaves fewer paths.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or a meta-path cannot be read.
    """

    weighed: ClassVar[str] = "meta-paths"
    about: ClassVar[About] = About(
        recalls="items that typed paths through the graph lead to",
        artefact="neighbour table",
        cold_items="recalled by its entities",
        of_graph=True,
    )

    k: int = count(300, least=1, unit="neighbours", search=ints(50, 1000, log=True))
    paths: Mapping[str, float] = weights(of="meta-paths")
    score: PathScore = choice("pcrw", PathScore, searched=True)
    degree_exponent: float = number(0.5, search=floats(0.0, 1.5))
    link_exponent: float = number(0.5, search=floats(0.0, 1.0))
    popularity_exponent: float = number(0.4, search=floats(0.0, 1.0))
    cold_popularity: float = number(0.5, search=floats(0.0, 1.0))
    hub_cap: int = count(1000, unit="edges", search=choices(100, 300, 1000, 3000))
    width: int = count(1000, least=1, unit="nodes")
    max_length: int = count(4, least=1, most=4, unit="steps")
    n_paths: int = count(24, least=1, unit="paths")
    through_users: bool = flag(True)

    def check(self) -> None:
        """Refuse meta-paths that cannot be read."""
        for text in self.paths:
            parse_path(text)
        if self.paths and not any(weight > 0 for weight in self.paths.values()):
            raise ConfigError("every meta-path of paths has the weight 0; give one of them more, or leave paths empty")

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph does not hold the meta-paths that are given, before anything is fitted."""
        if self.paths:
            self._given(path_steps(data))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> PathNeighbourRecaller:
        """Return the channel, which can say of every item which path brought it.

        Time O(sum over the segments of all paths of the pairs of edges that meet), which ``hub_cap`` and ``width``
        bound; memory O(n_items * k * paths).

        Raises
        ------
        DataError
            If the graph lacks a relation of ``paths`` or their steps do not join, or no item has an edge to walk.
        """
        return self._mixed(data, *self._tables(data, context))

    def _tables(self, data: RecallData, context: FitContext) -> tuple[list[MetaPath], list[PathTable]]:
        """Return the paths, given or mined, and the table of each."""
        steps = path_steps(data)
        scoring = PathScoring(
            ends=(1.0 + expected_popularity(data.interactions, self.cold_popularity)) ** self.popularity_exponent,
            pool=data.pool,
            score=self.score,
            degree_exponent=self.degree_exponent,
            link_exponent=self.link_exponent,
            hub_cap=self.hub_cap,
            k=self.k,
            width=self.width,
        )
        paths = self._given(steps) or self._mined(steps, scoring, data, context)
        made, tables = PathTables(steps, scoring), []
        for done, path in enumerate(paths):
            context.progress(done, len(paths))
            tables.append(made.table(path))
        return paths, tables

    def _given(self, steps: Steps) -> list[MetaPath]:
        """Return the paths of ``paths`` that have a weight."""
        return [steps.metapath(text) for text, weight in self.paths.items() if weight > 0]

    def _mined(self, steps: Steps, scoring: PathScoring, data: RecallData, context: FitContext) -> list[MetaPath]:
        mined = mine_paths(
            data.catalogue,
            liked_pairs(data.interactions),
            scoring=scoring,
            max_length=self.max_length,
            n_paths=self.n_paths,
            hub_cap=self.hub_cap,
            through_users=self.through_users,
            seed=context.seed,
        )
        paths = [steps.metapath(path.text) for path in mined]
        paths = [path for path in paths if self.score != "pathsim" or steps.is_symmetric(path)]
        paths = paths or steps.shared_entities()
        if not paths:
            raise DataError(
                "no item has an edge to walk; give the data a knowledge graph, or leave the kg-paths channel out"
            )
        return paths

    def _learned(self, weights: Mapping[str, float]) -> Self:
        return replace(self, paths=weights, learn_weights=False)

    def _mixed(self, data: RecallData, paths: list[MetaPath], tables: list[PathTable]) -> PathNeighbourRecaller:
        """Return the channel of the weighted sum of all tables."""
        return path_mixture(data.catalogue, paths, tables, self.paths, k=self.k, profile=self.profile())
