"""The training loop of every model that learns by gradient steps in torch: one path for CPU, GPU and processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.optim import Optimizer

from graphrec.contracts.progress import FitContext, State, TrainingPoint
from graphrec.errors import ConfigError
from graphrec.models.training.early_stopping import EarlyStopping
from graphrec.models.training.training_points import points_of, table_of
from graphrec.models.training.training_processes import (
    average_gradients,
    fabric_of,
    mean_over_processes,
    shorten_gradients,
    threads_of,
)
from graphrec.models.training.training_state import arrays_of, put_arrays, put_state, state_of
from graphrec.models.training.training_task import Batch, Group, Task, TrainingSettings, reseed, seeded

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Batch", "Group", "Task", "TrainingHistory", "TrainingSettings", "seeded", "train"]


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """What a training recorded: a point an epoch, and the epoch whose weights the model has at the end."""

    points: tuple[TrainingPoint, ...]
    epoch: int


def train(
    task: Task,
    settings: TrainingSettings,
    context: FitContext,
    *,
    validate: Callable[[], float] | None = None,
) -> TrainingHistory:
    r"""Train the model of a task, and return what was recorded at each epoch.

    A step takes the gradient of the mean loss over the examples of a batch, shortened to ``clip_norm``, and one step of
    AdamW (SparseAdam for sparse embeddings). Under ``torchrun`` each process takes its part of every batch and the
    gradients are averaged, so that all processes hold the same model throughout; checkpoints, progress and records are
    those of the first, and all must be able to read them.

    Everything that is drawn follows from ``context.seed`` and the number of the step, torch's global generators come
    back as they were. On a CPU the same seed and number of threads give the same weights to the bit, also where the
    training was stopped and went on from a checkpoint.

    Parameters
    ----------
    task : Task
        Its model is trained in place, on ``context.device``, and stays there.
    settings : TrainingSettings
        How.
    context : FitContext
        Seed, device, threads, progress, record and checkpoints.
    validate : callable or None
        How well the model as it is serves held-out users; higher is better. It is called with gradients off and the
        model in evaluation mode. With ``patience`` the model ends as it was at the best check.

    Returns
    -------
    TrainingHistory
        With ``patience`` its ``epoch`` is what a recipe that chooses sets ``stop_at`` to.

    Raises
    ------
    ConfigError
        If the loss or a gradient is no longer finite, with step, batch and what to change; the last good state is kept
        as checkpoint. If there is no such device, or the task yields other than ``n_batches`` batches.
    MissingExtraError
        If Lightning Fabric is not installed.

    Notes
    -----
    Memory is three times the model's (weights and Adam's two means), one more with gradients, one more on the CPU with
    ``patience``.
    """
    with threads_of(context.workers):
        training = _Training(task, settings, context, validate)  # GPUs are in use from here on
        with seeded(context.seed):
            return training.run()


@dataclass(slots=True)
class _Epoch:
    """What was summed up since the epoch began."""

    loss: float = 0.0
    examples: int = 0
    seconds: float = 0.0

    def add(self, loss: float, examples: int, seconds: float) -> None:
        self.loss += loss * examples
        self.examples += examples
        self.seconds += seconds

    @property
    def shown(self) -> dict[str, float]:
        """The mean loss and the throughput."""
        return {"loss": self.loss / max(1, self.examples), "examples_per_s": self.examples / max(1e-9, self.seconds)}


@dataclass(slots=True)
class _Training:
    """One training under way."""

    task: Task
    settings: TrainingSettings
    context: FitContext
    validate: Callable[[], float] | None
    step: int = 0
    epoch: _Epoch = field(default_factory=_Epoch)
    points: list[TrainingPoint] = field(default_factory=list)
    # False while a step or the end of an epoch changes what a checkpoint holds.
    whole: bool = True
    saved_at: float = field(default_factory=time.monotonic)
    fabric: Fabric = field(init=False)
    optimizers: list[Optimizer] = field(init=False)
    stopping: EarlyStopping = field(init=False)

    def __post_init__(self) -> None:
        self.fabric = fabric_of(self.context.device, self.settings.precision)
        self.task.model.to(self.fabric.device)
        self.optimizers = _optimizers(self.task, self.settings)
        patience = self.settings.patience or self.settings.epochs
        self.stopping = EarlyStopping(self._score, every=self.settings.check_every, patience=patience)

    @property
    def _last_epoch(self) -> int:
        return self.settings.stop_at or self.settings.epochs

    def run(self) -> TrainingHistory:
        """Train to the end, or to where checks were no better."""
        n_batches = self.task.n_batches
        if n_batches:
            self._resume()
            try:
                self._run_epochs(n_batches)
            except KeyboardInterrupt:
                self._save()
                raise
        if self.stopping.step and self.settings.patience:
            put_arrays(self.task.model, self.stopping.learnt)
            return TrainingHistory(tuple(self.points), self.stopping.step)
        return TrainingHistory(tuple(self.points), len(self.points))

    def _run_epochs(self, n_batches: int) -> None:
        while True:
            # An epoch whose end was broken off is ended first.
            if self.step == n_batches * (len(self.points) + 1):
                self._end_epoch()
            if len(self.points) == self._last_epoch or self.stopping.over:
                return
            self._run_epoch(len(self.points), n_batches)

    def _run_epoch(self, epoch: int, n_batches: int) -> None:
        """Take the steps of an epoch that have not been taken."""
        self.task.model.train()
        number = -1
        for number, batch in enumerate(self.task.batches(epoch, np.random.default_rng([self.context.seed, epoch]))):
            if number < n_batches and epoch * n_batches + number >= self.step:
                self._take_step(batch, number)
        if number + 1 != n_batches:
            raise ConfigError(f"epoch {epoch} of the task has {number + 1} batches; n_batches is {n_batches}")

    def _take_step(self, batch: Batch, number: int) -> None:
        started = time.perf_counter()
        loss = self._gradients(batch, number)
        rate = self.settings.lr_at(self.step, self.settings.epochs * self.task.n_batches)
        self.whole = False
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["lr_scale"]
            optimizer.step()
        self.step += 1
        self.epoch.add(loss, len(batch), time.perf_counter() - started)
        self.whole = True
        if self._first:
            self.context.progress(self.step, self._last_epoch * self.task.n_batches, **self._shown())
        if time.monotonic() - self.saved_at >= self.settings.checkpoint_s:
            self._save()

    def _gradients(self, batch: Batch, number: int) -> float:
        """Leave the gradients of the batch's mean loss with the parameters, and return that loss."""
        rank, n_processes = self.fabric.global_rank, self.fabric.world_size
        key = (self.context.seed, self.step, rank)
        reseed(*key)
        part = batch.part(rank, n_processes)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        value = 0.0
        if len(part):
            with self.fabric.autocast():
                loss = self.task.loss(part, np.random.default_rng(key))
            # The mean over processes of these is the mean over the examples of the whole batch.
            loss = loss * (len(part) * n_processes / len(batch))
            self.fabric.backward(loss)
            value = loss.item()
        average_gradients(self._parameters(), n_processes)
        value = mean_over_processes(value, self.fabric)
        norm = shorten_gradients(self._parameters(), self.settings.clip_norm)
        if not (math.isfinite(value) and math.isfinite(norm)):
            self._save()
            raise ConfigError(self._broken("loss" if not math.isfinite(value) else "gradient", batch, number))
        return value

    def _broken(self, what: str, batch: Batch, number: int) -> str:
        """Return what to say of a loss or gradient that is not finite."""
        where = f"the {what} is not finite at step {self.step + 1}, batch {number + 1} of epoch {len(self.points) + 1}"
        kept = "" if self.context.checkpoints is None else f"; the state after step {self.step} is kept"
        bad = [name for name, array in batch.examples.items() if not _finite(array)]
        if bad:
            return f"{where}: its {bad[0]!r} has numbers that are not finite; mend the data{kept}"
        if self.settings.precision != "32-true":
            return f"{where}: likely for {self.settings.precision}; use precision='32-true', or lower lr{kept}"
        clip = "" if self.settings.clip_norm else ", or set clip_norm, such as 1.0"
        return f"{where}: likely lr, which is {self.settings.lr}, is too high; lower it{clip}{kept}"

    def _end_epoch(self) -> None:
        """Check the model where a check is due, and record the epoch."""
        self.whole = False
        seen = self.epoch.shown
        epoch = len(self.points) + 1
        if self.validate is not None:
            seen |= self.stopping.after(epoch, arrays_of(self.task.model), last=epoch == self._last_epoch)
        point = TrainingPoint(unit="epoch", step=epoch, lr=self.settings.lr_at(self.step - 1, self._n_steps), **seen)
        self.points.append(point)
        self.epoch = _Epoch()
        self.whole = True
        if self._first:
            self.context.record(point)

    @property
    def _n_steps(self) -> int:
        return self.settings.epochs * self.task.n_batches

    @property
    def _first(self) -> bool:
        return self.fabric.global_rank == 0

    def _score(self, _learnt: State) -> float:
        """Return how well the model serves held-out users; the same number in all processes. NaN where none are."""
        if self.validate is None:
            return math.nan
        self.task.model.train(mode=False)
        self.whole = True  # a check takes long and changes nothing
        with torch.no_grad():
            score = mean_over_processes(self.validate(), self.fabric)
        self.whole = False
        return score

    def _shown(self) -> dict[str, float]:
        """Return what progress shows: the loss of the epoch so far, the throughput, and the last check."""
        checks = [point.validation for point in self.points if point.validation is not None]
        return self.epoch.shown | ({"validation": checks[-1]} if checks else {})

    def _parameters(self) -> Iterator[nn.Parameter]:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                yield from group["params"]

    def _save(self) -> None:
        """Keep a checkpoint, unless what it would hold is half changed."""
        self.saved_at = time.monotonic()
        if self.context.checkpoints is None or not self.whole or not self._first:
            return
        epoch = [self.epoch.loss, self.epoch.examples, self.epoch.seconds]
        self.context.checkpoints.save(
            state_of(self.task.model, self.optimizers)
            | {f"stopping/{name}": array for name, array in self.stopping.state().items()}
            | {"step": np.array(self.step), "epoch": np.array(epoch), "points": table_of(self.points)}
        )

    def _resume(self) -> None:
        """Go on from the last checkpoint, where there is one of this training."""
        saved = {} if self.context.checkpoints is None else self.context.checkpoints.load()
        if "points" in saved and put_state(self.task.model, self.optimizers, saved):
            self.step = int(saved["step"])
            loss, examples, seconds = saved["epoch"].tolist()
            self.epoch = _Epoch(loss, int(examples), seconds)
            self.points = points_of(saved["points"], "epoch")
            prefix = "stopping/"
            self.stopping.resume({key.removeprefix(prefix): saved[key] for key in saved if key.startswith(prefix)})
        # Else the processes would train different models without a word.
        if mean_over_processes(float(self.step), self.fabric) != self.step:
            raise ConfigError("the processes read different checkpoints; keep them where all processes can read")
        for point in self.points if self._first else ():
            self.context.record(point)


def _optimizers(task: Task, settings: TrainingSettings) -> list[Optimizer]:
    """Return AdamW over the dense parameters and SparseAdam over those of sparse embeddings, whichever there are."""
    sparse = {module.weight for module in task.model.modules() if isinstance(module, nn.Embedding) and module.sparse}
    groups: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for group in task.groups():
        for of_rows in (False, True):
            members = [weights for weights in group.parameters if (weights in sparse) is of_rows]
            if members:
                decay = {} if of_rows else {"weight_decay": group.weight_decay}
                groups[of_rows].append({"params": members, "lr_scale": group.lr_scale, **decay})
    made: list[Optimizer] = []
    if groups[False]:
        # One pass over the weights of a group: several times faster on a processor, where most are rows of tables.
        made.append(torch.optim.AdamW(groups[False], lr=settings.lr, fused=True))
    if groups[True]:
        made.append(torch.optim.SparseAdam(groups[True], lr=settings.lr))
    return made


def _finite(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
