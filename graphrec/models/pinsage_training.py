"""PinSage's training: batches, losses, gradient steps, and the vectors that come out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from graphrec.contracts.progress import FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.models.early_stopping import EarlyStopping
from graphrec.models.item_inputs import ItemInputs
from graphrec.models.pinsage_batches import Batch, Batches, Frontier, Histories
from graphrec.models.pinsage_losses import margin_loss, softmax_loss
from graphrec.models.pinsage_model import ItemTower, PinSageModel, on
from graphrec.threads import default_threads

if TYPE_CHECKING:
    from graphrec.models.pinsage import PinSage

# The learning rate falls along half a cosine to this share of the greatest.
_LAST_RATE = 0.1
# Standard deviation of the vectors drawn at first.
_SCALE = 0.1
# Products in a step from which on several threads are worth their barriers.
_SHARED_PRODUCTS = 1 << 24
# Seconds between two checkpoints.
_CHECKPOINT_S = 20.0


class Training:
    """One fit: the model, its batches and its optimiser.

    Parameters
    ----------
    recipe : PinSage
        The settings.
    data : RecallData
        Features and sizes are read of it.
    histories : Histories
        Of training.
    tables : NeighbourTable, and NeighbourTable or None
        (n_items, n_items): the items' neighbourhoods, and the band that hard negatives are drawn from.
    context : FitContext
        Seed, device, progress, checkpoints.
    """

    def __init__(
        self,
        recipe: PinSage,
        data: RecallData,
        histories: Histories,
        tables: tuple[NeighbourTable, NeighbourTable | None],
        context: FitContext,
    ) -> None:
        self._recipe, self._context, (self._near, band) = recipe, context, tables
        self._histories = histories
        self._batches = Batches(histories, Frontier(self._near, recipe.layers), recipe.batch_settings(), band)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self._model = model_of(recipe, data, histories).to(device_of(context))
        self._optimiser = torch.optim.Adam(self._model.parameters(), lr=recipe.lr)

    def run(self, stopping: EarlyStopping | None = None) -> State:
        """Train, and return what was learnt, by name.

        Returns
        -------
        mapping of str to ndarray
            ``items`` and ``says`` (n_items, dim) float32: what an item is searched by, and what it says in a history;
            ``users`` (n_users, dim), zero for users without events; ``known`` (n_items,) bool: items with a vector.
        """
        with torch_threads(self._threads()):
            last = self._recipe.stop_at or self._recipe.epochs
            epoch, steps = self._resume(stopping)
            while epoch < last and len(self._batches) and not (stopping is not None and stopping.over):
                loss = self._epoch(epoch, steps, stopping)
                epoch, steps = epoch + 1, 0
                seen = {"loss": loss}
                if stopping is not None and (epoch % self._recipe.check_every == 0 or epoch == last):
                    seen |= stopping.after(epoch, self._learnt(), last=True)
                self._context.progress(epoch, last, **seen)
            return self._learnt()

    def _threads(self) -> int:
        """Return the threads of torch: one where a step is so small that they would only wait for each other."""
        users, items = len(self._histories.indptr) - 1, self._histories.n_items
        products = min(self._recipe.batch, users) * min(self._recipe.negatives, items) * self._recipe.dim
        return default_threads() if products >= _SHARED_PRODUCTS else 1

    def _epoch(self, epoch: int, done: int, stopping: EarlyStopping | None) -> float:
        """Take the steps of one epoch after the first ``done``; return the mean loss."""
        self._model.train()
        # An epoch's draws are its own, so that a fit that was stopped goes on with the same ones.
        rng = np.random.default_rng([self._context.seed, epoch])
        n_hard = min(epoch, self._recipe.hard_negatives)
        losses, saved_at = [], time.monotonic()
        for step, batch in enumerate(islice(self._batches.epoch(rng, n_hard), done, None), done):
            losses.append(self._step(batch, epoch * len(self._batches) + step))
            if time.monotonic() - saved_at >= _CHECKPOINT_S:
                self._save(epoch, step + 1, stopping)
                saved_at = time.monotonic()
        loss = float(torch.stack(losses).mean()) if losses else 0.0
        if not np.isfinite(loss):
            raise ConfigError(
                f"the loss of pinsage is {loss} in epoch {epoch + 1}; lower lr, which is {self._recipe.lr}"
            )
        return loss

    def _step(self, batch: Batch, step: int) -> Tensor:
        """Take one step down the gradient; return the loss before it."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.lr * self._share(step)
        loss = batch_loss(self._model, batch, self._recipe)
        if loss.requires_grad:  # a batch of single events may have nothing to tell
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
        return loss.detach()

    def _share(self, step: int) -> float:
        """Return the share of the learning rate: it rises over the first epoch, then falls."""
        total = len(self._batches) * self._recipe.epochs
        risen = min((step + 1) / len(self._batches), 1.0)
        return risen * (_LAST_RATE + (1 - _LAST_RATE) * (1 + float(np.cos(np.pi * step / total))) / 2)

    @torch.no_grad()
    def _learnt(self) -> dict[str, np.ndarray]:
        """Return what is learnt by now; see :meth:`run`."""
        model, histories = self._model.eval(), self._histories
        items = model.items.embed(self._near, None if model.own is None else model.own.weight)
        n_users = len(histories.indptr) - 1
        users = np.zeros((n_users, self._recipe.dim), dtype=np.float32)
        if model.own is not None:
            users[:] = model.own.weight.cpu().numpy()
            users[np.diff(histories.indptr) == 0] = 0
        known = model.items.inputs.known() | (histories.shares > 0) | (np.diff(self._near.indptr) > 0)
        return {
            "items": items.cpu().numpy(), "says": model.says(items).cpu().numpy(), "users": users, "known": known,
        }  # fmt: skip

    def _save(self, epoch: int, steps: int, stopping: EarlyStopping | None) -> None:
        """Leave a checkpoint after ``steps`` of an epoch."""
        if self._context.checkpoints is None:
            return
        best = {} if stopping is None else stopping.state()
        self._context.checkpoints.save({**self._state(), **best, "place": np.array([epoch, steps])})

    def _state(self) -> dict[str, np.ndarray]:
        """Return parameters and Adam's means, by name."""
        state = {}
        for name, parameter in self._model.named_parameters():
            moments = self._optimiser.state.get(parameter, {})
            state[f"model-{name}"] = parameter.detach().cpu().numpy()
            state |= {f"adam-{name}-{moment}": value.cpu().numpy() for moment, value in moments.items()}
        return state

    def _resume(self, stopping: EarlyStopping | None) -> tuple[int, int]:
        """Take up what was saved last; return the epoch and the steps in it that are done, 0 and 0 without any."""
        saved = {} if self._context.checkpoints is None else self._context.checkpoints.load()
        parameters = dict(self._model.named_parameters())
        if any(saved.get(f"model-{name}", np.empty(0)).shape != of.shape for name, of in parameters.items()):
            return 0, 0
        if "place" not in saved or (stopping is not None and not stopping.resume(saved)):
            return 0, 0
        for name, parameter in parameters.items():
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(saved[f"model-{name}"]))
            moments = {key.rsplit("-", 1)[1]: key for key in saved if key.startswith(f"adam-{name}-")}
            self._optimiser.state[parameter] = {
                moment: torch.tensor(saved[key]).to("cpu" if moment == "step" else parameter.device)
                for moment, key in moments.items()
            }
        epoch, steps = saved["place"].tolist()
        return epoch, steps


def model_of(recipe: PinSage, data: RecallData, histories: Histories) -> PinSageModel:
    """Return the model as it is drawn at first."""
    inputs = ItemInputs(
        len(data.items),
        recipe.dim,
        with_events=histories.shares > 0 if recipe.ids else None,
        features=data.item_features if recipe.features else None,
        tags=data.item_tags if recipe.features else None,
        scale=_SCALE,
    )
    own = recipe.query == "user"
    return PinSageModel(ItemTower(inputs, recipe.layers), len(data.users), own=own, scale=_SCALE)


def batch_loss(model: PinSageModel, batch: Batch, recipe: PinSage) -> Tensor:
    """Return the loss of one batch, a scalar: that over users and items, and that over pairs of items."""
    device = model.items.device
    items = model.vectors(batch.blocks, batch.seeds)
    candidates, log_q = items[on(device, batch.candidates)], on(device, batch.log_q)
    total: Tensor = items.new_zeros(())
    if recipe.user_weight and len(batch.taken):
        users = model.users(batch.users, batch.history_indptr, batch.history, batch.history_weights, items)
        pairs = on(device, batch.owners), items[on(device, batch.taken)]
        total = total + recipe.user_weight * _loss(recipe, users, *pairs, candidates, log_q)
    if recipe.item_weight and len(batch.queries):
        queries = on(device, batch.queries)
        itself = queries[:, None] == on(device, batch.candidates)[None, :]
        hard = items[on(device, batch.hard)] if batch.hard.shape[1] else None
        pairs = torch.arange(len(queries), device=device), items[on(device, batch.partners)]
        own = _loss(recipe, items[queries], *pairs, candidates, log_q, itself=itself, hard=hard)
        total = total + recipe.item_weight * own
    return total


def _loss(
    recipe: PinSage,
    anchors: Tensor,
    owners: Tensor,
    positives: Tensor,
    candidates: Tensor,
    log_q: Tensor,
    *,
    itself: Tensor | None = None,
    hard: Tensor | None = None,
) -> Tensor:
    if recipe.loss == "margin":
        return margin_loss(anchors, owners, positives, candidates, margin=recipe.margin, itself=itself, hard=hard)
    return softmax_loss(
        anchors, owners, positives, candidates, log_q, temperature=recipe.temperature, itself=itself, hard=hard
    )


def device_of(context: FitContext) -> torch.device:
    """Return where torch computes; raise ConfigError where there is no such device."""
    try:
        device = torch.device(context.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(f"the device of a fit is {context.device!r}, which torch cannot use here") from error
    return device


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Have torch take so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
