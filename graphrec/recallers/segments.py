"""Which segment of users a query belongs to: what the request says, else what is stored of the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.features import Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.recallers.files import read_array, setting, write_array


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The values of one label of users, such as their countries, and the value that each user has.

    Parameters
    ----------
    label : str
        Name of the label, of the label in a request's context.
    labels : Labels
        The values, and the (n_users,) code of each user; -1 where it is not known.
    """

    label: str
    labels: Labels

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.labels.names)

    def of(self, queries: Queries) -> npt.NDArray[np.int32]:
        """Return (n,) int32 segments; -1 where none is known, or a request names one without users."""
        codes = self.labels.codes
        known = (queries.users >= 0) & (queries.users < len(codes))
        segments = np.full(len(queries), -1, dtype=np.int32)
        segments[known] = codes[queries.users[known]]
        for position, text in enumerate(queries.context.get(self.label, ())):
            if text is not None:
                segments[position] = self.labels.names.get(text)
        return segments

    def settings(self) -> dict[str, object]:
        """Return the label and its values, as JSON values."""
        return {"label": self.label, "segments": list(self.labels.names)}

    def save(self, directory: Path, name: str) -> None:
        """Write the codes of the users as ``NAME.npy``; :meth:`settings` is the caller's to keep."""
        write_array(directory, name, self.labels.codes)

    @classmethod
    def load(cls, directory: Path, name: str, settings: Mapping[str, Any]) -> Self:
        """Read what was saved.

        Raises
        ------
        BundleError
            If a file or a setting is missing or damaged.
        DataError
            If codes and values do not fit each other.
        """
        names = setting(settings, "segments", list, directory=directory)
        if not all(isinstance(name, str) for name in names):
            raise DataError(f"the segments are {names!r}; each must be a text")
        label = setting(settings, "label", str, directory=directory)
        return cls(label, Labels(Vocabulary(names), read_array(directory, name, np.int32)))
