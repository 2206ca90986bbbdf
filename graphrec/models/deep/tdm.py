"""Tree-based deep model: two towers whose items hang on a tree, and a beam that goes down it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from graphrec.contracts.domains import choices
from graphrec.contracts.progress import State
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number
from graphrec.index import ExactIndex, Index, TreeIndex
from graphrec.models.deep.two_tower import TwoTower
from graphrec.recallers.query_encoder import FloatArray

if TYPE_CHECKING:
    from graphrec.models.deep.recall_task import RecallTask

TreeKind = Literal["tree", "exact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TDM(TwoTower):
    r"""The items that a beam over a tree ends in, each node with a vector that is learnt beside the towers'.

    Leaves are items, with the vectors of :class:`graphrec.models.deep.two_tower.TwoTower`; a node n of a level j has a
    vector w, and its score is :math:`s(u, n) = u \cdot w_n / \tau`. To the towers' loss is added the mean over levels
    of the same softmax over nodes: a user is to prefer, of each level, the nodes that his items are under,

    .. math:: -\log \frac{e^{s(u, n_j(i))}}{e^{s(u, n_j(i))} + \sum_{m \in N_j} e^{s(u, m) - \log q_m}}

    over sampled nodes of the level that none of his items is under. The ``beam`` nodes of the greatest scores are kept
    of each level, and their halves scored next; of the lowest level all items below those that are kept. Levels with
    fewer nodes than the beam holds decide nothing, and have no vectors.

    Tree and model are learnt in turn. Towers are trained alone up to ``plant_from``; then, ``trees`` times, the items
    are halved again and again by balanced 2-means of what is served of them, nodes begin as the means of what is below
    them, and both go on learning.

    Parameters
    ----------
    beam : int, default 200
        Nodes that are kept of a level, >= 1; more where they have fewer items than are wanted.
    leaf : int, default 8
        Items below a node of the lowest level, >= 2 and at most; the more, the less the last halves decide, which are
        of items much alike.
    trees : int, default 2
        Trees that are learnt in turn, >= 1.
    plant_from : float, default 0.4
        Share of training after which the first is learnt, from 0 to below 1.
    level_negatives : int, default 1024
        Nodes of a level that a step compares with, >= 1; all of them where there are no more.
    index : {"tree", "exact"}
        What is searched: the tree, or all leaves, for what the beam misses.
    m, ef_construction, ef_search : int
        Without a part here.
    similarity, length_exponent, layers, user_layers, serve :
        See :class:`graphrec.models.deep.two_tower.TwoTower`.
    dim, ids, features :
        See :class:`graphrec.models.deep.settings.LearnedSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Zhu et al., "Learning tree-based deep model for recommender systems", KDD 2018. Differs: a node's score is
       an inner product with the user's vector and no network over both, so that a beam takes microseconds and serving
       needs no torch; a softmax with log q for each level in place of a loss a node; a leaf holds several items, whose
       vectors are those of the towers, so that the answer can be compared with an exhaustive one.
    .. [2] Zhu et al., "Joint optimization of tree-based index and deep model for recommender systems", NeurIPS 2019.
       Differs: the tree is learnt from the items' vectors, not by assigning items to leaves for the
       greatest likelihood.
    """

    about: ClassVar[About] = About(
        recalls="two towers whose items hang on a learnt tree, searched by a beam",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    beam: int = count(200, least=1, unit="nodes", search=choices(100, 200, 400))
    leaf: int = count(8, least=2, unit="items")
    trees: int = count(2, least=1)
    plant_from: float = number(0.4, below=1)
    level_negatives: int = count(1024, least=1, unit="nodes")
    index: TreeKind = choice("tree", TreeKind)  # type: ignore[assignment]

    @property
    def planting(self) -> frozenset[int]:
        """Epochs at whose beginning a tree is learnt."""
        shares = self.plant_from + (1 - self.plant_from) * np.arange(self.trees) / self.trees
        return frozenset((self.epochs * shares).astype(int).tolist())

    def _task_class(self) -> type[RecallTask]:
        from graphrec.models.deep.tree_task import TreeTask

        return TreeTask

    def _near(self, learnt: State, targets: FloatArray, queries: FloatArray, seed: int) -> Index:  # noqa: ARG002
        if self.index == "exact":
            return ExactIndex(targets, "ip")
        return TreeIndex(targets, learnt["order"], learnt["nodes"], self.beam)
