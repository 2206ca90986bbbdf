"""What PinSage minimises: a softmax over sampled items, or a margin."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu

# Score of what is left out: finite, for an anchor may have no other candidate.
_NEVER = -1e4


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
    scores = anchors @ candidates.T / temperature - log_q
    if itself is not None:
        scores = scores.masked_fill(itself, _NEVER)
    totals = torch.logsumexp(scores, dim=1)
    if hard is not None and hard.shape[1]:
        own = torch.einsum("bd,brd->br", anchors, normalize(hard, dim=2)) / temperature
        totals = torch.logaddexp(totals, torch.logsumexp(own, dim=1))
    near = (anchors[owners] * positives).sum(dim=1) / temperature
    return (totals[owners] - near).mean()


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
