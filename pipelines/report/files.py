"""The files of a report: ``report.json`` for programs, ``report.html`` for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrec.bundle.staging import staging
from graphrec.data.scratch import written_whole
from graphrec.errors import MissingExtraError

from .report import Report


def write_report(report: Report, directory: Path) -> None:
    """Write ``report.json`` and ``report.html`` into a directory, each whole or not at all, rounded to 6 places.

    Parameters
    ----------
    report : Report
        What :func:`graphrec.pipelines.evaluation.evaluate.evaluate` returned.
    directory : Path
        Made if it is missing.

    Raises
    ------
    MissingExtraError
        If matplotlib or jinja2 is not installed; ``report.json`` is written before that.
    """
    rounded = report.rounded()
    directory.mkdir(parents=True, exist_ok=True)
    _replace(directory / "report.json", rounded.to_json())
    from .page import page

    _replace(directory / "report.html", page(rounded))


@contextmanager
def staged_report(directory: Path, report: Report) -> Iterator[Callable[[], None]]:
    """Write the report into ``directory`` under other names; yield what puts it in its place, by renaming alone.

    What needs space on the disk is done before the block, so that a block that publishes is not followed by a failure.

    Raises
    ------
    MissingExtraError
        As :func:`write_report`, after the block.
    """
    with staging(directory) as temporary:
        missing = None
        try:
            write_report(report, temporary)
        except MissingExtraError as error:
            missing = error

        def put() -> None:
            for path in sorted(temporary.iterdir()):
                path.replace(directory / path.name)

        yield put
    if missing is not None:
        raise missing


def _replace(path: Path, text: str) -> None:
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
