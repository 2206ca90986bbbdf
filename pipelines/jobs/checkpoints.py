"""Checkpoints of a fit in a file, replaced whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import State
from graphrec.data.scratch import written_whole


class FileCheckpoints:
    """Keeps the state of one fit in one ``.npz`` file; see :class:`graphrec.contracts.progress.Checkpoints`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was saved last; empty where nothing was, or where the file is damaged: the fit begins anew."""
        try:
            with np.load(self._path, allow_pickle=False) as saved:
                return {name: saved[name] for name in saved.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return {}

    def save(self, state: State) -> None:
        """Write the arrays, all of them or none."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self._path) as part, part.open("wb") as opened:
            np.savez(opened, **state)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Remove the file: the fit is over."""
        self._path.unlink(missing_ok=True)
