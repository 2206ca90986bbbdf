"""ESAM: two towers that learn from items that were not shown, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphrec.contracts.domains import floats
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.models.deep.two_tower import TwoTower

if TYPE_CHECKING:
    from graphrec.models.deep.recall_task import RecallTask


@dataclass(frozen=True, slots=True, kw_only=True)
class ESAM(TwoTower):
    r"""Two towers whose items without feedback are to lie as those with it: for the tail, and for what was never shown.

    .. math:: L = L_s + \lambda_1 L_{DA} + \lambda_2 L_{DC}^c + \lambda_3 L_{DC}^p

    L_s is the softmax of :class:`graphrec.models.deep.two_tower.TwoTower`. Source are the items that a step's users
    took, target are items that none of them took or refused. L_DA brings the covariances of both sets of vectors
    together, so that dimensions go together in the same way; where the mix has negatives of each user's own
    (``exposed``, ``hard``, ``rule``), L_DC^c draws what a user took to its centre, and that away from the centre of
    these; L_DC^p makes pairs of user and target surer of which the model is nearly sure
    (:mod:`graphrec.models.deep.esam_losses`).

    Items that were never taken have a vector by their features alone: without features this is a treatment of the tail.
    What is drawn from the whole pool ("uniform") makes negatives of the target items, which pulls against all three
    losses: the mix is ``{"in-batch" = 1.0}`` where none is given.

    Parameters
    ----------
    alignment, clustering, self_training : float, default 0.7, 0.3 and 0.5
        lambda_1 to lambda_3, >= 0: the paper's.
    near, far : float, default 0.2 and 0.7
        m_1 and m_2: squared distances from which an item is too far from its centre, and up to which two centres are
        too near.
    sure_below, sure_above : float, default 0.2 and 0.8
        Scores, the logistic of what the softmax reads, below and above which a pair is nearly sure.
    targets : int, default 256
        Target items of a step, >= 2.
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
    .. [1] Chen, Xiao, Zhang, Zhang, Tang, Zhu, "ESAM: discriminative domain adaptation with non-displayed items to
       improve long-tail performance", SIGIR 2020. Differs: a softmax for the loss of the source; covariances of
       vectors of length 1, not divided by dim^2; means over items, pairs of centres and sure pairs in place of sums, so
       that the weights do not depend on the size of a step.
    """

    about: ClassVar[About] = About(
        recalls="two towers aligned with what was not shown, for tail and new items",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    alignment: float = number(0.7, search=floats(0.01, 10.0, log=True))
    clustering: float = number(0.3, search=floats(0.01, 1.0, log=True))
    self_training: float = number(0.5, search=floats(0.01, 1.0, log=True))
    near: float = number(0.2, most=4.0)
    far: float = number(0.7, most=4.0)
    sure_below: float = number(0.2, most=1.0)
    sure_above: float = number(0.8, most=1.0)
    targets: int = count(256, least=2, unit="items")

    @property
    def kinds(self) -> Mapping[str, float]:
        """The kinds of negatives and their ratios."""
        return self.mix or {"in-batch": 1.0}

    def _task_class(self) -> type[RecallTask]:
        from graphrec.models.deep.esam_task import EsamTask

        return EsamTask
