"""What lists are worth, and what they hold of what was shown, in text for the terminal and the page."""

from __future__ import annotations

from graphrec.evaluation.bootstrap import Interval

from .numbers import DASH, percent
from .parts import ExposureRecall, ListMetrics

WORTH = ("value [95 %]", "of all, % [95 %]", "recall", "shown", "never shown")
WORTH_CAPTION = (
    "value: what the true items in a list are worth, mean over users, and its share of what all true items are worth; "
    "recall: mean over users, in %; shown, never shown: of the true items that anybody, or nobody, was shown in "
    "training, those that the lists hold, in %"
)


def worth_figures(row: ListMetrics, k: int) -> tuple[str, ...]:
    """Return the columns :data:`WORTH` of a channel or of the merged list at one cut-off."""
    shown = None if row.exposure_recall is None else row.exposure_recall[k]
    return (
        DASH if row.value is None else _amount(row.value[k]),
        DASH if row.value_recall is None else _share(row.value_recall[k]),
        percent(row.recall[k]),
        *(DASH if share is None else percent(share) for share in _shares(shown)),
    )


def _shares(shown: ExposureRecall | None) -> tuple[float | None, float | None]:
    return (None, None) if shown is None else (shown.exposed, shown.never_exposed)


def _amount(value: Interval) -> str:
    return f"{value.estimate:.3g} [{value.low:.3g}, {value.high:.3g}]"


def _share(value: Interval) -> str:
    return f"{percent(value.estimate)} [{percent(value.low)}, {percent(value.high)}]"
