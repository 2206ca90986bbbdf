r"""The three losses of ESAM, of vectors of items that were taken (source) and of items that were not shown (target)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize, relu


def covariance_gap(source: Tensor, target: Tensor) -> Tensor:
    r"""Return the squared distance of two covariances: how differently dimensions go together in two sets of vectors.

    .. math:: L_{DA} = \lVert \mathrm{Cov}(D^s) - \mathrm{Cov}(D^t) \rVert_F^2

    Parameters
    ----------
    source, target : Tensor
        (m, dim) and (n, dim), of length 1 or near it; fewer than 2 of either have no covariance, and the loss is 0.

    References
    ----------
    .. [1] Chen, Xiao, Zhang, Zhang, Tang, Zhu, "ESAM: discriminative domain adaptation with non-displayed items to
       improve long-tail performance", SIGIR 2020, eq. (4). Differs: not divided by dim^2, for the covariance of
       vectors of length 1 is of the size of 1 / dim already.
    """
    if min(len(source), len(target)) < 2:
        return source.sum() * 0.0
    return (torch.cov(source.T) - torch.cov(target.T)).square().sum()


def centre_losses(vectors: Tensor, groups: Tensor, n_groups: int, pairs: Tensor, *, near: float, far: float) -> Tensor:
    r"""Return how far items lie from the centre of their group, and how near the centres of one user's groups lie.

    .. math:: L_{DC}^c = \frac1m \sum_j \max(0, \lVert \bar v_j - c_{y_j} \rVert^2 - m_1)
              + \frac1p \sum_{(k, u)} \max(0, m_2 - \lVert c_k - c_u \rVert^2)

    with vectors of length 1, their means c over groups, and p pairs of groups.

    Parameters
    ----------
    vectors : Tensor
        (m, dim).
    groups : Tensor
        (m,) int64 from 0 to ``n_groups - 1``: a user's items of one kind of feedback.
    pairs : Tensor
        (p, 2) int64: the groups of one user; each must have items.
    near, far : float
        m_1 and m_2.
    """
    if not len(vectors):
        return vectors.sum() * 0.0
    unit = normalize(vectors)
    sizes = torch.bincount(groups, minlength=n_groups).clamp_min(1)
    centres = unit.new_zeros((n_groups, unit.shape[1])).index_add_(0, groups, unit) / sizes[:, None]
    inside = relu((unit - centres[groups]).square().sum(dim=1) - near).mean()
    if not len(pairs):
        return inside
    between = (centres[pairs[:, 0]] - centres[pairs[:, 1]]).square().sum(dim=1)
    return inside + relu(far - between).mean()


def confident_entropy(scores: Tensor, *, low: float, high: float) -> Tensor:
    r"""Return the mean of :math:`-S \log S` over the scores S in (0, 1) that are below ``low`` or above ``high``.

    Target pairs of which the model is nearly sure become surer; the others are left alone. 0 where there are none.
    """
    sure = scores[(scores < low) | (scores > high)]
    if not len(sure):
        return scores.sum() * 0.0
    return -(sure * sure.clamp_min(1e-12).log()).mean()
