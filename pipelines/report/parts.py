"""The parts of a report: rows of channels and of the merged list, and what stands around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import BeforeValidator

from graphrec.evaluation.bootstrap import Interval

from .curves import Curve
from .json_format import interval
from .part import Part

FUSED = "fused"

# In JSON an interval is [estimate, low, high].
_Interval = Annotated[Interval, BeforeValidator(interval)]
# Numbers by cut-off K; in JSON each is a key of its own, ``recall@20``.
_ByCutoff = Mapping[int, float]
_MaybeByCutoff = Mapping[int, float | None]
_IntervalByCutoff = Mapping[int, _Interval]
_Costs = Mapping[str, int | float]
# Fields of rows that are mappings by another key than the cut-off.
_BY_NAME = ("chosen", "training")


@dataclass(frozen=True, slots=True)
class StrataRecall(Part):
    """Recall over the true items that are popular, less so, and rare; None where there are no such true items."""

    head: float | None
    torso: float | None
    tail: float | None


@dataclass(frozen=True, slots=True)
class ExposureRecall(Part):
    """Recall over the true items that were shown to anybody, and over those never shown; None where there are none."""

    exposed: float | None
    never_exposed: float | None


STRATA = tuple(part.name for part in fields(StrataRecall))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListMetrics(Part):
    """How good some lists are: each field by cut-off K, as ``Report.definitions`` defines it.

    ``novelty`` and ``popularity_overlap`` are None where all lists are empty. ``value`` and ``value_recall`` are there
    where a column says what items are worth, ``exposure_recall`` where exposures are known; else None. ``fit_s`` are
    seconds, ``size_bytes`` bytes on disk, ``query_us`` median microseconds.
    """

    recall: _ByCutoff
    ndcg: _ByCutoff
    hit_rate: _ByCutoff
    coverage: _ByCutoff
    novelty: _MaybeByCutoff
    gini: _ByCutoff
    popularity_overlap: _MaybeByCutoff
    strata_recall: Mapping[int, StrataRecall]
    recall_interval: _IntervalByCutoff
    fit_s: float
    size_bytes: int
    query_us: float
    value: _IntervalByCutoff | None = None
    value_recall: _IntervalByCutoff | None = None
    exposure_recall: Mapping[int, ExposureRecall] | None = None

    def by_cutoff(self) -> dict[str, Mapping[int, Any]]:
        """Return the fields that have a value at each cut-off, by name."""
        values = {part.name: getattr(self, part.name) for part in fields(self) if part.name not in _BY_NAME}
        return {name: value for name, value in values.items() if isinstance(value, Mapping)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport(ListMetrics):
    """The metrics of a channel by itself, and what it brings to the merged list.

    ``unique_hits`` counts true items that no other channel returned, ``returned`` is a mean over users;
    ``marginal_recall`` is the gain of the merged list over that without the channel, ``vs_hot`` the gain of the channel
    over ``hot`` (None for ``hot`` itself, and where it is not there). ``chosen`` are the settings that the recipe chose
    on a validation part of train (None where it chooses nothing). ``training`` are the curves of its trainings
    (:class:`graphrec.pipelines.report.curves.Curve`) by fit (``choosing``, ``measured``), where it learns by epochs or
    steps.
    """

    unique_hits: Mapping[int, int]
    returned: _ByCutoff
    marginal_recall: _IntervalByCutoff
    vs_hot: _IntervalByCutoff | None = None
    chosen: Mapping[str, Any] | None = None
    training: Mapping[str, Curve] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FusedReport(ListMetrics):
    """The metrics of the merged list; ``union_recall`` is what all channels returned together, its ceiling."""

    union_recall: _ByCutoff


@dataclass(frozen=True, slots=True)
class Comparison(Part):
    """The merged list beside the best single ``channel``: the difference of their Recall@K."""

    channel: str
    difference: _Interval


@dataclass(frozen=True, slots=True)
class Counts(Part):
    """Users and items that were measured, and what was left out.

    ``all`` users are in the training part, ``with_truth`` have a held-out item in the pool, ``measured`` is the sample
    of these that the figures are of; ``pool`` counts items, ``true_items`` the held-out items of the users measured, of
    which ``true_items_outside_catalogue`` are missed by every channel.
    """

    all: int
    with_truth: int
    measured: int
    measured_without_history: int
    pool: int
    true_items: int
    true_items_outside_pool: int
    true_items_outside_catalogue: int = 0


@dataclass(frozen=True, slots=True)
class ItemMap(Part):
    """Items of a channel of vectors on a plane, a sample where there are many, coloured by an ``attribute``.

    ``x``, ``y`` and ``group`` have an entry an item: its place on the two principal components of the vectors at length
    1, and its position in ``groups``, the values of the attribute. ``explained`` is the share of the variance that the
    plane shows.
    """

    channel: str
    attribute: str
    explained: float
    groups: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    group: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step(Part):
    """A channel that was kept, and the Recall@K of the merged list with all that were kept up to it."""

    channel: str
    recall: float


@dataclass(frozen=True, slots=True)
class DroppedChannel(Part):
    """What a channel that was not kept would add to those kept, what it costs, and whether that fits the budget."""

    adds: _Interval
    costs: _Costs
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelChoice(Part):
    """Which channels to keep for a budget, measured on ``users`` users that had no part in choosing.

    ``recall``, ``recall_of_all`` and ``against_all`` are Recall@``k`` of the kept channels merged, of all merged, and
    the difference; ``budget`` and the costs are by ``query_us``, ``size_bytes`` and ``channels``.
    """

    k: int
    budget: _Costs
    chosen_on: str
    users: int
    kept: tuple[str, ...]
    steps: tuple[Step, ...]
    recall: _Interval
    recall_of_all: _Interval
    against_all: _Interval
    costs: _Costs
    costs_of_all: _Costs
    dropped: Mapping[str, DroppedChannel]


@dataclass(frozen=True, slots=True)
class BootstrapSettings(Part):
    """How the intervals were made: resamples of the users, the share that an interval covers, the seed."""

    rounds: int
    level: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Part):
    """Where the times were taken."""

    system: str
    processor: str
    cpus: int | None
    python: str
