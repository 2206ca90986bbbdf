"""Negatives that were shown and not taken: impressions without a conversion."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.exposures import Exposures
from graphrec.errors import DataError
from graphrec.negatives.listed import UserLists
from graphrec.negatives.taken import Taken


def exposed_without_click(exposures: Exposures | None, pool: npt.NDArray[np.bool_], taken: Taken) -> UserLists:
    r"""Return negatives out of what a user was shown and never took.

    Shown more often weighs more. Where propensities are logged an impression weighs :math:`1 / p`, so that what the old
    policy seldom showed weighs as much as if all had been shown alike. Used alone these negatives teach what makes
    people click among items that are near already, not what is near: Facebook's search lost half of its recall by them
    [1]_.

    Parameters
    ----------
    exposures : Exposures or None
        Of training; those of unknown users say nothing here.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    taken : Taken
        Who has what.

    Raises
    ------
    DataError
        If there are no exposures, no conversions among them, or no impressions without one.

    References
    ----------
    .. [1] Huang et al., "Embedding-based retrieval in Facebook search", KDD 2020, section 3.2.
    """
    if exposures is None or not len(exposures):
        raise DataError("negatives of the kind 'exposed' need exposures; give [data.exposures] a path")
    if exposures.converted.all() or not exposures.converted.any():
        missing = "every" if exposures.converted.all() else "no"
        raise DataError(
            f"{missing} exposure of the {len(exposures):,} given converted, so they tell no positive from a negative; "
            "look at the column 'converted'"
        )
    logged = exposures.propensities
    weights = np.ones(len(exposures)) if logged is None else 1 / logged.astype(np.float64)
    known = exposures.users >= 0
    keys = exposures.users[known].astype(np.int64) * exposures.n_items + exposures.items[known]
    pairs, places = np.unique(keys, return_inverse=True)
    users, items = pairs // exposures.n_items, pairs % exposures.n_items
    liked = np.zeros(len(pairs), dtype=np.bool_)
    liked[places[exposures.converted[known]]] = True
    summed = np.bincount(places, weights=weights[known], minlength=len(pairs))
    kept = ~liked & pool[items] & ~taken.contains(users, items[:, None])[:, 0]
    if not kept.any():
        raise DataError("no known user was shown an item of the pool without taking it; leave out the kind 'exposed'")
    return UserLists(users[kept], items[kept], summed[kept], n_users=exposures.n_users)
