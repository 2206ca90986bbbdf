"""The notebooks under docs/ run as they stand, and are kept without outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs").glob("*.ipynb"))
# A part of a notebook's work, where the whole takes longer than a test should.
SHORTER = {
    "own-graph-network.ipynb": {
        "BOOKS, READERS, EPOCHS = 1000, 800, 10": "BOOKS, READERS, EPOCHS = 200, 150, 1",
        "walks_per_node=10": "walks_per_node=1",
        "epochs=60": "epochs=2",
    }
}


def code_cells(path: Path) -> list[dict[str, Any]]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(path: Path, replacements: dict[str, str]) -> str:
    """Return what the cells of a notebook print, run one after the other in a process of their own."""
    code = "\n\n".join("".join(cell["source"]) for cell in code_cells(path))
    for theirs, ours in replacements.items():
        assert theirs in code
        code = code.replace(theirs, ours)
    # One thread: others would wait for each other where tests run side by side.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code_cells(path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path) -> None:
    assert "epoch 0: loss" in printed(path, SHORTER.get(path.name, {}))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_model_of_a_whole_notebook_beats_popularity(path: Path) -> None:
    lines = [line.split(" ", 2) for line in printed(path, {}).splitlines() if line.startswith("Recall@20 ")]
    recalls = {name: float(recall) for _, recall, name in lines}
    popularity = recalls.pop("popularity")
    assert len(recalls) >= 3
    assert min(recalls.values()) > 1.5 * popularity
