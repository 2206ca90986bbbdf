"""Everything that recipes may learn from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_fields
from graphrec.data.exposures import Exposures
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions
from graphrec.data.item_tags import ItemTags
from graphrec.data.rules import Rules
from graphrec.data.user_tags import UserTags
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class RecallData:
    """Everything recipes may learn from. What is held out is not in here.

    Parameters
    ----------
    users, items : Vocabulary
        External ids.
    interactions : Interactions
        The training events.
    catalogue : CatalogueGraph
        Items and entities; ``catalogue.items_only`` where there is no knowledge graph.
    item_tags : ItemTags or None
        Tags of items, for the tag channel; those of ``user_tags`` are among them.
    pool : ndarray
        (n_items,) bool: items that may be recalled at all.
    item_features, user_features : Features or None
        Numbers and labels of items (price, category) and of users (country).
    exposures : Exposures or None
        What was shown, and what came of it.
    rules : Rules or None
        What people decree, for the operations channel. Its deny lists are no longer in the pool.
    user_tags : UserTags or None
        Who gave which item which tag: what ``item_tags`` are made of again when something is held out.

    Raises
    ------
    DataError
        If the sizes of the parts disagree.
    """

    users: Vocabulary
    items: Vocabulary
    interactions: Interactions
    catalogue: CatalogueGraph
    item_tags: ItemTags | None = None
    pool: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    item_features: Features | None = None
    user_features: Features | None = None
    exposures: Exposures | None = None
    rules: Rules | None = None
    user_tags: UserTags | None = None

    def __post_init__(self) -> None:
        n = len(self.items)
        if self.pool.size == 0:
            object.__setattr__(self, "pool", np.ones(n, dtype=np.bool_))
        for name, size in (
            ("the table of interactions", self.interactions.n_items),
            ("the catalogue graph", self.catalogue.n_items),
            ("the pool", len(self.pool)),
            ("the tag table", n if self.item_tags is None else len(self.item_tags.table)),
            ("the table of item attributes", n if self.item_features is None else self.item_features.n),
            ("the table of exposures", n if self.exposures is None else self.exposures.n_items),
            ("the table of user tags", n if self.user_tags is None else self.user_tags.n_items),
        ):
            if size != n:
                raise DataError(f"{name} has {size} items, the vocabulary {n}")
        n = len(self.users)
        for name, size in (
            ("the table of interactions", self.interactions.n_users),
            ("the table of user attributes", n if self.user_features is None else self.user_features.n),
            ("the table of exposures", n if self.exposures is None else self.exposures.n_users),
            ("the table of user tags", n if self.user_tags is None else self.user_tags.n_users),
        ):
            if size != n:
                raise DataError(f"{name} has {size} users, the vocabulary {n}")
