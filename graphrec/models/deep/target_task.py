"""DIN as a task of the training loop: a softmax of the tower, one of the net, and the tower learns from the net."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from graphrec.models.deep.export_onnx import target_net
from graphrec.models.deep.sequence_task import Examples, SequenceTask
from graphrec.models.deep.sequence_windows import Rows, positions_of
from graphrec.models.deep.target_attention import TargetAware
from graphrec.models.training.loop import Batch

# Score of what is left out.
_NEVER = -1e4


class TargetTask(SequenceTask):
    """One fit of interests and net. Parameters as of :class:`graphrec.models.deep.sequence_task.SequenceTask`."""

    model: TargetAware

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return the sum of the interests' loss, the net's, and how far interests are from what the net says."""
        tower = super().loss(batch, rng)
        read = drawn_prefixes(batch.examples["starts"], batch.examples["lengths"], self._recipe.examples, rng)
        scores, student, labels = self._scores(*read, batch, rng)
        net = cross_entropy(scores, labels)
        distilled = cross_entropy(student, scores.detach().softmax(dim=1))
        total: Tensor = tower + net + self._recipe.distillation * distilled
        return total

    def _scores(
        self, starts: Rows, lengths: Rows, batch: Batch, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (m, 1 + c): the scores by net and by interests of what came next and of c negatives; (m,) zeros."""
        shared, log_q = self._contrasts(batch, rng)
        positions = positions_of(starts, lengths)
        known, items = positions >= 0, self._events.items.astype(np.int64)
        targets = items[starts + lengths]
        parts = [items[positions[known]], targets, shared]
        rows, where = np.unique(np.concatenate(parts), return_inverse=True)
        read, next_, common = (self._on(part) for part in np.split(where, np.cumsum([len(part) for part in parts[:2]])))
        vectors = self.model.items_in(self._on(rows))
        events = self._padded(vectors[read], Examples(positions, np.full_like(positions, -1), lengths))
        m = len(targets)
        candidates = torch.cat([vectors[next_][:, None], vectors[common][None].expand(m, -1, -1)], dim=1)
        correction = np.zeros((m, 1 + len(shared)), dtype=np.float32)
        correction[:, 1:] = np.where(targets[:, None] == shared, -_NEVER, log_q)
        scores = self.model.net(events.vectors, events.lengths, candidates) - self._on(correction)
        interests = self.model.last(events)  # (m, interests, dim)
        student = torch.einsum("mkd,mcd->mkc", interests, candidates).amax(dim=1) - self._on(correction)
        return scores, student, torch.zeros(m, dtype=torch.int64, device=scores.device)

    def _contrasts(self, batch: Batch, rng: np.random.Generator) -> tuple[Rows, npt.NDArray[np.float32]]:
        """Return some of the step's negatives (c,), and the logarithms of how often they were to be expected."""
        shared, log_q = batch.shared["shared"], batch.shared["shared_log_q"]
        n = min(self._recipe.contrasts, len(shared))
        chosen = rng.permutation(len(shared))[:n]
        return shared[chosen].astype(np.int64), (log_q[chosen] + np.log(n / max(len(shared), 1))).astype(np.float32)

    @property
    def _products(self) -> int:
        recipe = self._recipe
        net = recipe.batch * recipe.examples * recipe.contrasts * recipe.last * recipe.hidden
        return int(super()._products + net)

    def _served(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is learnt, and as ``net`` (bytes,) uint8 the ONNX file that scores candidates."""
        return {**super()._served(), "net": np.frombuffer(target_net(self.model.net), dtype=np.uint8)}


def drawn_prefixes(starts: Rows, lengths: Rows, n: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return starts and lengths of ``n`` beginnings of each window: any length from 1 to all events but the last."""
    drawn = 1 + (rng.random((len(starts), n)) * (lengths - 1)[:, None]).astype(np.int64)
    return np.repeat(starts, n), drawn.ravel()
