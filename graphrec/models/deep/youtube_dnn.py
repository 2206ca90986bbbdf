"""YouTubeDNN: what is taken next, by layers over the mean of what was taken before and the example's age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphrec.contracts.domains import ints
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag
from graphrec.models.deep.sequence_settings import SequenceSettings
from graphrec.models.deep.settings import encoded
from graphrec.recallers.query_fields import RowFeatures

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class YouTubeDNN(SequenceSettings):
    r"""The items whose vectors are greatest times what layers make of the mean of the newest events.

    .. math:: h_t = T\Big(\frac1t \sum_{r \le t} v_{i_r} + f_u + a \log_2(1 + \mathrm{age}_t)\Big), \qquad
              s(j \mid i_{1..t}) = h_t \cdot v_j

    T adds ``layers`` hidden layers to its input. f sums up the vectors of the user's features, as they are stored or as
    the request says them, and by them alone he is answered where no item of his history is known. The age of an example
    is how long before the newest event of training it happened, in days; requests have age 0, so that what was taken
    for being new then is not taken for taste now. The order of events plays no part, but which are the newest ``last``.

    Parameters
    ----------
    layers : int, default 1
        Hidden layers over the mean.
    example_age : bool, default True
        Whether the age of examples is read in training, where events have times.
    features : bool, default True
        Whether the features of users are read, and those of items beside their ids.
    last, dim :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Covington, Adams, Sargin, "Deep neural networks for YouTube recommendations", RecSys 2016, section 3.
       Differs: items are read and searched by one vector, of their features too; parts are added, not joined; each
       event of a window is an example, not a fixed number a user.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by layers over the mean of the newest events",
        artefact="encoder and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    layers: int = count(1, most=8, search=ints(0, 3))
    example_age: bool = flag(True)

    def _users(self, data: RecallData) -> RowFeatures | None:
        return encoded(data.user_features, self.features)

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:
        from graphrec.models.deep.history_models import MeanOfEvents
        from graphrec.models.deep.inputs import FieldInputs

        aged = self.example_age and data.interactions.times is not None
        users, users_in = self._users(data), None
        if users is not None:  # they say nothing at first, as ages do
            users_in = FieldInputs(len(data.users), self.dim, with_ids=None, features=users, scale=0.0)
        return MeanOfEvents(items_in, users_in, layers=self.layers, aged=aged, dropout=self.dropout)
