"""Event logs of trainings for TensorBoard, by its own writer."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from graphrec.checks import as_path
from graphrec.contracts.progress import TrainingPoint
from graphrec.errors import MissingExtraError

_MEASURED = ("loss", "validation", "lr", "examples_per_s")


class TensorBoardLog:
    """Writes what a training records into a folder for TensorBoard, point by point.

    It is the ``record`` of a context, and closes at the end of a ``with`` block::

        with gr.TensorBoardLog("runs/lightgcn") as log:
            gr.LightGCN().fit(data, gr.FitContext(record=log))

    The folder and its file are made at the first point. ``tensorboard --logdir runs`` shows the curves ``loss``,
    ``validation``, ``lr`` and ``examples_per_s`` over epochs or steps, whichever the training counts.

    Parameters
    ----------
    folder : path
        Of one training; TensorBoard draws those of one parent beside each other.

    Raises
    ------
    MissingExtraError
        If tensorboard is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = as_path(folder, name="the folder of a TensorBoard log")
        self._event, self._summary, self._open = _writer()
        self._file: Any = None

    def __call__(self, point: TrainingPoint, /) -> None:
        """Write a point; what it does not have is left out."""
        if self._file is None:
            self._file = self._open(str(self._folder))
        measured = ((name, getattr(point, name)) for name in _MEASURED)
        values = [self._summary.Value(tag=name, simple_value=value) for name, value in measured if value is not None]
        self._file.add_event(self._event(step=point.step, wall_time=time.time(), summary=self._summary(value=values)))
        self._file.flush()

    def close(self) -> None:
        """Close the file; nothing happens where it is closed."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _writer() -> tuple[Any, Any, Any]:
    """Return TensorBoard's events, summaries and writer of files."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise MissingExtraError("the log for TensorBoard", extra="tensorboard") from error
    return Event, Summary, EventFileWriter
