"""Running means of weights: beside the sum written out, inside their block alone, and through a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from graphrec.contracts.progress import FitContext
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.weight_means import WeightMeans
from graphrec.models.training import loop
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.graphrec.models.deep.sequence_worlds import rounds

SMALL = SASRec(dim=16, epochs=4, lr=0.02, batch=8, dropout=0.1, last=6, averaged=1.0)


def test_means_are_those_of_the_weights_after_each_step() -> None:
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    means, expected = WeightMeans(module, 4), module.weight.detach().clone()
    for step in range(9):
        with torch.no_grad():
            module.weight.copy_(torch.randn(2, 3))
        kept = min(0.75, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * module.weight.detach()
        now = module.weight.detach().clone()
        with means.within(module):
            torch.testing.assert_close(module.weight.detach(), expected)
        torch.testing.assert_close(module.weight.detach(), now, rtol=0, atol=0)
        means.update(module)


def test_an_error_inside_the_block_leaves_the_weights_as_they_were() -> None:
    module = nn.Linear(3, 2)
    means, now = WeightMeans(module, 4), module.weight.detach() + 1
    with torch.no_grad():
        module.weight.copy_(now)
    with pytest.raises(KeyError), means.within(module):
        raise KeyError
    torch.testing.assert_close(module.weight.detach(), now, rtol=0, atol=0)


def _of_ids(task: Any) -> npt.NDArray[np.float32]:
    return np.array(task.model.items_in.ids.weight.detach().numpy())


def test_what_is_served_is_the_means_and_training_goes_on_from_the_weights() -> None:
    data = rounds()
    task = SMALL._task(data, FitContext(seed=1))
    learnt, _ = task.run(FitContext(seed=1))
    weights = _of_ids(task)
    with task.model.served():
        means = _of_ids(task)
    np.testing.assert_allclose(learnt["items"], means, atol=1e-6)
    assert np.abs(weights - means).max() > 1e-3
    # The same steps were taken as without means.
    plain = replace(SMALL, averaged=0.0)._task(data, FitContext(seed=1))
    plain.run(FitContext(seed=1))
    np.testing.assert_allclose(weights, _of_ids(plain), rtol=1e-5, atol=1e-6)


def test_a_training_that_was_stopped_goes_on_with_its_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, checkpoints = rounds(), FileCheckpoints(tmp_path / "state.npz")
    settings = loop.TrainingSettings
    monkeypatch.setattr(
        "graphrec.models.training.recipe_training.TrainingSettings", lambda **given: settings(**given, checkpoint_s=0.0)
    )

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SMALL.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until, workers=1))
    again: Any = SMALL.fit(data, FitContext(seed=3, checkpoints=checkpoints, workers=1))
    whole: Any = SMALL.fit(data, FitContext(seed=3, workers=1))
    np.testing.assert_allclose(again.targets, whole.targets, rtol=1e-5, atol=1e-6)
