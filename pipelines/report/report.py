"""Writing a report: ``report.json`` for programs, ``report.html`` for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphrec.data.scratch import written_whole
from graphrec.escapes import json_text

from .numbers import rounded_values


def write_report(report: Mapping[str, Any], directory: Path) -> None:
    """Write ``report.json`` and ``report.html`` into a directory, each whole or not at all.

    Parameters
    ----------
    report : mapping
        What :func:`graphrec.pipelines.evaluation.evaluate.evaluate` returned; further keys are kept, and shown with the
        settings.
    directory : Path
        Made if it is missing.

    Raises
    ------
    MissingExtraError
        If matplotlib or jinja2 is not installed; ``report.json`` is written before that.
    """
    rounded = rounded_values(report)
    directory.mkdir(parents=True, exist_ok=True)
    text = json_text(rounded, indent=2)
    _replace(directory / "report.json", text + "\n")
    from .page import page

    _replace(directory / "report.html", page(rounded))


def _replace(path: Path, text: str) -> None:
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
