"""The processes that share a computation in numpy: those that torchrun started, or this one alone, without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphrec.threads import at_most, default_threads

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, slots=True)
class Processes:
    """A process among those that share a computation; alone where there is no ``fabric``."""

    fabric: Fabric | None = None

    @property
    def is_first(self) -> bool:
        """Whether this process writes checkpoints, and shows and records progress."""
        return self.fabric is None or self.fabric.global_rank == 0

    def rows(self, n: int) -> tuple[int, int]:
        """Return the first of ``n`` rows that this process computes, and the first that it does not."""
        if self.fabric is None:
            return 0, n
        rank, size = self.fabric.global_rank, self.fabric.world_size
        return n * rank // size, n * (rank + 1) // size

    def add_up(self, *arrays: npt.NDArray[Any]) -> None:
        """Replace each array by its sum over the processes, in place; they all get the same bits."""
        if self.fabric is None or self.fabric.world_size == 1:
            return
        import torch

        for array in arrays:
            total = torch.from_numpy(array).to(self.fabric.device)  # GPUs have a backend that sums there alone
            torch.distributed.all_reduce(total)
            array[...] = total.cpu().numpy()

    def mean(self, value: float) -> float:
        """Return the mean of a number over the processes."""
        total = np.array([value, 1.0])
        self.add_up(total)
        return float(total[0] / total[1])


SINGLE = Processes()


@contextmanager
def launched(device: str) -> Iterator[Processes]:
    """Yield the processes of torchrun, each with its part of the machine's threads; this one alone without it.

    Raises
    ------
    ConfigError
        If ``device`` cannot be used.
    MissingExtraError
        If Lightning Fabric is not installed.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield SINGLE
        return
    from graphrec.models.training.training_processes import fabric_of

    fabric = fabric_of(device, "32-true")
    with at_most(max(1, default_threads() // int(os.environ["LOCAL_WORLD_SIZE"]))):
        yield Processes(fabric)
