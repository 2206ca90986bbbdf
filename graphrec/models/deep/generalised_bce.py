"""The generalised binary cross-entropy of gSASRec: a softmax's order from sampled negatives, without overconfidence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

# Weight of a pair that is left out.
_NOTHING = 0.0


def generalised_bce(
    anchors: Tensor,
    positives: Tensor,
    shared: Tensor,
    masked: tuple[Tensor, Tensor],
    shared_log_q: Tensor,
    *,
    calibration: float,
) -> Tensor:
    r"""Return the mean over pairs of their losses, a scalar.

    .. math:: -\beta \log \sigma(s_+) - \sum_{j \in N} \log(1 - \sigma(s_j)), \qquad
              \beta = \alpha \big(t (1 - \tfrac1\alpha) + \tfrac1\alpha\big)

    with :math:`\alpha` the share of the catalogue that is drawn and t the calibration: at 0 it is plain cross-entropy,
    at 1 the scores' order estimates that over all negatives.

    Parameters
    ----------
    anchors, positives : Tensor
        (m, dim) each: what asks, and what was taken.
    shared : Tensor
        (n, dim): negatives of all.
    masked : (Tensor, Tensor)
        (h,) int64 each: pairs of anchor and negative that are left out.
    shared_log_q : Tensor
        (n,): log of how many copies of each were to be expected; its mean says alpha.
    calibration : float
        t, from 0 to 1.

    References
    ----------
    .. [1] Petrov, Macdonald, "gSASRec: reducing overconfidence in sequential recommendation trained with negative
       sampling", RecSys 2023, eqs. (9) and (12). Differs: negatives are shared by the events of a step.
    """
    if not len(positives):
        return anchors.sum() * 0.0
    share = float(shared_log_q.exp().mean().clamp(1e-9, 1.0)) if len(shared) else 1.0
    beta = share * (calibration * (1 - 1 / share) + 1 / share)
    wrong = softplus(anchors @ shared.T)  # (m, n): -log(1 - sigma(s))
    kept = torch.ones_like(wrong)
    kept[masked] = _NOTHING
    right = beta * softplus(-(anchors * positives).sum(dim=1))  # (m,)
    result: Tensor = (right + (wrong * kept).sum(dim=1)).mean()
    return result
