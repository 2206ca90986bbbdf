"""What PinSage minimises: a softmax over sampled items, or a margin."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

# Score of what is left out: finite, for an anchor may have no other candidate.
_NEVER = -1e4
# Anchors whose products with all candidates are held at a time.
_ROWS = 512


def softmax_loss(
    anchors: Tensor,
    owners: Tensor,
    positives: Tensor,
    candidates: Tensor,
    log_q: Tensor,
    *,
    temperature: float,
    itself: Tensor | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    r"""Return the mean over pairs of :math:`\log \sum_{j \in N} e^{\cos(a, j) / \tau - \log q_j} - \cos(a, i) / \tau`.

    Parameters
    ----------
    anchors : Tensor
        (b, dim) users or items that choose.
    owners, positives : Tensor
        (m,) int64 places among the anchors, and the (m, dim) items that they chose: the pairs (a, i).
    candidates, log_q : Tensor
        (n, dim) items N that all share, and (n,) the log of how likely each was to be drawn [1]_.
    temperature : float
        tau, > 0.
    itself : Tensor or None
        (b, n) bool: candidates that are the anchor itself, which are left out.
    hard : Tensor or None
        (b, r, dim) negatives of each anchor's own, which are in its sum besides.

    References
    ----------
    .. [1] Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019.
    """
    anchors, positives, candidates = normalize(anchors), normalize(positives), normalize(candidates)
    scale, mass = 1 / temperature, torch.bincount(owners, minlength=len(anchors)).to(anchors.dtype)
    own = None
    if hard is not None and hard.shape[1]:
        own = scale * torch.einsum("bd,brd->br", anchors, normalize(hard, dim=2))
    products = (anchors * scale, candidates, log_q, mass, itself, own)
    uniformity: Tensor = _LogSumExp.apply(*products)  # type: ignore[no-untyped-call]
    # The sum over pairs of a . i, by anchors: no vector of an anchor is copied for each of its pairs.
    sums = torch.zeros_like(anchors).index_add(0, owners, positives)
    alignment = scale * (anchors * sums).sum()
    return (uniformity - alignment) / len(owners)


class _LogSumExp(torch.autograd.Function):
    """The weighted sum of logsumexp over rows of products; the gradient is made along, in parts of rows.

    The matrix of products, far larger than all else, is neither kept nor gone through more often than needed.
    """

    @staticmethod
    def forward(
        ctx: Any,
        anchors: Tensor,
        candidates: Tensor,
        log_q: Tensor,
        mass: Tensor,
        itself: Tensor | None,
        own: Tensor | None,
    ) -> Tensor:
        """Return sum_b mass_b log (sum_j exp(a_b . c_j - log q_j) + sum_r exp(own_br)), a scalar."""
        by_anchors, by_candidates = torch.empty_like(anchors), torch.zeros_like(candidates)
        by_own = None if own is None else torch.empty_like(own)
        total, corrected = anchors.new_zeros(()), bool(log_q.any())
        for start in range(0, len(anchors), _ROWS):
            rows = slice(start, start + _ROWS)
            products = anchors[rows] @ candidates.T
            if corrected:
                products -= log_q
            if itself is not None:
                products.masked_fill_(itself[rows], _NEVER)
            highest = products.amax(dim=1)
            if own is not None:
                highest = torch.maximum(highest, own[rows].amax(dim=1))
            products.sub_(highest[:, None]).exp_()
            sums = products.sum(dim=1)
            if own is not None and by_own is not None:
                by_own[rows] = (own[rows] - highest[:, None]).exp()
                sums += by_own[rows].sum(dim=1)
                by_own[rows] *= (mass[rows] / sums)[:, None]
            total += (mass[rows] * (sums.log() + highest)).sum()
            products *= (mass[rows] / sums)[:, None]
            torch.mm(products, candidates, out=by_anchors[rows])
            by_candidates.addmm_(products.T, anchors[rows])
        ctx.by_own = by_own
        ctx.save_for_backward(by_anchors, by_candidates)
        return total

    @staticmethod
    def backward(ctx: Any, *by_total: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient by anchors, candidates and hard scores."""
        (by,), (by_anchors, by_candidates) = by_total, ctx.saved_tensors
        return by * by_anchors, by * by_candidates, None, None, None, None if ctx.by_own is None else by * ctx.by_own


def margin_loss(
    anchors: Tensor,
    owners: Tensor,
    positives: Tensor,
    candidates: Tensor,
    *,
    margin: float,
    itself: Tensor | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    r"""Return the mean over pairs and negatives of :math:`\max(0, \cos(a, j) - \cos(a, i) + \Delta)`.

    Parameters as of :func:`softmax_loss`; ``margin`` is :math:`\Delta`, > 0. Negatives of an anchor's own count as much
    as all those that are shared.
    """
    anchors, positives, candidates = normalize(anchors), normalize(positives), normalize(candidates)
    near = (anchors[owners] * positives).sum(dim=1, keepdim=True) - margin  # (m, 1)
    scores = anchors @ candidates.T
    if itself is not None:
        scores = scores.masked_fill(itself, _NEVER)
    loss = relu(scores[owners] - near).mean()
    if hard is not None and hard.shape[1]:
        own = torch.einsum("bd,brd->br", anchors, normalize(hard, dim=2))
        loss = loss + relu(own[owners] - near).mean()
    return loss
