"""What an item says, turned towards what is taken together with it: ridge regression onto the item graph."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.behaviour.spectrum import item_spectrum
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.training_part import last_moment
from graphrec.data.interactions import take
from graphrec.data.lists import entries_where, take_lists
from graphrec.data.sequences import sequences, take_sequences
from graphrec.data.splits import held_out
from graphrec.errors import MissingExtraError
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.query_encoder import FloatArray
from graphrec.recallers.sentences import unit_rows
from graphrec.sparse.taste import popularity

_log = logging.getLogger(__name__)

Projection = Literal["none", "ridge"]
Features = sp.csr_array | FloatArray
MakeChannel = Callable[[RecallData, FloatArray], Recaller]

# Strengths that are tried. Rows have length 1: what an item unlike all others says is believed to 1 / (1 + strength).
STRENGTHS = (1.0, 3.0, 10.0, 30.0)
# Of the items with events, the share that plays cold; how many of their takers are asked, and for how many items.
_SHARE, _USERS, _K = 0.1, 500, 100
# Fewer items with events and content teach nothing, and by fewer takers no gain is told from chance.
_FEWEST, _FEWEST_USERS = 50, 20
_TOLERANCE = 1e-4
# Standard errors, over the users, by which a projection must recall more: the best of four is better by chance.
_CLEAR = 2.0


def ridge(features: Features, targets: FloatArray, strength: float) -> FloatArray:
    r"""Return (f, e) float32: the linear map from features to targets of least squares, held small.

    .. math:: W = \arg\min \|XW - Y\|^2 + \lambda \|W\|^2

    Parameters
    ----------
    features : csr_array or ndarray
        X, (n, f) float32.
    targets : ndarray
        Y, (n, e) float32.
    strength : float
        :math:`\lambda` > 0.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    Notes
    -----
    Dense features are solved in closed form, O(n f^2 + f^3); sparse ones by conjugate gradients, O(m e) an iteration
    for m values.
    """
    make, sparse = _sklearn_ridge(), sp.issparse(features)
    model = make(strength, fit_intercept=False, solver="sparse_cg" if sparse else "cholesky", tol=_TOLERANCE)
    fitted = model.fit(sp.csr_matrix(features) if sparse else features, targets)
    return np.ascontiguousarray(fitted.coef_.reshape(targets.shape[1], -1).T, dtype=np.float32)


def chosen_projection(
    features: Features, data: RecallData, context: FitContext, *, dim: int, plain: FloatArray, channel: MakeChannel
) -> FloatArray | None:
    """Return the (f, <= dim) map from features to what is taken together; None where that is no clear gain.

    The targets are the leading eigenvectors of the item graph, each times the root of its eigenvalue
    (:func:`graphrec.channels.behaviour.spectrum.item_spectrum`). Of the items that have events a tenth, drawn with the
    context's seed, loses them; up to 500 of their takers ask for 100 of all items, or a tenth of them where there are
    fewer than 1,000. The strength of :func:`ridge` by which they get most of what they took is taken where that is more
    than without by two standard errors of the paired difference, and the map is then learnt of all items. Only ``data``
    is read. Nothing is learnt of fewer than 50 items with events and content, nor of fewer than 20 such takers.

    Parameters
    ----------
    features : csr_array or ndarray
        (n_items, f) float32 rows of length 1, or zero.
    plain : ndarray
        (n_items, any width) float32: the vectors without a projection.
    channel : callable
        Makes the channel of data and (n_items, any width) vectors of length 1.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed, and there is something to learn of.
    """
    panel, part = _playing_cold(data, features, context.seed)
    if panel is None:
        _log.info("too few items have both content and events, or too few users took them; nothing is projected")
        return None
    _sklearn_ridge()
    as_it_is, recalls = _recall(channel(part, plain), panel), {}
    targets = _targets(part, context, dim)
    for strength in STRENGTHS:
        learnt = _learnt(features, part, targets, strength)
        recalls[strength] = _recall(channel(part, projected(features, learnt)), panel)
    best = max(recalls, key=lambda strength: float(recalls[strength].mean()))  # the first of equals
    gain = recalls[best] - as_it_is
    clear = bool(gain.mean() > _CLEAR * gain.std() / np.sqrt(len(gain)))
    shown = ", ".join(f"{name:g} {recall.mean():.3f}" for name, recall in recalls.items())
    _log.info("recall of items that play cold: %.3f, by strengths of a projection: %s", as_it_is.mean(), shown)
    return _learnt(features, data, _targets(data, context, dim), best) if clear else None


def projected(features: Features, learnt: FloatArray) -> FloatArray:
    """Return (n, e) float32 of length 1, zero where the features are: the features by a map (f, e)."""
    made: FloatArray = np.asarray(features @ learnt, dtype=np.float32)
    return unit_rows(made)


def with_content(features: Features) -> npt.NDArray[np.bool_]:
    """Return (n,): which rows are not zero."""
    if isinstance(features, np.ndarray):
        return np.asarray(features.any(axis=1), dtype=np.bool_)
    return np.asarray(np.diff(features.indptr) > 0, dtype=np.bool_)


def _sklearn_ridge() -> Any:
    try:
        from sklearn.linear_model import Ridge
    except ImportError as error:
        raise MissingExtraError("learning a projection (scikit-learn)", extra="text") from error
    return Ridge


def _learnt(features: Features, data: RecallData, targets: FloatArray, strength: float) -> FloatArray:
    """Return the map of :func:`ridge`, scaled so that the longest row it makes has length 1."""
    rows = _usable(features, data)
    learnt = ridge(features[rows], targets[rows], strength)
    longest = float(np.linalg.norm(features[rows] @ learnt, axis=1).max(initial=0.0))
    return learnt / np.float32(longest or 1.0)


def _targets(data: RecallData, context: FitContext, dim: int) -> FloatArray:
    spectrum = item_spectrum(data, context, rank=dim, weight_exponent=0.0)
    return np.asarray(spectrum.vectors * np.sqrt(spectrum.eigenvalues), dtype=np.float32)


def _usable(features: Features, data: RecallData) -> npt.NDArray[np.intp]:
    """Return the rows of the items that have content and events."""
    return np.flatnonzero(with_content(features) & (popularity(data.interactions) > 0))


def _playing_cold(data: RecallData, features: Features, seed: int) -> tuple[Panel | None, RecallData]:
    """Return takers of the items that play cold, with what they took of them, and the data without that."""
    usable, rng = _usable(features, data), np.random.default_rng(seed)
    if len(usable) < _FEWEST:
        return None, data
    cold = rng.choice(usable, round(_SHARE * len(usable)), replace=False)
    gone = np.isin(data.interactions.items, cold)
    part = dataclasses.replace(data, interactions=take(data.interactions, ~gone))
    truth, history = held_out(part.interactions, take(data.interactions, gone)), sequences(part.interactions)
    truth = entries_where(truth, np.asarray(data.pool, dtype=np.bool_)[truth.items])
    users = np.flatnonzero((truth.lengths > 0) & (history.lengths > 0)).astype(np.int32)
    if len(users) < _FEWEST_USERS:
        return None, part
    users = np.sort(rng.choice(users, min(_USERS, len(users)), replace=False))
    shown = take_sequences(history, users)
    return Panel(users, shown, take_lists(truth, users), data.pool, last_moment(part)), part


def _recall(channel: Recaller, panel: Panel) -> npt.NDArray[np.float64]:
    """Return the share of each user's truth among the first items."""
    n_items, truth = len(panel.pool), panel.truth
    k = min(_K, max(1, n_items // 10))
    lists = recall_allowed(channel, panel.queries, k, exclude=panel.history, allowed=panel.pool)
    owners, answered = (np.repeat(np.arange(len(each), dtype=np.int64), each.lengths) for each in (truth, lists))
    hits = np.isin(owners * n_items + truth.items, answered * n_items + lists.items)
    return np.asarray(np.bincount(owners, weights=hits, minlength=len(truth)) / truth.lengths, dtype=np.float64)
