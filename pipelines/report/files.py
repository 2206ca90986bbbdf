"""The files of a report: ``report.json`` for programs, ``report.html`` for people."""

from __future__ import annotations

from pathlib import Path

from graphrec.data.scratch import written_whole

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


def _replace(path: Path, text: str) -> None:
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
