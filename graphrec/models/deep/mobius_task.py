"""Two towers whose pairs count by what their items are worth, as a task of the training loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall_data import RecallData
from graphrec.models.deep.item_worth import item_worth
from graphrec.models.deep.recall_task import RecallTask
from graphrec.negatives.protocol import Rows


class MobiusTask(RecallTask):
    """One fit: :class:`graphrec.models.deep.mobius.Mobius` has the loss."""

    def __init__(self, recipe: Any, data: RecallData, *given: Any) -> None:
        super().__init__(recipe, data, *given)
        self._worth = None
        if recipe.value and recipe.pair_exponent:
            powers = item_worth(data.item_features, recipe.value) ** recipe.pair_exponent
            # An average pair counts 1, so that the learning rate means what it means without values.
            mean = float(powers[self._histories.items].mean()) if len(self._histories.items) else 1.0
            self._worth = (powers / mean).astype(np.float32)

    def _pair_weights(self, places: Rows) -> npt.NDArray[np.float32] | None:
        """Return (m,) float32: how fresh the pairs are, times what their items are worth; None where all are alike."""
        fresh = super()._pair_weights(places)
        if self._worth is None:
            return fresh
        worth: npt.NDArray[np.float32] = self._worth[self._histories.items[places]]
        return worth if fresh is None else np.multiply(fresh, worth)
