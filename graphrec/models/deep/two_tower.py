"""Two towers: a user and an item as vectors made apart, near where he takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.contracts.domains import floats, ints
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number
from graphrec.errors import ConfigError
from graphrec.models.deep.settings import LearnedSettings, Serve, Similarity
from graphrec.models.graph_networks.cosine_softmax import with_lengths
from graphrec.recallers.query_fields import RowFeatures

if TYPE_CHECKING:
    from graphrec.models.deep.towers import Towers
    from graphrec.models.graph_networks.pinsage_batches import Histories


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoTower(LearnedSettings):
    r"""The items whose vectors are greatest times the user's, each made by a tower of its own.

    .. math:: v_i = T(x_i), \qquad u = x_u + \frac{1}{|H_u|^e} \sum_{j \in H_u} d_j^{-\delta} H x_j

    x is the sum of what is known: a learnt vector, and one of each feature (:mod:`graphrec.models.deep.inputs`). T adds
    ``layers`` hidden layers to its input, H is a linear map, d_j the events of an item. What is minimised is, for each
    pair,

    .. math:: -\log \frac{e^{s(u, i)}}{e^{s(u, i)} + \sum_{j \in N} e^{s(u, j) - \log q_j}}, \qquad
              s(u, i) = \cos(u, v_i) / \tau

    over sampled negatives N, what the user has left out, and q how many copies of each were to be expected. A step
    takes users with all of their items, so that the products with shared negatives are made once a user and not once a
    pair.

    Served is the product with :math:`v_i / |v_i|^{1 - \rho}` under cosine, and with v_i under dot. A stranger with a
    history is served from that alone; so is a known user with a live one, beside his own part.

    Parameters
    ----------
    similarity : {"cosine", "dot"}
        What s is, over the temperature.
    length_exponent : float
        rho, >= 0, under cosine: 0 serves by cosine, 1 by the product; the higher, the more popular what comes back.
    layers, user_layers : int, default 0
        Hidden layers of the item tower and of the user's, which adds to his sum what each makes of it.
    serve : {"vectors", "tower"}
        Users by a stored part of their own and their histories; or by the tower itself, as an ONNX graph run by
        onnxruntime (the extra ``towers``). That reads features and context of a request too, and layers of users need
        it.
    dim, ids, features :
        See :class:`graphrec.models.deep.settings.LearnedSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Huang et al., "Embedding-based retrieval in Facebook search", KDD 2020. Differs: a softmax in place of the
       triplet loss.
    .. [2] Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019.
       Differs: the positive is not corrected, for it is none of the draws.
    """

    about: ClassVar[About] = About(
        recalls="towers of ids and features, trained against mixed negatives",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    similarity: Similarity = choice("cosine", Similarity)
    length_exponent: float = number(0.4, search=floats(0.0, 1.0))
    layers: int = count(0, most=8, search=ints(0, 2))
    user_layers: int = count(0, most=8)
    serve: Serve = choice("vectors", Serve)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        LearnedSettings.check(self)
        if self.user_layers and self.serve != "tower":
            raise ConfigError(
                f"user_layers is {self.user_layers}, and what they make of a live history is no sum that could be "
                'stored; set serve = "tower", or user_layers = 0'
            )

    def served(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the items' vectors (n, dim) as they are searched: under cosine shortened by their lengths."""
        if self.similarity == "dot":
            return items
        return with_lengths(items, self.length_exponent)

    def _towers(
        self, data: RecallData, histories: Histories, items: RowFeatures | None, users: RowFeatures | None
    ) -> Towers:
        from graphrec.models.deep.inputs import FieldInputs
        from graphrec.models.deep.towers import TwoTowers

        trained = np.diff(histories.indptr) > 0
        items_in = FieldInputs(
            len(data.items), self.dim, with_ids=histories.shares > 0 if self.ids else None, features=items
        )
        users_in = FieldInputs(len(data.users), self.dim, with_ids=trained if self.ids else None, features=users)
        return TwoTowers(
            items_in, users_in if users_in.n_fields else None, layers=self.layers, user_layers=self.user_layers
        )
