"""Measuring a configuration without publishing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.build import Config
from ..config.load import load_config
from ..progress import Steps
from .train import evaluate_only


def evaluate(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    steps: Steps | None = None,
    cached: bool = True,
) -> dict[str, Any]:
    """Fit every channel on the training part, measure, and return the report.

    Parameters
    ----------
    config : path, mapping or Config
        As for :func:`graphrec.pipelines.config.load.load_config`.
    out : path or None
        Where ``report.json``, ``report.html`` and rejected rows go; nothing is written without it.
    steps : Steps or None
        Where progress is shown.
    cached : bool, default True
        Keep fitted channels in ``out``, as :func:`graphrec.pipelines.jobs.train.train` does.

    Raises
    ------
    GraphRecError
        On input, settings or output that cannot be used.
    """
    return evaluate_only(load_config(config), out, steps=steps, cached=cached)
