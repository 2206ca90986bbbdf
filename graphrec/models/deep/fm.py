"""Factorisation machine as recall: its score split into a user's part, an item's part and a product of the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from graphrec.contracts.domains import floats
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import number
from graphrec.models.deep.settings import LearnedSettings, Similarity
from graphrec.recallers.query_fields import RowFeatures

if TYPE_CHECKING:
    from graphrec.models.deep.towers import Towers
    from graphrec.models.graph_networks.pinsage_batches import Histories


@dataclass(frozen=True, slots=True, kw_only=True)
class FM(LearnedSettings):
    r"""The items that a factorisation machine over fields of user and item scores highest.

    .. math:: \hat y(x) = w_0 + \sum_f w_f x_f + \sum_{f < g} \langle v_f, v_g \rangle x_f x_g

    Fields are the user, his features, each item of his history, the item and its features. Sums over pairs fall into
    those within the user, within the item, and across: with :math:`U = \sum_{f \in u} v_f x_f` and
    :math:`V = \sum_{f \in i} v_f x_f`,

    .. math:: \hat y = c_u + b_i + \langle U, V \rangle, \qquad
              b_i = \sum_{f \in i} w_f x_f + \tfrac12 \big(|V|^2 - \sum_{f \in i} |v_f x_f|^2\big)

    What belongs to the user alone, c, changes no ranking of items and is not learnt; b is one more dimension of the
    item, against a 1 of the user. So the ranking is the machine's own, and any index of vectors serves it.

    Parameters
    ----------
    temperature : float, default 1.0
        tau: what scores are divided by in training.
    dim, ids, features :
        See :class:`graphrec.models.deep.settings.LearnedSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Rendle, "Factorization machines", ICDM 2010, eq. (1). Differs: a sampled softmax in place of a loss a pair;
       the items of a history weigh :math:`d_j^{-\delta} / |H|^e`; of b, the pairs learn as slowly as the linear
       weights.
    """

    about: ClassVar[About] = About(
        recalls="a factorisation machine over fields of user and item",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    temperature: float = number(1.0, above=0, search=floats(0.1, 2.0, log=True))

    @property
    def similarity(self) -> Similarity:
        """The machine's own: the inner product."""
        return "dot"

    def _towers(
        self, data: RecallData, histories: Histories, items: RowFeatures | None, users: RowFeatures | None
    ) -> Towers:
        from graphrec.models.deep.factorisation import FMTowers
        from graphrec.models.deep.inputs import FieldInputs
        from graphrec.models.deep.item_popularity import coming_events

        trained, taken = np.diff(histories.indptr) > 0, histories.shares > 0
        items_in, linear = (
            FieldInputs(len(data.items), dim, with_ids=taken if self.ids else None, features=items)
            for dim in (self.dim, 1)
        )
        users_in = FieldInputs(len(data.users), self.dim, with_ids=trained if self.ids else None, features=users)
        return FMTowers(
            items_in, users_in, linear, events=coming_events(histories, self.half_life_days),
            own_rate=self.map_lr / self.lr,
        )  # fmt: skip
