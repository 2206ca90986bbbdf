"""Field-aware factorisation machine as recall: its vectors, concatenated by pairs of fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from graphrec.contracts.domains import choices, floats
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.errors import ConfigError
from graphrec.models.deep.settings import LearnedSettings, Similarity
from graphrec.recallers.query_fields import RowFeatures

if TYPE_CHECKING:
    from graphrec.models.deep.towers import Towers
    from graphrec.models.graph_networks.pinsage_batches import Histories

# Dimensions of a served vector beyond which this is no recall any more.
_WIDEST = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class FFM(LearnedSettings):
    r"""The items that a field-aware factorisation machine over fields of user and item scores highest.

    .. math:: \hat y(x) = w_0 + \sum_f w_f x_f + \sum_{f < g} \langle v_{f, g}, v_{g, f} \rangle x_f x_g

    A field has another vector for each field that it meets. Of the sum over pairs those across user and item,
    :math:`\sum_{f \in u} \sum_{g \in i} \langle v_{f, g}, v_{g, f} \rangle`, are one product of concatenations, in the
    same order on both sides; those within the item are a number b of the item's own, one more dimension against a 1 of
    the user; those within the user change no ranking and are not learnt. The ranking is the machine's own, and any
    index of vectors serves it.

    The served vectors have (fields of the user, his history among them) * (fields of the item) * dim + 1 dimensions.

    Parameters
    ----------
    dim : int, default 8
        Width of v, >= 1.
    temperature : float, default 1.0
        tau: what scores are divided by in training.
    ids, features :
        See :class:`graphrec.models.deep.settings.LearnedSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Juan, Zhuang, Chin, Lin, "Field-aware factorization machines for CTR prediction", RecSys 2016, eq. (4).
       Differs: a sampled softmax in place of a loss a pair; the items of a history weigh :math:`d_j^{-\delta} / |H|^e`;
       of b, the pairs learn as slowly as the linear weights.
    """

    about: ClassVar[About] = About(
        recalls="a field-aware factorisation machine over user and item",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    dim: int = count(8, least=1, search=choices(4, 8, 16))
    temperature: float = number(1.0, above=0, search=floats(0.1, 2.0, log=True))

    @property
    def similarity(self) -> Similarity:
        """The machine's own: the inner product."""
        return "dot"

    def _towers(
        self, data: RecallData, histories: Histories, items: RowFeatures | None, users: RowFeatures | None
    ) -> Towers:
        from graphrec.models.deep.factorisation import FFMTowers
        from graphrec.models.deep.inputs import FieldInputs
        from graphrec.models.deep.item_popularity import coming_events

        trained, taken = np.diff(histories.indptr) > 0, histories.shares > 0
        shapes = (
            FieldInputs(len(data.users), 1, with_ids=trained if self.ids else None, features=users),
            FieldInputs(len(data.items), 1, with_ids=taken if self.ids else None, features=items),
        )
        n_user, n_item = shapes[0].n_fields + 1, shapes[1].n_fields
        if n_user * n_item * self.dim > _WIDEST:
            raise ConfigError(
                f"{n_user} fields of a user and {n_item} of an item at dim {self.dim} make vectors of "
                f"{n_user * n_item * self.dim:,} dimensions; at most {_WIDEST:,} can be searched: lower dim, or leave "
                "columns out"
            )
        users_in = FieldInputs(
            len(data.users), n_item * self.dim, with_ids=trained if self.ids else None, features=users
        )
        items_in = FieldInputs(
            len(data.items), (n_user + n_item) * self.dim, with_ids=taken if self.ids else None, features=items
        )
        return FFMTowers(
            items_in, users_in, shapes[1], events=coming_events(histories, self.half_life_days), dim=self.dim,
            own_rate=self.map_lr / self.lr,
        )  # fmt: skip
