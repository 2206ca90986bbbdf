"""Writing a report: ``report.json`` for programs, ``report.html`` for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    text = json.dumps(rounded, ensure_ascii=False, indent=2, allow_nan=False)
    _replace(directory / "report.json", text + "\n")
    from .page import page

    _replace(directory / "report.html", page(rounded))


def _replace(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
