"""Temporary directories beside a target, swept away by the next writer where theirs died."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrec.data import scratch

PREFIX = ".graphrec-staging-"


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Make a directory of a new name in ``parent``; remove it at the end, whatever happened."""
    sweep(parent)

    def make() -> Path:
        directory = parent / f"{PREFIX}{uuid.uuid4().hex[:12]}"
        directory.mkdir()
        return directory

    with scratch.owned(make) as directory:
        yield directory


def sweep(parent: Path) -> list[str]:
    """Remove the staging directories in ``parent`` whose writers are dead; return their names."""
    return scratch.sweep(parent, f"{PREFIX}*")
