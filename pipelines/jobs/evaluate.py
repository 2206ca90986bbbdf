"""Measuring a configuration without publishing anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.build import Config
from ..config.load import load_config
from ..progress import Silent, Steps
from ..report.files import write_report
from ..report.report import Report
from .choosing import choose, scaled_to
from .fit_cache import FitCache
from .fitting import fit_channels
from .output import check_output
from .train import measure, prepare


def evaluate(
    config: str | Path | Mapping[str, Any] | Config,
    out: str | Path | None = None,
    *,
    steps: Steps | None = None,
    cached: bool = True,
) -> Report:
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
    settings = load_config(config)
    shown = steps or Silent()
    root = None if out is None else check_output(out, publishes=False)
    cache = FitCache(root) if cached and root is not None else None
    inputs, split, measured = prepare(settings, rejects=root and root / "rejects", steps=shown)
    chosen = choose(settings, measured, shown, cache=cache)
    fitted = chosen.fitted or fit_channels(chosen.config, measured, shown, cache=cache)
    chosen = scaled_to(chosen, fitted.channels, measured, shown)
    report = measure(settings, inputs, split, measured, fitted, chosen, shown)
    if root is not None:
        write_report(report, root)
    return report
