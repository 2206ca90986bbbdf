"""The heads of channels' lists: the shares of their entries, and how large they are on validation and as served."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import DataError
from graphrec.fusion.stacked import StackedLists, stack
from graphrec.kernels import kernel

Values = npt.NDArray[np.float64]

# Best entries of a list whose scores sum to one share: they are there in any list that is merged.
HEAD = 100


def head_shares(stacked: StackedLists) -> tuple[Values, Values]:
    """Return (m,) each entry's share of its list's head, and (C, n) the sum of the scores above 0 of each head."""
    shares, heads = np.empty(len(stacked.items)), np.empty(stacked.starts.shape)
    _share(stacked.starts, stacked.stops, stacked.scores, shares, heads)
    return shares, heads


def head_factors(learnt: Mapping[str, ItemLists], served: Mapping[str, ItemLists]) -> dict[str, float]:
    r"""Return by channel the factor that makes heads of served lists as large as heads of the lists learnt from.

    .. math:: f = \exp \Big(\frac{1}{|U|} \sum_{u \in U} \ln \frac{head_{learnt}(u)}{head_{served}(u)}\Big)

    over the users U whose two heads are above 0; a channel without such a user has no factor.

    Parameters
    ----------
    learnt, served : mapping of str to ItemLists
        Each channel's answers to the same n users; of channels in one of them alone nothing is said.

    Raises
    ------
    DataError
        If ``learnt`` and ``served`` have other numbers of users, or the channels of one have.
    """
    names = [name for name in learnt if name in served]
    if not names:
        return {}
    before, after = (
        head_shares(stack({name: lists[name] for name in names}, depth=HEAD))[1] for lists in (learnt, served)
    )
    if before.shape != after.shape:
        raise DataError(f"the lists learnt from are of {before.shape[1]} users, those served of {after.shape[1]}")
    both = (before > 0) & (after > 0)
    ratios = np.log(before, where=both, out=np.zeros_like(before)) - np.log(after, where=both, out=np.zeros_like(after))
    users = both.sum(axis=1)
    means = np.exp(ratios.sum(axis=1) / np.maximum(users, 1))
    return {name: float(f"{mean:.6g}") for name, mean, n in zip(names, means, users, strict=True) if n}


@kernel
def _share(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    shares: Values,
    heads: Values,
) -> None:  # pragma: no cover - compiled
    """Write the sum of each list's head, and every entry's share of it."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            start, stop = starts[channel, query], stops[channel, query]
            whole = 0.0
            for p in range(start, min(stop, start + HEAD)):
                whole += max(np.float64(scores[p]), 0.0)
            heads[channel, query] = whole
            divisor = whole if whole > 0 else 1.0
            for p in range(start, stop):
                shares[p] = max(np.float64(scores[p]), 0.0) / divisor
