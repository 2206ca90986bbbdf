"""The output directory of a run: whether it can be used is checked before anything is computed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from graphrec.bundle.publish import is_version
from graphrec.bundle.verify import CURRENT
from graphrec.checks import as_path
from graphrec.errors import ConfigError

REPORT, PAGE = "report.json", "report.html"


def check_output(directory: str | Path, *, publishes: bool) -> Path:
    """Make the output directory where it is missing, and return it.

    Parameters
    ----------
    directory : path
        Where the report goes, and with ``publishes`` the versions of a bundle behind ``current``.

    Raises
    ------
    ConfigError
        If it cannot be made or written into, or holds a report or a ``current`` that is no earlier result of ours:
        somebody else's files are not overwritten. Also if this process is one of several that torchrun started: each
        would measure and publish into the directory.
    """
    _check_alone()
    root = as_path(directory, name="out")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=root, prefix=".graphrec-"):
            pass
    except OSError as error:
        raise ConfigError(f"the output directory {str(root)!r} cannot be written: {error.strerror or error}") from error
    _check_report(root)
    if publishes:
        _check_current(root / CURRENT)
    return root


def _check_alone() -> None:
    """Raise ConfigError in a process that torchrun started beside others."""
    processes = os.environ.get("WORLD_SIZE", "1")
    if "TORCHELASTIC_RUN_ID" in os.environ and processes != "1":
        raise ConfigError(
            f"this is one of {processes} processes of torchrun, and a run that writes a report takes one; start it "
            "without torchrun, or fit the recipe in a script of its own (docs/training.md)"
        )


def _check_report(root: Path) -> None:
    """Raise ConfigError where a report of somebody else's would be overwritten."""
    path, page = root / REPORT, root / PAGE
    if path.exists() or path.is_symlink():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not {"channels", "fused"} <= document.keys():
            raise _foreign(path, "no report of graphrec")
    elif page.exists():
        raise _foreign(page, f"not beside a {REPORT} of graphrec")


def _check_current(link: Path) -> None:
    """Raise ConfigError where ``current`` is anything but a link to a version of a bundle."""
    if not (link.exists() or link.is_symlink()):
        return
    if not link.is_symlink() or not is_version(link.readlink().name):
        raise _foreign(link, "no link to a version of a bundle")


def _foreign(path: Path, what: str) -> ConfigError:
    return ConfigError(f"{str(path)!r} is {what}, and would be overwritten; move it away, or choose another directory")
