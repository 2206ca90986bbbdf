"""Settings of a method, and how they make it ready."""

from __future__ import annotations

from typing import Protocol

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller


class Recipe(Protocol):
    """Settings of a method, as a frozen dataclass whose fields are the TOML keys, and how to make it ready."""

    def fit(self, data: RecallData, context: FitContext = ALONE) -> Recaller:
        """Learn from ``data`` and return the channel. Same data and seed give the same answer."""
        ...
