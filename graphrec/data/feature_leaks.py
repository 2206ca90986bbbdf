r"""Finding columns of features that were made of held-out events: a count of sales, a mean rating, a newest purchase.

A column may well follow what training shows: popularity of the past is known online, too. What it may not do is to know
more of the held-out part than training says. So for each column the rank correlation with a figure of all events, or of
the held-out ones, is taken *given* the same figure of training. Price, age or brand have little of it; a column that
was counted over all events has 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions, coalesce
from graphrec.errors import DataError, LeakError

# A column is made of held-out events from this partial rank correlation on. Measured under three splits of three data
# sets: counts of all events 1, with noise of 5 % 0.78 to 1; titles' years, prices, brands, sales ranks up to 0.63.
LEAK = 0.7
# Of fewer rows nothing can be said; of more than so many with events a sample is looked at.
_LEAST, _SAMPLE = 30, 10_000
Float = npt.NDArray[np.float64]
Space = Literal["item", "user"]


@dataclass(frozen=True, slots=True)
class ColumnCheck:
    """What the check found of a column.

    Parameters
    ----------
    column : str
        Its name.
    space : {"item", "user"}
        What its rows are.
    figure : str
        The figure of the events that it follows most beyond training, such as ``"users, held out"``; empty where too
        little is known to say.
    correlation : float or None
        The partial rank correlation with that figure, its sign left; None where ``figure`` is empty.
    derived : bool
        The verdict.
    """

    column: str
    space: Space
    figure: str
    correlation: float | None
    derived: bool


def check_columns(
    features: Features, train: Interactions, test: Interactions, *, space: Space, seed: int = 0
) -> list[ColumnCheck]:
    r"""Return for each number, moment and label whether it seems to be made of held-out events.

    For ranks :math:`x` of the column, :math:`t` of a figure of training and :math:`h` of that figure over the held-out
    events (and over all), over the rows where all are known, it is

    .. math:: r = \mathrm{corr}(x - \hat{x}(t),\; h - \hat{h}(t))

    with least-squares lines :math:`\hat{x}, \hat{h}`. The figures of a row are its events, its users (or items), the
    sum and the mean of their weights, and its newest event. A label counts as the mean of :math:`h - \hat{h}(t)` over
    the *other* rows of the same label.

    Parameters
    ----------
    features : Features
        Of the items or of the users.
    train, test : Interactions
        The two parts of the events.
    space : {"item", "user"}
        What the rows of ``features`` are.
    seed : int
        Of the sample of rows.

    Raises
    ------
    DataError
        If the numbers of rows disagree.

    Notes
    -----
    Of the rows that have events up to 10,000 are looked at, so time is O(events) and a bounded number of sorts.
    """
    n = train.n_items if space == "item" else train.n_users
    if features.n != n:
        raise DataError(f"the features have {features.n} rows, the events {n} {space}s")
    rows = _looked_at(_counts([train, test], space), seed)
    figures = [_Figure(part.name, part.train[rows], part.beyond[rows]) for part in _figures(train, test, space)]
    columns: dict[str, Float | Labels] = {name: column[rows] for name, column in features.numbers.items()}
    columns |= {name: Labels(column.names, column.codes[rows]) for name, column in features.labels.items()}
    return [_checked(name, column, figures, space) for name, column in columns.items()]


def refuse_derived_columns(checks: Iterable[ColumnCheck], *, allowed: Sequence[str] = ()) -> None:
    """Raise LeakError, with the figures, where a column seems to be made of held-out events and is not ``allowed``."""
    refused = [check for check in checks if check.derived and check.column not in allowed]
    if refused:
        raise LeakError(
            f"{'; '.join(map(sentence, refused))}: what is held out is in there. Leave the column out, make it of "
            "training events alone, or name it in catalogue.derived where serving has it as early as the events"
        )


def sentence(check: ColumnCheck) -> str:
    """Return what was found of a column, in words."""
    if check.correlation is None:
        return f"{check.space} column {check.column!r} has too few values to compare with the events"
    return (
        f"{check.space} column {check.column!r} follows a figure of the {check.space}s ({check.figure}) beyond what "
        f"training says: partial rank correlation {check.correlation:.2f}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Figure:
    """A figure of n rows: in training, and in the held-out part or in all; NaN where a row has none."""

    name: str
    train: Float
    beyond: Float


def _looked_at(events: Float, seed: int) -> npt.NDArray[np.int64]:
    rows = np.flatnonzero(events > 0)
    return rows if len(rows) <= _SAMPLE else np.random.default_rng(seed).choice(rows, _SAMPLE, replace=False)


def _figures(train: Interactions, test: Interactions, space: Space) -> Iterator[_Figure]:
    """Yield what columns may have been made of."""
    parts = {"held out": [test], "in all": [train, test]}
    for what, of in (
        ("events", _counts),
        ("summed weight", _weights),
        ("mean weight", _mean_weights),
        ("newest event", _newest),
    ):
        known = of([train], space)
        yield from (_Figure(f"{what}, {where}", known, of(part, space)) for where, part in parts.items())
    others = "users" if space == "item" else "items"
    known = _counts([coalesce(train)], space)
    held = _counts([coalesce(test)], space)
    yield _Figure(f"{others}, held out", known, held)
    yield _Figure(f"{others}, in all", known, known + held)


def _rows(part: Interactions, space: Space) -> npt.NDArray[np.int32]:
    return part.items if space == "item" else part.users


def _size(part: Interactions, space: Space) -> int:
    return part.n_items if space == "item" else part.n_users


def _counts(parts: list[Interactions], space: Space) -> Float:
    counts = sum(np.bincount(_rows(part, space), minlength=_size(part, space)) for part in parts)
    return np.asarray(counts, dtype=np.float64)


def _weights(parts: list[Interactions], space: Space) -> Float:
    sums = sum(np.bincount(_rows(part, space), part.weights, _size(part, space)) for part in parts)
    return np.asarray(sums, dtype=np.float64)


def _mean_weights(parts: list[Interactions], space: Space) -> Float:
    counts = _counts(parts, space)
    return np.where(counts > 0, _weights(parts, space) / np.maximum(counts, 1), np.nan)


def _newest(parts: list[Interactions], space: Space) -> Float:
    newest = np.full(_size(parts[0], space), -np.inf)
    for part in parts:
        if part.times is not None:
            np.maximum.at(newest, _rows(part, space), part.times.astype(np.float64))
    return np.where(np.isinf(newest), np.nan, newest)


def _checked(name: str, column: Float | Labels, figures: list[_Figure], space: Space) -> ColumnCheck:
    found = [(figure.name, _known_beyond(column, figure)) for figure in figures]
    known = [(figure, value) for figure, value in found if value is not None]
    if not known:
        return ColumnCheck(name, space, "", None, derived=False)
    # The mean of a label's other rows falls as the own value rises, so that below 0 it says nothing.
    figure, value = max(known, key=lambda pair: pair[1] if isinstance(column, Labels) else abs(pair[1]))
    strength = value if isinstance(column, Labels) else abs(value)
    return ColumnCheck(name, space, figure, value, derived=strength >= LEAK)


def _known_beyond(column: Float | Labels, figure: _Figure) -> float | None:
    """Return the partial rank correlation of a column and a figure; None where too little differs."""
    there = column.codes >= 0 if isinstance(column, Labels) else ~np.isnan(column)
    there &= ~(np.isnan(figure.train) | np.isnan(figure.beyond))
    if there.sum() < _LEAST:
        return None
    base = _ranks(figure.train[there])
    beyond = _residual(_ranks(figure.beyond[there]), base)
    if isinstance(column, Labels):
        own, kept = _others_mean(column.codes[there], beyond)
        return _correlation(own[kept], beyond[kept])
    return _correlation(_residual(_ranks(column[there]), base), beyond)


def _others_mean(codes: npt.NDArray[np.int32], values: Float) -> tuple[Float, npt.NDArray[np.bool_]]:
    """Return for each row the mean value of the other rows of its label, and which rows have others."""
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    others = counts[codes] - 1
    return (sums[codes] - values) / np.maximum(others, 1), others > 0


def _residual(values: Float, base: Float) -> Float:
    """Return what a line over ``base`` leaves of ``values``."""
    centred, over = values - values.mean(), base - base.mean()
    spread = float(over @ over)
    slope = float(over @ centred) / spread if spread else 0.0
    left: Float = centred - slope * over
    return left


def _correlation(a: Float, b: Float) -> float | None:
    """Return the correlation of two columns; None of too few rows, or where the line left next to nothing."""
    if len(a) < _LEAST or min(a.std(), b.std()) < 1e-6 * len(a):
        return None
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1.0, 1.0))


def _ranks(values: Float) -> Float:
    """Return the 1-based rank of each value, ties in the middle of their places."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Float = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
