"""Calibrated fusion: what a channel's score and rank have meant for held-out hits, weighted and added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.fusion.curves import Curve, CurveArrays, curve_arrays, hit_rates
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.heads import Values, head_shares
from graphrec.fusion.rrf import check_settings, check_weights, merging_depth
from graphrec.fusion.stacked import StackedLists, merge_in_chunks
from graphrec.fusion.sums import by_sum

# An entry's share taken for its rate: what is left where nothing is known of any channel.
_SHARES = Curve((0.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True)
class Calibrated:
    r"""The best k items a query by what each channel's score has been worth.

    .. math:: s(i) = \sum_{h:\ i \in h} w_h\, p_h\big(share_h(i), rank_h(i)\big), \qquad
              share_h(i) = \frac{\max(score_h(i), 0)}{\sum_{j \in top_{100}(h)} \max(score_h(j), 0)}

    with p the rate at which such entries of channel h were hits on held-out events (:class:`Curve`). Shares make the
    scores of a long and of a short history alike; a channel's own scale does not matter. A channel that is not named
    has no curve and adds no item of its own.

    Parameters
    ----------
    curves : dict of str to Curve
        By channel.
    weights : dict of str to float
        By channel, >= 0; channels that are not named weigh 1.

    Raises
    ------
    ConfigError
        If there is no curve, or a weight is negative or of a channel without a curve.
    """

    kind: ClassVar[str] = "calibrated"
    curves: dict[str, Curve]
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {name: curve if isinstance(curve, Curve) else Curve(**curve) for name, curve in self.curves.items()}
        if not made:
            raise ConfigError("calibrated fusion has no curve; fit it on a validation part of train")
        object.__setattr__(self, "curves", made)
        check_weights(self.weights, tuple(made))

    def merge(
        self,
        lists: Mapping[str, ItemLists],
        k: int,
        *,
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FusedLists:
        """Return at most k items a query, best first, ties by row, with what each channel said of them.

        Time O(E + k) for a query with E entries over all channels. Where every channel at hand weighs 0 or has no
        curve, all are merged alike by share.
        """
        check_settings(k=k)
        return merge_in_chunks(lists, lambda stacked: by_sum(stacked, self.values(stacked, head_shares(stacked)[0]), k))

    def values(self, stacked: StackedLists, shares: Values) -> Values:
        """Return (m,) what each entry, which has a share (m,) of its list's head, adds to its item's score."""
        column = np.array([self.weights.get(name, 1.0) for name in stacked.channels])
        chosen = np.array([self._columns.get(name, -1) for name in stacked.channels], dtype=np.int64)
        if not (column[chosen >= 0] > 0).any():
            chosen, column = np.full_like(chosen, len(self.curves)), np.ones_like(column)
        return hit_rates(stacked, shares, self._arrays, np.where(column > 0, chosen, -1), column)

    @cached_property
    def _columns(self) -> dict[str, int]:
        """The place of each channel's curve."""
        return {name: place for place, name in enumerate(self.curves)}

    @cached_property
    def _arrays(self) -> CurveArrays:
        """All curves, and behind them the curve that stands in where none is known."""
        return curve_arrays([*self.curves.values(), _SHARES])

    def channel_depth(self, k: int) -> int:
        """Return twice k, and 200 at least."""
        return merging_depth(k)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        curves = {name: curve.to_dict() for name, curve in self.curves.items()}
        return {"kind": self.kind, "curves": curves, "weights": dict(self.weights)}
