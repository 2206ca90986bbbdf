"""What was shown to whom, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_length, check_rows
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Exposures:
    """A table of impressions: user row, item row, whether it converted, what it brought, and when.

    Parameters
    ----------
    users : ndarray
        (m,) int32 user rows; -1 is somebody not known.
    items : ndarray
        (m,) int32 item rows.
    converted : ndarray
        (m,) bool: clicked, bought, played to the end: whatever counts as success.
    values : ndarray or None
        (m,) float32 >= 0, money or another value that the impression brought. None where no value is known.
    times : ndarray or None
        (m,) int64 seconds UTC, or None.
    n_users, n_items : int
        Sizes of the two vocabularies; never inferred from the largest row.
    propensities : ndarray or None
        (m,) float32 in (0, 1]: how probable it was that the policy of that time showed this item there. None where
        nothing is logged.

    Raises
    ------
    DataError
        On unequal lengths, rows out of range, values that are negative or not finite, or propensities outside (0, 1].
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    converted: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float32] | None
    times: npt.NDArray[np.int64] | None
    n_users: int
    n_items: int
    propensities: npt.NDArray[np.float32] | None

    def __init__(
        self,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        converted: npt.ArrayLike,
        values: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        *,
        n_users: int,
        n_items: int,
        propensities: npt.ArrayLike | None = None,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "users", as_array(users, np.int32, name="users"))
        m = len(self.users)
        set_field(self, "items", as_array(items, np.int32, name="items"))
        set_field(self, "converted", as_array(converted, np.bool_, name="converted"))
        set_field(self, "values", None if values is None else as_array(values, np.float32, name="values"))
        set_field(self, "times", None if times is None else as_array(times, np.int64, name="times"))
        set_field(self, "n_users", int(n_users))
        set_field(self, "n_items", int(n_items))
        check_length(self.items, m, name="items")
        check_length(self.converted, m, name="converted")
        check_rows(self.users[self.users != -1], self.n_users, name="users")
        check_rows(self.items, self.n_items, name="items")
        if self.times is not None:
            check_length(self.times, m, name="times")
        if self.values is not None:
            check_length(self.values, m, name="values")
            check_finite(self.values, name="values")
            if m and float(self.values.min()) < 0:
                where = int(np.argmax(self.values < 0))
                raise DataError(f"values[{where}] is {self.values[where]}; what an impression brings is 0 or more")

        chances = None if propensities is None else as_array(propensities, np.float32, name="propensities")
        set_field(self, "propensities", chances)
        if chances is not None:
            check_length(chances, m, name="propensities")
            legal = (chances > 0) & (chances <= 1)
            if not legal.all():
                where = int(np.argmin(legal))
                raise DataError(f"propensities[{where}] is {chances[where]}; a propensity is above 0 and at most 1")

    def __len__(self) -> int:
        return len(self.users)


def take_exposures(exposures: Exposures, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Exposures:
    """Return the exposures at ``rows`` (positions or a mask), sizes unchanged."""
    return Exposures(
        exposures.users[rows],
        exposures.items[rows],
        exposures.converted[rows],
        None if exposures.values is None else exposures.values[rows],
        None if exposures.times is None else exposures.times[rows],
        n_users=exposures.n_users,
        n_items=exposures.n_items,
        propensities=None if exposures.propensities is None else exposures.propensities[rows],
    )
