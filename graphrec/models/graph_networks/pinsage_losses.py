"""The margin that PinSage minimises in place of a softmax, and its gradient in one pass over the products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import relu

from graphrec.models.deep.sampled_softmax import parts


def margin_loss(
    anchors: Tensor,
    indptr: Tensor,
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
    indptr, positives : Tensor
        (b + 1,) int64, and (m, dim): anchor a chose rows ``indptr[a]`` to ``indptr[a + 1]``, the pairs (a, i).
    candidates : Tensor
        (n, dim) items j that all share.
    masked : (Tensor, Tensor)
        (h,) int64 each: pairs of anchor and candidate that are left out, and cost nothing.
    own : Tensor
        (b, r, dim) negatives of each anchor's own.
    margin : float
        :math:`\Delta`, > 0.

    Notes
    -----
    Time O(b * n * dim): an anchor meets the candidates once for all that it chose. Memory 4 * n bytes for each of 512
    anchors and of what they chose.
    """
    owners = torch.repeat_interleave(indptr.diff())
    near = (anchors.index_select(0, owners) * positives).sum(dim=1, keepdim=True) - margin  # (m, 1)
    loss: Tensor = _Margin.apply(anchors, indptr, near, candidates, masked)  # type: ignore[no-untyped-call]
    if own.shape[1]:
        loss = loss + relu(torch.einsum("bd,brd->br", anchors, own)[owners] - near).mean()
    return loss


class _Margin(torch.autograd.Function):
    """The mean over pairs and candidates of what a candidate's score is above ``near`` (m, 1)."""

    @staticmethod
    def forward(
        ctx: Any, anchors: Tensor, indptr: Tensor, near: Tensor, candidates: Tensor, masked: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return the mean, and keep its gradients."""
        by_anchors, by_near = torch.zeros_like(anchors), torch.zeros_like(near)
        by_candidates, total = torch.zeros_like(candidates), anchors.new_zeros(())
        for part, pairs, places, products in parts(anchors, indptr, candidates, masked):
            single = bool((indptr[part.start : part.stop + 1].diff() == 1).all())  # each chose one: nothing to copy
            above = (products if single else products[places]).sub_(near[pairs]).clamp_(min=0.0)  # (m', n)
            total += above.sum()
            above.sign_()
            by_near[pairs] = -above.sum(dim=1, keepdim=True)
            by_products = above if single else products.zero_().index_add_(0, places, above)
            by_anchors[part] = by_products @ candidates
            by_candidates.addmm_(by_products.T, anchors[part])
        ctx.save_for_backward(by_anchors, by_near, by_candidates)
        n = ctx.n = max(len(near) * len(candidates), 1)
        return total / n

    @staticmethod
    def backward(ctx: Any, *by_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients by anchors, ``near`` and candidates."""
        by_anchors, by_near, by_candidates = (by_loss[0] / ctx.n * gradient for gradient in ctx.saved_tensors)
        return by_anchors, None, by_near, by_candidates, None
