"""What a training loop is handed: a model, its batches, its loss, and the settings of gradient descent."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from graphrec.contracts.settings import Settings, choice, count, number
from graphrec.errors import ConfigError

Arrays = Mapping[str, npt.NDArray[Any]]
Decay = Literal["cosine", "linear", "none"]
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The examples of one gradient step; cheap to make, for a training that goes on runs past those it has seen.

    Parameters
    ----------
    examples : mapping of str to ndarray
        Arrays (n, …), a row an example; several processes divide them along the first axis.
    shared : mapping of str to ndarray
        Arrays that every process needs whole, such as negatives that all examples of the step share.
    """

    examples: Arrays
    shared: Arrays = field(default_factory=dict)

    def __len__(self) -> int:
        """Return n."""
        return min((len(array) for array in self.examples.values()), default=0)

    def part(self, rank: int, n_processes: int) -> Batch:
        """Return the examples of process ``rank``: every ``n_processes``-th, without a copy."""
        return Batch({name: array[rank::n_processes] for name, array in self.examples.items()}, self.shared)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parameters that learn alike: ``lr_scale`` times the learning rate, and a weight decay of their own."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0
    weight_decay: float = 0.0


class Task(ABC):
    """What is trained. A recipe builds one (within :func:`seeded`, so that its first weights follow from the seed)."""

    model: nn.Module
    """Everything that learns, an ``nn.ModuleDict`` where it is several; it is moved to the device of the training."""

    @property
    @abstractmethod
    def n_batches(self) -> int:
        """Batches of an epoch."""

    @abstractmethod
    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[Batch]:
        """Yield the ``n_batches`` batches of epoch 0, 1, …; everything drawn for them comes from ``rng``.

        All processes get the same ``rng`` and must yield the same: they divide each batch themselves.
        """

    @abstractmethod
    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        """Return the mean loss () over the examples of ``batch``, with a graph for gradients.

        ``batch`` is this process's part of one that :meth:`batches` yielded. ``rng`` is for what is drawn by the way,
        such as neighbourhoods; it follows from the seed, the step and the process, and so does torch's own generator
        (dropout). The result is the same on any number of processes as far as an example's loss depends on itself and
        on ``batch.shared``.
        """

    def groups(self) -> Sequence[Group]:
        """Return the parameters that learn; by default all of the model's, alike.

        The weights of an ``nn.Embedding(sparse=True)`` learn by SparseAdam, without weight decay: only rows of the
        batch are touched. All others learn by AdamW.
        """
        return [Group([weights for weights in self.model.parameters() if weights.requires_grad])]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings(Settings):
    """How a task is trained; recipes have fields of the same names, as far as people should set them.

    Parameters
    ----------
    epochs : int, default 10
        Passes over the batches, >= 1.
    stop_at : int, default 0
        Epochs after which training stops while the learning rate falls as for ``epochs``; 0 goes to the end.
    patience, check_every : int, default 0 and 1
        Where held-out users are checked: checks in a row that may be no better than the best before training stops (0
        trains all epochs and keeps the last), and epochs between two checks.
    lr : float, default 0.001
        Greatest learning rate, > 0.
    warm_up : float, default 0.0
        Share of the steps in which the learning rate rises to ``lr`` in a line, from 0 to below 1.
    decay : {"cosine", "linear", "none"}
        How it falls afterwards, to ``last_lr`` times ``lr`` at the last step.
    last_lr : float, default 0.1
        From 0 to 1.
    clip_norm : float, default 0.0
        Longest gradient over all parameters; longer ones are shortened. 0 leaves them.
    precision : {"32-true", "bf16-mixed"}
        float32, or bfloat16 where autocast allows it.
    checkpoint_s : float, default 20.0
        Seconds between two checkpoints, where the context keeps them.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or ``stop_at`` beyond ``epochs``.
    """

    epochs: int = count(10, least=1, unit="epochs")
    stop_at: int = count(0, unit="epochs")
    patience: int = count(0, unit="checks")
    check_every: int = count(1, least=1, unit="epochs")
    lr: float = number(0.001, above=0)
    warm_up: float = number(0.0, least=0.0, below=1.0)
    decay: Decay = choice("cosine", Decay)
    last_lr: float = number(0.1, least=0.0, most=1.0)
    clip_norm: float = number(0.0)
    precision: Precision = choice("32-true", Precision)
    checkpoint_s: float = number(20.0, unit="s")

    def check(self) -> None:
        """Refuse to stop after the last epoch."""
        if self.stop_at > self.epochs:
            raise ConfigError(f"stop_at is {self.stop_at}; it must be at most epochs, which is {self.epochs}, or 0")

    def lr_at(self, step: int, n_steps: int) -> float:
        """Return the learning rate of step 0, 1, … of ``n_steps``."""
        rising = math.ceil(self.warm_up * n_steps)
        if step < rising:
            return self.lr * (step + 1) / rising
        share = (step - rising) / max(1, n_steps - 1 - rising)
        fallen = {"cosine": (1 - math.cos(math.pi * share)) / 2, "linear": share, "none": 0.0}[self.decay]
        return self.lr * (1 - (1 - self.last_lr) * fallen)


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Let torch draw from a seed made of ``key`` within the block, and from where it was after it."""
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(devices=devices):
        reseed(*key)
        yield


def reseed(*key: int) -> None:
    """Set torch's generators, those of GPUs in use too, to a seed made of ``key``, numbers of 0 or more."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
