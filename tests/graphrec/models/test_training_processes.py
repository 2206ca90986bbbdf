"""Several processes by torchrun train the model that one process trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import os, sys
import numpy as np
from graphrec.contracts.progress import FitContext
from graphrec.models.training import TrainingSettings, train
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.graphrec.models.training_worlds import FactorTask
from pathlib import Path

folder, sparse = Path(sys.argv[1]), sys.argv[2] == "sparse"
task = FactorTask(sparse=sparse, batch=17)  # the last batch has one example: a process goes without
context = FitContext(seed=3, workers=1, checkpoints=FileCheckpoints(folder / "state.npz"))
settings = TrainingSettings(epochs=6, lr=0.05, clip_norm=1.0, checkpoint_s=0.0, patience=9)
train(task, settings, context, validate=lambda: -task.error())
rank = os.environ.get("RANK", "alone")
np.savez(folder / f"{rank}.npz", **{name: tensor.numpy() for name, tensor in task.model.state_dict().items()})
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_two_processes_train_what_one_trains(kind: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for options, folder in (([], tmp_path / "alone"), (launch, tmp_path / "two")):
        folder.mkdir()
        command = [sys.executable, *options, str(script), str(folder), kind]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    alone, first, second = (np.load(tmp_path / name) for name in ("alone/alone.npz", "two/0.npz", "two/1.npz"))
    for name in alone.files:
        np.testing.assert_allclose(first[name], alone[name], rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(first[name], second[name])
