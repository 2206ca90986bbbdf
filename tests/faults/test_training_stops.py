"""Trainings that are stopped by real signals leave a checkpoint from which they go on to the bit."""

from __future__ import annotations

import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext
from graphrec.models.training.loop import TrainingSettings, train
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.faults.figures import report
from tests.faults.processes import start, stop
from tests.graphrec.models.training.training_worlds import FactorTask

EPOCHS = 400
# A command of ours that trains.
SCRIPT = f"""
from pathlib import Path
from graphrec.contracts.progress import FitContext
from graphrec.models.training.loop import TrainingSettings, train
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.cli.root import app
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.graphrec.models.training.training_worlds import FactorTask

def show(done, total, /, **values):
    print(done, flush=True)

@app.command()
def work(path: Path) -> None:
    context = FitContext(seed=3, workers=1, checkpoints=FileCheckpoints(path), progress=show)
    train(FactorTask(dropout=0.5), TrainingSettings(epochs={EPOCHS}, lr=0.05, checkpoint_s=0.2), context)

main()
"""


def weights(checkpoints: FileCheckpoints | None) -> dict[str, np.ndarray]:
    """Train to the end, from a checkpoint where there is one, and return what was learnt."""
    task = FactorTask(dropout=0.5)
    context = FitContext(seed=3, workers=1, checkpoints=checkpoints)
    train(task, TrainingSettings(epochs=EPOCHS, lr=0.05, checkpoint_s=0.2), context)
    return {name: tensor.numpy() for name, tensor in task.model.state_dict().items()}


@pytest.mark.slow
def test_a_training_that_is_stopped_at_any_moment_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, draw, slow, stopped = weights(None), random.Random(8), 0, 0
    path = tmp_path / "state.npz"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = start(["work", path], environment={}, command=(sys.executable, "-c", SCRIPT))
        assert process.stdout is not None
        assert process.stdout.readline()
        time.sleep(0.5 + draw.random())
        end = stop(process, number)
        stopped += end.code != 0
        slow += end.seconds > 2
        assert end.code in (0, 130, 143, -signal.SIGKILL), end.errors
        assert "step" in FileCheckpoints(path).load()
    report("trainings stopped", signals=3, stopped=stopped, slower_than_2_s=slow)
    again = weights(FileCheckpoints(path))
    for name, array in whole.items():
        np.testing.assert_array_equal(again[name], array)
