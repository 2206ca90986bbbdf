"""Where a training computes: a device, and this process among those that torchrun started, by Lightning Fabric."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from graphrec.errors import ConfigError, MissingExtraError, first_line
from graphrec.threads import at_most, default_threads

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def fabric_of(device: str, precision: str) -> Fabric:
    """Return the Fabric of a device such as "cpu" or "cuda:1"; of one process, or of those of torchrun.

    Processes on CPUs talk by gloo. On GPUs each takes that of its local rank, whatever the number in ``device``.

    Raises
    ------
    ConfigError
        If there is no such device.
    MissingExtraError
        If Lightning Fabric is not installed.
    """
    make: Any = _fabric_class()
    kind, index = _parsed(device)
    try:
        if not torch.distributed.is_torchelastic_launched():
            return make(accelerator=kind, devices=[index] if kind == "cuda" else 1, precision=precision)  # type: ignore[no-any-return]
        n_local = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // n_local
        fabric = make(accelerator=kind, devices=n_local, num_nodes=nodes, strategy="ddp", precision=precision)
        fabric.launch()
    except (RuntimeError, ValueError) as error:
        raise ConfigError(f"device {device!r} cannot be used: {first_line(error)}") from error
    return fabric  # type: ignore[no-any-return]


@contextmanager
def threads_of(workers: int) -> Iterator[None]:
    """Let torch take ``workers`` threads within the block (0: as many as there are), shared with local processes."""
    before = torch.get_num_threads()
    with at_most(workers):
        torch.set_num_threads(max(1, default_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
        try:
            yield
        finally:
            torch.set_num_threads(before)


def average_gradients(parameters: Iterable[nn.Parameter], n_processes: int) -> None:
    """Replace the gradients by their mean over the processes; a parameter that one did not use counts as zero there."""
    for weights in parameters if n_processes > 1 else ():
        gradient = weights.grad
        # Whether a gradient is sparse must be known also where there is none.
        is_sparse = torch.tensor(gradient is not None and gradient.is_sparse, device=weights.device, dtype=torch.int32)
        if any(_gather(is_sparse, n_processes)):
            weights.grad = _sum_of_rows(weights, n_processes) / n_processes
        else:
            gradient = torch.zeros_like(weights) if gradient is None else gradient
            torch.distributed.all_reduce(gradient)
            weights.grad = gradient / n_processes


def shorten_gradients(parameters: Iterable[nn.Parameter], longest: float) -> float:
    """Shorten the gradients together to ``longest`` (0 leaves them), in place, and return how long they were."""
    values = []
    for weights in parameters:
        if weights.grad is not None and weights.grad.is_sparse:
            weights.grad = weights.grad.coalesce()  # rows that occur twice are summed up
            values.append(weights.grad.values())
        elif weights.grad is not None:
            values.append(weights.grad)
    if not values:
        return 0.0
    length = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(value) for value in values])))
    if longest and length > longest:
        for value in values:
            value.mul_(longest / length)
    return length


def mean_over_processes(value: float, fabric: Fabric) -> float:
    """Return the mean of a number over the processes."""
    if fabric.world_size == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=fabric.device)
    torch.distributed.all_reduce(total)
    return float(total) / fabric.world_size


def _gather(part: Tensor, n_processes: int) -> list[Tensor]:
    """Return the tensors, all of one shape, of every process."""
    gathered = [torch.empty_like(part) for _ in range(n_processes)]
    torch.distributed.all_gather(gathered, part)
    return gathered


def _sum_of_rows(weights: nn.Parameter, n_processes: int) -> Tensor:
    """Return the sum of the processes' sparse gradients (rows of ``weights``), none of which is made dense.

    Not every backend sums sparse tensors; all of them gather tensors of one length, to which they are filled up here.
    What fills them is cut off again: a row with a gradient of zero is another thing than a row without any.
    """
    rows, values = torch.zeros(0, dtype=torch.int64, device=weights.device), weights.new_zeros((0, *weights.shape[1:]))
    if weights.grad is not None:
        gradient = weights.grad.coalesce()
        rows, values = gradient.indices()[0], gradient.values()
    lengths = [int(length) for length in _gather(torch.tensor(len(rows), device=weights.device), n_processes)]
    missing = max(lengths) - len(rows)
    rows = torch.cat([rows, rows.new_zeros(missing)])
    values = torch.cat([values, values.new_zeros((missing, *values.shape[1:]))])
    all_rows, all_values = (
        torch.cat([own[:length] for own, length in zip(_gather(part, n_processes), lengths, strict=True)])
        for part in (rows, values)
    )
    return torch.sparse_coo_tensor(all_rows[None], all_values, weights.shape).coalesce()


def _parsed(device: str) -> tuple[str, int]:
    """Return the kind of a device and its number."""
    try:
        parsed = torch.device(device)
    except RuntimeError:
        parsed = None
    if parsed is None or parsed.type not in ("cpu", "cuda"):
        raise ConfigError(f"device of a fit is {device!r}; it must be 'cpu', 'cuda' or 'cuda:N'")
    if parsed.type == "cuda" and (parsed.index or 0) >= torch.cuda.device_count():
        n = torch.cuda.device_count()
        raise ConfigError(f"device of a fit is {device!r}, and torch sees {n or 'no'} GPUs here; use device='cpu'")
    return parsed.type, parsed.index or 0


def _fabric_class() -> Any:
    with suppress(ImportError):
        from lightning_fabric import Fabric

        return Fabric
    with suppress(ImportError):  # the whole of Lightning has it under another name
        from lightning.fabric import Fabric as Same  # type: ignore[import-not-found, unused-ignore]

        return Same
    raise MissingExtraError("training by gradient steps (lightning-fabric)", extra="train")
