"""Checkpoints of a fit in a file, replaced whole or not at all."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import State


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
        """Write the arrays under a temporary name and rename it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"{self._path.name}.part")
        with part.open("wb") as opened:
            np.savez(opened, **state)  # type: ignore[arg-type]
        part.replace(self._path)

    def clear(self) -> None:
        """Remove the file: the fit is over."""
        self._path.unlink(missing_ok=True)
