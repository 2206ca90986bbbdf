"""The margin that PinSage minimises in place of a softmax."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu

# Score of what is left out.
_NEVER = -1e4


def margin_loss(
    anchors: Tensor,
    owners: Tensor,
    positives: Tensor,
    candidates: Tensor,
    masked: tuple[Tensor, Tensor],
    own: Tensor,
    *,
    margin: float,
) -> Tensor:
    r"""Return the mean over pairs and negatives of :math:`\max(0, a \cdot j - a \cdot i + \Delta)`, a scalar.

    Negatives of an anchor's own count as much as all those that are shared.

    Parameters
    ----------
    anchors : Tensor
        (b, dim) users or items that choose, of length 1, as all vectors here.
    owners, positives : Tensor
        (m,) int64 places among the anchors, and the (m, dim) items that they chose: the pairs (a, i).
    candidates : Tensor
        (n, dim) items j that all share.
    masked : (Tensor, Tensor)
        (h,) int64 each: pairs of anchor and candidate that are left out, and cost nothing.
    own : Tensor
        (b, r, dim) negatives of each anchor's own.
    margin : float
        :math:`\Delta`, > 0.
    """
    near = (anchors[owners] * positives).sum(dim=1, keepdim=True) - margin  # (m, 1)
    scores = (anchors @ candidates.T).index_put(masked, anchors.new_tensor(_NEVER))
    loss = relu(scores[owners] - near).mean()
    if own.shape[1]:
        loss = loss + relu(torch.einsum("bd,brd->br", anchors, own)[owners] - near).mean()
    return loss
