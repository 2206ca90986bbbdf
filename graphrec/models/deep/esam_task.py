"""Two towers trained with items that were not shown, as a task of the training loop."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from graphrec.models.deep.esam_losses import centre_losses, confident_entropy, covariance_gap
from graphrec.models.deep.recall_task import Compared, RecallTask
from graphrec.negatives.protocol import Rows


class EsamTask(RecallTask):
    """One fit: :class:`graphrec.models.deep.esam.ESAM` has the losses."""

    def _further(self, compared: Compared, rng: np.random.Generator) -> Tensor:
        """Return the three losses by their weights."""
        how = self._recipe
        vectors = self.model.items(self._on(self._not_shown(compared, rng)))[0]
        loss: Tensor = how.alignment * covariance_gap(normalize(compared.positives), normalize(vectors))
        loss = loss + how.clustering * self._centre_loss(compared)
        scores = torch.sigmoid(compared.anchors @ (normalize(vectors) if how.similarity == "cosine" else vectors).T)
        entropy = confident_entropy(scores, low=how.sure_below, high=how.sure_above)
        return loss.add(entropy, alpha=how.self_training)

    def _not_shown(self, compared: Compared, rng: np.random.Generator) -> Rows:
        """Return distinct known items that no user of the step took or refused."""
        unseen = self._known.copy()
        unseen[compared.told] = unseen[compared.own[compared.own >= 0]] = False
        items = np.flatnonzero(unseen)
        return np.sort(rng.choice(items, min(self._recipe.targets, len(items)), replace=False))

    def _centre_loss(self, compared: Compared) -> Tensor:
        """Return the loss of two groups a user, of those who have both: what he took, and his own negatives."""
        n = len(compared.users)
        takers = torch.repeat_interleave(torch.arange(n, device=compared.anchors.device), compared.indptr.diff())
        has = self._on(compared.own >= 0)
        refusers = torch.arange(n, device=takers.device)[:, None].expand(has.shape)[has]
        both = torch.bincount(takers, minlength=n).bool() & has.any(dim=1)
        users, taken, refused = torch.nonzero(both)[:, 0], both[takers], both[refusers]
        return centre_losses(
            torch.cat([compared.positives[taken], compared.single[has][refused]]),
            torch.cat([takers[taken], n + refusers[refused]]), 2 * n, torch.stack([users, n + users], dim=1),
            near=self._recipe.near, far=self._recipe.far,
        )  # fmt: skip
