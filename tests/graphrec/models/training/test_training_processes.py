"""Several processes by torchrun train the model that one process trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

SCRIPT = """
import os, sys
import numpy as np
from graphrec.contracts.progress import FitContext
from graphrec.models.training.loop import TrainingSettings, train
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.graphrec.models.training.training_worlds import FactorTask
from pathlib import Path

folder, sparse = Path(sys.argv[1]), sys.argv[2] == "sparse"
task = FactorTask(sparse=sparse, batch=17)  # the last batch has one example: a process goes without
context = FitContext(seed=3, workers=1, checkpoints=FileCheckpoints(folder / "state.npz"))
settings = TrainingSettings(epochs=6, lr=0.05, clip_norm=1.0, checkpoint_s=0.0, patience=9)
train(task, settings, context, validate=lambda: -task.error())
rank = os.environ.get("RANK", "alone")
np.savez(folder / f"{rank}.npz", **{name: tensor.numpy() for name, tensor in task.model.state_dict().items()})
"""


LIGHTGCN = """
import os, sys
import numpy as np
from graphrec.contracts.progress import FitContext
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.worlds import skewed
from pathlib import Path

folder, rank = Path(sys.argv[1]), os.environ.get("RANK", "alone")
shown = []
context = FitContext(seed=3, checkpoints=FileCheckpoints(folder / "state.npz"), record=shown.append)
channel = LightGCN(dim=6, steps=30, negatives=20).fit(skewed(), context)
assert len(shown) == (0 if rank == "1" else 30), len(shown)
np.savez(folder / f"{rank}.npz", items=channel.targets, users=channel.users)
"""


def trained(folder: Path, script: str, *arguments: str) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Return what a script keeps where one process runs it, and what the first and second of two keep."""
    path = folder / "script.py"
    path.write_text(script)
    environment = os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for options, name in (([], "alone"), (launch, "two")):
        (folder / name).mkdir()
        command = [sys.executable, *options, str(path), str(folder / name), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    return [dict(np.load(folder / name)) for name in ("alone/alone.npz", "two/0.npz", "two/1.npz")]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "arguments"), [(SCRIPT, ["dense"]), (SCRIPT, ["sparse"]), (LIGHTGCN, [])])
def test_two_processes_train_what_one_trains(script: str, arguments: list[str], tmp_path: Path) -> None:
    alone, first, second = trained(tmp_path, script, *arguments)
    for name, array in alone.items():
        np.testing.assert_allclose(first[name], array, rtol=1e-3, atol=1e-5)
        np.testing.assert_array_equal(first[name], second[name])
