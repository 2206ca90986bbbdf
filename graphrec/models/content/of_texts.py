"""What every recipe has that begins with the vectors of texts and is no channel of vectors itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

from graphrec.contracts.recall_data import RecallData
from graphrec.models.content.text import Text


class OfTexts:
    """A recipe with a ``model`` of texts: what it reads and refuses is what :class:`Text` does."""

    __slots__ = ()

    @abstractmethod
    def _text(self) -> Text:
        """Return what makes the vectors."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read of a folder: a kept fit holds as long as these files stay as they are."""
        return self._text().files

    def seen_from(self, directory: Path) -> Self:
        """Return the recipe with the path of a folder that starts at ``directory``."""
        return cast("Self", replace(cast("Any", self), model=self._text().seen_from(directory).model))

    def check_data(self, data: RecallData) -> None:
        """Raise ConfigError where a column is unknown."""
        self._text().check_data(data)
