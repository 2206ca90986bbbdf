"""The state of a training as plain arrays, and back: what a checkpoint holds. Nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from graphrec.contracts.progress import State

_MODEL, _OPTIMIZER, _NUMBER = "model/", "optimizer/", "number/"


def arrays_of(model: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Return the parameters and buffers of a model by name; on a CPU they share its memory."""
    return {name: _array(tensor) for name, tensor in model.state_dict().items()}


def put_arrays(model: nn.Module, arrays: State) -> None:
    """Copy what :func:`arrays_of` returned into a model of the same shapes."""
    model.load_state_dict({name: _tensor(arrays[name]) for name in model.state_dict()})


def state_of(model: nn.Module, optimizers: Sequence[Optimizer]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a model and of what its optimizers remember."""
    state = {_MODEL + name: array for name, array in arrays_of(model).items()}
    for place, optimizer in enumerate(optimizers):
        for parameter, remembered in optimizer.state_dict()["state"].items():
            for name, value in remembered.items():
                key = f"{_OPTIMIZER}{place}/{parameter}/"
                # A tensor must come back as a tensor and a number as a number, or the next step is rounded otherwise.
                if isinstance(value, Tensor):
                    state[key + name] = _array(value)
                else:
                    state[key + _NUMBER + name] = np.array(value)
    return state


def put_state(model: nn.Module, optimizers: Sequence[Optimizer], state: State) -> bool:
    """Copy what :func:`state_of` returned back, and return true; false, and nothing, where it is of another model."""
    own = {_MODEL + name: array for name, array in arrays_of(model).items()}
    if any(name not in state or state[name].shape != array.shape for name, array in own.items()):
        return False
    put_arrays(model, {name.removeprefix(_MODEL): state[name] for name in own})
    for place, optimizer in enumerate(optimizers):
        remembered = _remembered(state, f"{_OPTIMIZER}{place}/")
        optimizer.load_state_dict({"state": remembered, "param_groups": optimizer.state_dict()["param_groups"]})
    return True


def _remembered(state: State, prefix: str) -> Mapping[int, dict[str, Any]]:
    """Return what an optimizer remembers, by parameter and name."""
    remembered: dict[int, dict[str, Any]] = {}
    for key in state:
        if key.startswith(prefix):
            parameter, _, name = key.removeprefix(prefix).partition("/")
            is_number = name.startswith(_NUMBER)
            value = state[key].item() if is_number else _tensor(state[key])
            remembered.setdefault(int(parameter), {})[name.removeprefix(_NUMBER)] = value
    return remembered


def _array(tensor: Tensor) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    # A copy: arrays of a file cannot be written to, and torch warns of that.
    return torch.from_numpy(np.array(array))
