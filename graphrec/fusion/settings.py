"""The kinds of fusion: how lists are merged, as settings that are written into configurations and bundles.

Two protocols. A :class:`Fusion` is ready to merge; its fields are plain values, and a bundle holds them. A
:class:`FusionRecipe` has to see held-out events first, and makes a fusion of them. A new kind is one file with a frozen
dataclass whose fields are the keys of ``[fusion]``, and one line in ``FUSIONS`` or ``RECIPES``. Among the fields, every
table is by channel and every list of names is of channels: the configuration checks their names.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, get_args, get_origin, get_type_hints, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_late
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.heads import Answers
from graphrec.fusion.quota import Quota
from graphrec.fusion.rrf import Rrf
from graphrec.graph.catalogue import CatalogueGraph

__all__ = ["FUSIONS", "RECIPES", "FitResult", "Fusion", "FusionRecipe", "Quota", "Rrf", "fusion_class",
           "fusion_from_dict"]  # fmt: skip

# Each is imported when it is asked for.
FUSIONS: Mapping[str, str] = {
    "rrf": "graphrec.fusion.rrf:Rrf",
    "quota": "graphrec.fusion.quota:Quota",
    "snake": "graphrec.fusion.snake:Snake",
    "priority": "graphrec.fusion.priority:Priority",
    "calibrated": "graphrec.fusion.calibrated:Calibrated",
    "boosted": "graphrec.fusion.boosted:Boosted",
}
RECIPES: Mapping[str, str] = {
    "coverage": "graphrec.fusion.coverage:Coverage",
    "fitted-rrf": "graphrec.fusion.fit_rrf:FittedRrf",
    "fitted-calibrated": "graphrec.fusion.fit_calibrated:FittedCalibrated",
    "fitted-boosted": "graphrec.fusion.fit_boosted:FittedBoosted",
}


class Fusion(Protocol):
    """A way to merge the lists of channels.

    Unlike the functions beside it, ``merge`` takes whichever channels are at hand: a request may ask for some only, and
    a channel may be late. Settings of channels that are absent are passed over.
    """

    kind: ClassVar[str]

    def merge(self, lists: Mapping[str, ItemLists], k: int, *, histories: ItemLists | None = None) -> FusedLists:
        """Return at most k items a query with what each channel said of them.

        ``histories`` are what the n queries' users took, oldest first, for a fusion that looks at it.
        """
        ...

    def channel_depth(self, k: int) -> int:
        """Return how many items each channel should be asked for where k merged ones are wanted."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values; :func:`fusion_from_dict` reads them back."""
        ...


@runtime_checkable
class LooksAtGraph(Protocol):
    """A fusion that looks at the graph of the catalogue, which its settings do not hold."""

    def on_graph(self, catalogue: CatalogueGraph) -> Fusion:
        """Return the fusion, looking at the graph of ``catalogue``."""
        ...


@runtime_checkable
class LooksAtScores(Protocol):
    """A fusion that looks at how large scores are: channels that are fitted on other events have others."""

    def on_scores(self, learnt: Answers, served: Answers) -> Fusion:
        """Return the fusion for the channels that gave the answers ``served``; it was fitted on such as ``learnt``."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class FitResult:
    """A fusion that was fitted, and what fitting chose: JSON values for the ``report``."""

    fusion: Fusion
    report: Mapping[str, Any]


@runtime_checkable
class FusionRecipe(Protocol):
    """Settings of a fusion that has to see held-out events before it can merge."""

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],
        seed: int,
        graph: GraphLevels = NO_LEVELS,
        histories: ItemLists | None = None,
    ) -> FitResult:
        """Return the fusion of the channels ``lists`` that finds the ``truth`` best at k.

        ``lists`` holds each channel's answers to n users, ``channel_depth(k)`` deep, of channels fitted without the
        n lists of held-out items ``truth``: a validation part, never the test part. ``counts`` (n_items,) are the
        events of each item in what the channels were fitted on, ``graph`` what the knowledge graph tells of the items,
        ``histories`` what the n users took of it.
        """
        ...

    def channel_depth(self, k: int) -> int:
        """Return how many items each channel should be asked for where k merged ones are wanted."""
        ...


def fusion_class(kind: object) -> type[Fusion] | type[FusionRecipe]:
    """Return the class of a kind; its fields are the settings.

    Raises
    ------
    ConfigError
        If the kind is unknown.
    """
    place = {**FUSIONS, **RECIPES}.get(kind) if isinstance(kind, str) else None
    if place is None:
        legal = [*FUSIONS, *RECIPES]
        close = nearest_names(kind, legal) if isinstance(kind, str) else ""
        raise ConfigError(f"fusion kind {kind!r} is unknown; legal: {', '.join(legal)}{close}")
    module, _, name = place.partition(":")
    chosen: type[Fusion] | type[FusionRecipe] = getattr(importlib.import_module(module), name)
    return chosen


@typed_late
def fusion_from_dict(settings: Mapping[str, Any], catalogue: CatalogueGraph | None = None) -> Fusion:
    """Return the fusion that ``to_dict`` described, looking at the graph of a ``catalogue`` where it looks at any.

    Raises
    ------
    ConfigError
        If the kind or a key is unknown, a value is illegal, or the graph has no relation that the fusion looks at.
    """
    values = dict(settings)
    kind = values.pop("kind", None)
    if kind in RECIPES:
        raise ConfigError(f"fusion kind {kind!r} has to be fitted before it can merge; legal: {', '.join(FUSIONS)}")
    chosen: Any = fusion_class(kind)
    legal = [field.name for field in dataclasses.fields(chosen)]
    for key in values:
        if key not in legal:
            raise ConfigError(
                f"{key!r} is not a setting of {kind} fusion; legal: {', '.join(legal)}{nearest_names(key, legal)}"
            )
    _check_values(chosen, values, f"{kind} fusion")
    try:
        fusion: Fusion = chosen(**values)
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{kind} fusion cannot be made from {values}: {error}") from error
    return fusion.on_graph(catalogue) if catalogue is not None and isinstance(fusion, LooksAtGraph) else fusion


def _check_values(made: type, values: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError where a JSON value is not of its field's type; names of fields are for the class to check."""
    hints = get_type_hints(made)
    for name, value in values.items():
        if name in hints:
            _check_value(hints[name], value, f"{name!r} of {where}")


def _check_value(hint: Any, value: object, where: str) -> None:
    """Raise ConfigError unless a JSON value is what the type of a field says."""
    parts = get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, hint):
            _check_type(value, Mapping, "a table", where)
            _check_values(hint, value, where)  # type: ignore[arg-type]
    elif get_origin(hint) is dict:
        _check_type(value, Mapping, "a table", where)
        for name, entry in value.items():  # type: ignore[attr-defined]
            _check_value(parts[0], name, f"a name in {where}")
            _check_value(parts[1], entry, f"{name!r} in {where}")
    elif get_origin(hint) in (list, tuple):
        _check_type(value, (list, tuple), "a list", where)
        for entry in value:  # type: ignore[attr-defined]
            _check_value(parts[0], entry, f"an entry of {where}")
    elif hint is float:
        _check_type(value, (int, float), "a number", where)
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise ConfigError(f"{where} is {value!r}; it must be a finite number")
    elif hint in (int, str, bool):
        _check_type(value, hint, {int: "a whole number", str: "a text", bool: "true or false"}[hint], where)


def _check_type(value: object, kinds: type | tuple[type, ...], legal: str, where: str) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise ConfigError(f"{where} is {str(value)[:80]!r} ({type(value).__name__}); it must be {legal}")
