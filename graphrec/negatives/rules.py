"""Negatives by a rule of the business: of the same category, in the same city, out of stock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from graphrec.data.features import Features
from graphrec.errors import ConfigError, DataError
from graphrec.kernels import kernel
from graphrec.negatives.protocol import Negatives, Positives, Rows
from graphrec.negatives.taken import Taken

Verb = Literal["same", "is", "is not", "above", "below"]
LEGAL = "'same NAME', 'NAME is VALUE', 'NAME is not VALUE', 'NAME above NUMBER' or 'NAME below NUMBER'"

_written = re.compile(r"same (?P<same>\S.*)|(?P<name>\S.*?) (?P<verb>is not|is|above|below) (?P<value>\S.*)")


@dataclass(frozen=True, slots=True)
class Condition:
    """What an item must be to be a negative: of the positive's own label ``name``, or with a value of its own."""

    name: str
    verb: Verb
    value: str = ""


def condition_of(written: str) -> Condition:
    """Return the condition that a text such as "same category" or "stock below 1" stands for.

    Raises
    ------
    ConfigError
        If it is none.
    """
    match = _written.fullmatch(" ".join(written.split()))
    if match is None:
        raise ConfigError(f"the rule {written!r} cannot be read; a rule is {LEGAL}")
    if match["same"] is not None:
        return Condition(match["same"], "same")
    condition = Condition(match["name"], cast("Verb", match["verb"]), match["value"])
    if condition.verb in ("above", "below"):
        try:
            float(condition.value)
        except ValueError:
            raise ConfigError(f"the rule {written!r} compares with {condition.value!r}, which is no number") from None
    return condition


class BusinessRule:
    """Items of the pool that meet all conditions beside the positive, and that the user does not have, all alike.

    ``same category`` joins items to the positives of their own category; an item or a positive whose category is not
    known meets no such condition. The others choose items by themselves, whatever the positive: ``stock is out``.

    Parameters
    ----------
    conditions : sequence of str
        At least one; see :func:`condition_of`. Labels and numbers of the items are compared.
    features : Features or None
        Of the items.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    taken : Taken
        Who has what.

    Raises
    ------
    ConfigError
        If a condition cannot be read, or names no label or number of the items or no value of the label; or if the
        conditions leave no two items to compare.
    """

    def __init__(
        self, conditions: Sequence[str], features: Features | None, pool: npt.NDArray[np.bool_], taken: Taken
    ) -> None:
        if not conditions:
            raise ConfigError(f"negatives by rule need at least one rule; a rule is {LEGAL}")
        self._taken = taken
        parsed = [condition_of(written) for written in conditions]
        known = Features(taken.n_items) if features is None else features
        eligible = pool.copy()
        for condition in parsed:
            if condition.verb != "same":
                eligible &= _meets(condition, known)
        self._groups = _groups([known.label(c.name).codes for c in parsed if c.verb == "same"], taken.n_items)
        members = np.flatnonzero(eligible & (self._groups >= 0))
        n_groups = int(self._groups.max(initial=-1)) + 1
        # By group, ascending within each.
        self._members = members[np.argsort(self._groups[members], kind="stable")]
        sizes = np.bincount(self._groups[members], minlength=n_groups)
        self._ends = np.cumsum(sizes)
        self._starts = self._ends - sizes
        self._refuse_if_empty(conditions, members, sizes)

    def _refuse_if_empty(self, conditions: Sequence[str], members: Rows, sizes: Rows) -> None:
        positives = np.unique(self._taken.items)
        groups = self._groups[positives]
        others = sizes[groups] - np.isin(positives, members) if len(sizes) else np.zeros(len(positives), np.int64)
        if not ((groups >= 0) & (others > 0)).any():
            raise ConfigError(
                f"the rules {', '.join(map(repr, conditions))} leave no negatives: {len(members)} of "
                f"{len(self._groups)} items meet them, and no item that was taken has another beside it; drop a rule"
            )

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return (b, n) items, each for one of the user's positives drawn by chance; -1 where that has none."""
        anchors = positives.drawn(n, rng)
        groups = np.where(anchors >= 0, self._groups[np.maximum(anchors, 0)], -1)
        items, sizes = _draw(
            groups, rng.random(groups.shape), self._members, self._starts, self._ends, positives.users,
            self._taken.indptr, self._taken.items,
        )  # fmt: skip
        return Negatives(own=(items, np.log(n / np.maximum(sizes, 1))), n_users=len(positives))

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:  # noqa: ARG002 - of the protocol
        """Return zeros: they are each user's own."""
        return np.zeros(items.shape)


def _meets(condition: Condition, features: Features) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: the items that meet a condition by themselves; what is not known meets none."""
    if condition.verb in ("above", "below"):
        numbers, bound = features.number(condition.name), float(condition.value)
        return np.asarray(numbers > bound if condition.verb == "above" else numbers < bound)
    labels = features.label(condition.name)
    try:
        code = labels.names.row(condition.value)
    except DataError as error:
        raise ConfigError(f"a rule compares the label {condition.name!r}: {error}") from error
    return np.asarray(labels.codes == code if condition.verb == "is" else (labels.codes >= 0) & (labels.codes != code))


def _groups(codes: Sequence[npt.NDArray[np.int32]], n: int) -> Rows:
    """Return (n,) int64 groups of equal labels, from 0; -1 where a label is not known. Without labels all are alike."""
    if not codes:
        return np.zeros(n, dtype=np.int64)
    columns = np.stack(codes, axis=1)
    known = (columns >= 0).all(axis=1)
    groups = np.full(n, -1, dtype=np.int64)
    groups[known] = np.unique(columns[known], axis=0, return_inverse=True)[1].ravel()
    return groups


@kernel
def _draw(
    groups: Rows,
    chances: npt.NDArray[np.float64],
    members: Rows,
    starts: Rows,
    ends: Rows,
    users: Rows,
    indptr: Rows,
    taken: Rows,
) -> tuple[Rows, Rows]:  # pragma: no cover - compiled
    """Return (b, n) items of ``groups`` (b, n) that the users do not have, all alike, and among how many each stood.

    The k-th of those left is found by stepping over the taken ones, which ascend as the members do.
    """
    items, sizes = np.full(groups.shape, -1, dtype=np.int64), np.zeros(groups.shape, dtype=np.int64)
    for i in range(groups.shape[0]):
        own = taken[indptr[users[i]] : indptr[users[i] + 1]]
        for j in range(groups.shape[1]):
            if groups[i, j] < 0:
                continue
            group = members[starts[groups[i, j]] : ends[groups[i, j]]]
            left = group.size
            for item in own:
                place = np.searchsorted(group, item)
                left -= place < group.size and group[place] == item
            sizes[i, j] = left
            if left == 0:
                continue
            k = int(chances[i, j] * left)
            if k >= left:  # rounding
                k = left - 1
            for item in own:
                place = np.searchsorted(group, item)
                if place < group.size and group[place] == item and place <= k:
                    k += 1
            items[i, j] = group[k]
    return items, sizes
