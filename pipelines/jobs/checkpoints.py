"""Checkpoints of a fit in a file, replaced whole or not at all, and checked before they are used."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import State
from graphrec.data.scratch import written_whole

log = logging.getLogger(__name__)


class FileCheckpoints:
    """Keeps the state of one fit in one file: the sha256 of what follows, and an ``.npz``.

    See :class:`graphrec.contracts.progress.Checkpoints`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, npt.NDArray[Any]]:
        """Return what was saved last; empty where nothing was, or where the file is damaged, which is logged."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("the checkpoint %s cannot be read (%s); the fit begins anew", self._path, error.strerror)
            return {}
        digest, saved = content[: hashlib.sha256().digest_size], content[hashlib.sha256().digest_size :]
        if hashlib.sha256(saved).digest() != digest:
            log.warning("the checkpoint %s is damaged; the fit begins anew", self._path)
            return {}
        with np.load(io.BytesIO(saved), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def save(self, state: State) -> None:
        """Write the arrays, all of them or none."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        saved = io.BytesIO()
        np.savez(saved, **state)  # type: ignore[arg-type]
        with written_whole(self._path) as part, part.open("wb") as opened:
            opened.write(hashlib.sha256(saved.getbuffer()).digest())
            opened.write(saved.getbuffer())

    def clear(self) -> None:
        """Remove the file: the fit is over."""
        self._path.unlink(missing_ok=True)
