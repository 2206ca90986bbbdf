"""Operations: what people decree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import Settings, text
from graphrec.data.exposures import Exposures
from graphrec.data.features import Features
from graphrec.data.rules import Arrivals, Boost, Campaign, Entry, Pin
from graphrec.errors import ConfigError
from graphrec.operations.conflicts import find_problems
from graphrec.operations.recaller import OperationsRecaller, label_segments
from graphrec.operations.rulings import Rows, Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations(Settings):
    """Pins, campaigns, new arrivals and boosts out of a file that people edit (``docs/operations.md``).

    The schedule is kept, and looked up when a request comes: a campaign starts and ends without a new bundle. Pins hold
    their positions in the merged list, boosts multiply its scores. Who asks plays a part by segment only, so cold
    users are served like others; cold items are what pins and new arrivals are for.

    Parameters
    ----------
    rules : str, default "operations.toml"
        The file, TOML or CSV; a relative path starts at the configuration. The job reads it into ``RecallData.rules``.

    Raises
    ------
    ConfigError
        If no file is named.
    """

    about: ClassVar[About] = About(
        recalls="what people decree: pins, boosts, campaigns, new arrivals, by schedule and segment",
        artefact="schedule",
        unknown_users="served",
        cold_items="recalled where named",
    )

    rules: str = text("operations.toml", legal="the name of the file of the rules, TOML or CSV", empty=False)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> OperationsRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel.

        Raises
        ------
        ConfigError
            If the data has no rules, or they contradict each other or the catalogue; the sentence names file and line.
        """
        if data.rules is None:
            raise ConfigError(f"the rules of {self.rules!r} were not read; the data of the operations channel has none")
        problems = find_problems(
            data.rules, items=data.items, pool=data.pool, item_features=data.item_features or _nothing(data)
        )
        if problems:
            more = f" (and {len(problems) - 1} more: graphrec operations check)" if len(problems) > 1 else ""
            raise ConfigError(problems[0] + more)
        wanted: dict[str, list[str]] = {}
        rulings = []
        for entry in data.rules.entries:
            if isinstance(entry.rule, Pin | Boost | Campaign | Arrivals):
                rulings.append(_ruling(entry, data))
                for label, values in rulings[-1].segment.items():
                    wanted.setdefault(label, []).extend(values)
        known = {} if data.user_features is None else data.user_features.labels
        segments = [
            label_segments(label, known.get(label), values, n_users=len(data.users)) for label, values in wanted.items()
        ]
        return OperationsRecaller(rulings, segments, n_items=len(data.items))


def _nothing(data: RecallData) -> Features:
    """Return attributes without a column, so that a rule that needs one is refused."""
    return Features(len(data.items))


def _ruling(entry: Entry, data: RecallData) -> Ruling:
    """Return a rule in rows."""
    rule = entry.rule
    if not isinstance(rule, Pin | Boost | Campaign | Arrivals) or data.rules is None:
        raise TypeError(f"{entry.title} is no rule of the schedule")
    start, end, segment = data.rules.frame(rule)
    frame: dict[str, Any] = {
        "name": rule.name,
        "start": start,
        "end": end,
        "segment": segment,
    }
    if isinstance(rule, Pin):
        return Ruling("pin", items=_rows([rule.item], data), positions=(rule.position,), **frame)
    if isinstance(rule, Boost):
        return Ruling("boost", items=_boosted(rule, data), factor=rule.factor, **frame)
    if isinstance(rule, Campaign):
        return Ruling("campaign", items=_rows(rule.items, data), **frame)
    return _arrivals(rule, data, frame)


def _rows(ids: Sequence[str], data: RecallData) -> Rows:
    return data.items.rows(list(ids), kind="item")


def _boosted(rule: Boost, data: RecallData) -> Rows:
    """Return the boosted items, ascending."""
    if rule.item or data.item_features is None:
        return _rows([rule.item], data)
    ((label, value),) = rule.label.items()
    labels = data.item_features.label(label)
    return np.flatnonzero(labels.codes == labels.names.row(value, kind=label)).astype(np.int32)


def _arrivals(rule: Arrivals, data: RecallData, frame: dict[str, Any]) -> Ruling:
    """Return the items with a release, by release, with what each is still to get; those that have it are left out."""
    releases = (data.item_features or _nothing(data)).number(rule.released)
    needs = rule.exposures - _shown_since(data.exposures, releases)
    rows = np.flatnonzero(np.isfinite(releases) & (needs > 0) & data.pool).astype(np.int32)
    rows = rows[np.argsort(releases[rows], kind="stable")]
    return Ruling(
        "arrivals",
        items=rows,
        releases=releases[rows],
        needs=needs[rows],
        positions=rule.positions,
        days=float(rule.days),
        rotate_s=rule.rotate_s,
        **frame,
    )


def _shown_since(shown: Exposures | None, releases: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: how often each item was shown since its release; zeros where nothing is known."""
    if shown is None:
        return np.zeros(len(releases), dtype=np.int64)
    since = np.ones(len(shown), dtype=np.bool_) if shown.times is None else shown.times >= releases[shown.items]
    return np.bincount(shown.items[since], minlength=len(releases)).astype(np.int64)
