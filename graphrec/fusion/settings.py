"""How lists are merged, as settings that are written into configurations and bundles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.quota import check_quotas, place, scale_quotas
from graphrec.fusion.rrf import check_settings, check_weights, merge_rrf
from graphrec.lists import ItemLists

# Reciprocal ranks gain from a second look below place k. On goodbooks (Item-CF, User-CF, hot; fitted weights) 400
# entries a channel in place of 200 lift the gain over the best channel at 200 from nothing to 0.4 points.
_OVERSAMPLE = 2
_LEAST_DEPTH = 200


class Fusion(Protocol):
    """A way to merge the lists of channels.

    Unlike the functions below it, ``merge`` takes whichever channels are at hand: a request may ask for some only, and
    a channel may be late. Settings of channels that are absent are passed over.
    """

    def merge(self, lists: Mapping[str, ItemLists], k: int) -> FusedLists:
        """Return at most k items a query with what each channel said of them."""
        ...

    def channel_depth(self, k: int) -> int:
        """Return how many items each channel should be asked for where k merged ones are wanted."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values; :func:`fusion_from_dict` reads them back."""
        ...


@dataclass(frozen=True, slots=True)
class Rrf:
    """Weighted reciprocal-rank fusion: see :func:`graphrec.fusion.rrf.merge_rrf`.

    Parameters
    ----------
    weights : dict of str to float
        By channel, >= 0; channels that are not named weigh 1. Where every channel at hand weighs 0, all weigh 1.
    c : float, default 60.0
        Rank offset, > 0 (Cormack, Clarke, Büttcher, SIGIR 2009).
    depth : int, default 0
        Entries of each channel that are used; 0 uses all that were asked for, which is twice k.
    """

    weights: dict[str, float] = field(default_factory=dict)
    c: float = 60.0
    depth: int = 0

    def __post_init__(self) -> None:
        check_settings(c=self.c, depth=self.depth)
        if self.weights:
            # One unnamed channel of weight 1 may stand beside those named, so all zeros are legal here.
            check_weights(self.weights, (*self.weights, ""))

    def merge(self, lists: Mapping[str, ItemLists], k: int) -> FusedLists:
        """Return the best k items a query by weighted reciprocal ranks."""
        weights = {name: self.weights.get(name, 1.0) for name in lists}
        return merge_rrf(lists, k, weights=weights if any(weights.values()) else None, c=self.c, depth=self.depth)

    def channel_depth(self, k: int) -> int:
        """Return ``depth`` where it is set, else twice k, and 200 at least; never less than k."""
        return max(k, self.depth or max(_OVERSAMPLE * k, _LEAST_DEPTH))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"kind": "rrf", "weights": dict(self.weights), "c": self.c, "depth": self.depth}


@dataclass(frozen=True, slots=True)
class Quota:
    """Places by channel: see :func:`graphrec.fusion.quota.merge_quota`.

    Parameters
    ----------
    quotas : dict of str to int
        Places by channel, >= 0; their order is the order of turns. Where they sum to more than the k that is asked
        for, they are scaled down in proportion.
    """

    quotas: dict[str, int]

    def __post_init__(self) -> None:
        check_quotas(self.quotas)

    def merge(self, lists: Mapping[str, ItemLists], k: int) -> FusedLists:
        """Return k items a query, of which each channel places its (scaled) quota."""
        check_settings(k=k)
        present = {name: quota for name, quota in self.quotas.items() if name in lists}
        return place(lists, k, quotas=scale_quotas(present, k))

    def channel_depth(self, k: int) -> int:
        """Return k: no channel can place more."""
        return k

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"kind": "quota", "quotas": dict(self.quotas)}


_KINDS: dict[str, tuple[type[Rrf] | type[Quota], tuple[str, ...]]] = {
    "rrf": (Rrf, ("weights", "c", "depth")),
    "quota": (Quota, ("quotas",)),
}


def fusion_from_dict(settings: Mapping[str, Any]) -> Rrf | Quota:
    """Return the fusion that ``to_dict`` described.

    Raises
    ------
    ConfigError
        If the kind or a key is unknown, or a value is illegal.
    """
    values = dict(settings)
    kind = values.pop("kind", None)
    if kind not in _KINDS:
        raise ConfigError(f"fusion kind {kind!r} is unknown; legal: {', '.join(_KINDS)}")
    made_by, legal = _KINDS[kind]
    for key in values:
        if key not in legal:
            raise ConfigError(
                f"{key!r} is not a setting of {kind} fusion; legal: {', '.join(legal)}{nearest_names(key, legal)}"
            )
    try:
        return made_by(**values)
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"{kind} fusion cannot be made from {values}: {error}") from error
