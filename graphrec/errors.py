"""Every error that graphrec raises on purpose, and the sentence each one carries.

::

    GraphRecError
    ├── DataError (ValueError)           input rows, arrays, files or graphs that cannot be used
    │   ├── UnknownIdError (KeyError)    an external id that the vocabulary does not hold
    │   └── LeakError                    held-out data would reach training
    ├── ConfigError (ValueError)         a setting with an illegal value, or no setting at all
    ├── BundleError                      a saved artefact that is damaged, mismatched or too new
    ├── FetchError (OSError)             a data set that could not be downloaded
    └── MissingExtraError (ImportError)  an optional part that is not installed

A message is one sentence: what is wrong, what was found (file, line, value), and what is legal or what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class GraphRecError(Exception):
    """Any error raised by graphrec on purpose; the command prints it and exits 2."""

    def __str__(self) -> str:
        # KeyError would print the repr of its argument.
        return str(self.args[0]) if self.args else self.__class__.__name__


class DataError(GraphRecError, ValueError):
    """Input that cannot be used."""


class UnknownIdError(DataError, KeyError):
    """An external id that the vocabulary does not hold."""


class LeakError(DataError):
    """Held-out data would reach training."""


class ConfigError(GraphRecError, ValueError):
    """A setting that is unknown or has an illegal value."""


class BundleError(GraphRecError):
    """A saved artefact that is damaged, does not fit its neighbours, or comes from a newer version."""


class FetchError(GraphRecError, OSError):
    """A data set that could not be downloaded."""


class MissingExtraError(GraphRecError, ImportError):
    """An optional part that is not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'graphrec[{extra}]'")


def nearest_names(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """Return the ``n`` known names closest to ``name`` as ``; nearest: 'a', 'b'``, or an empty string."""
    import difflib  # slow to load, and wanted where something is wrong alone

    close = difflib.get_close_matches(name, list(known), n=n, cutoff=0.6)
    return "; nearest: " + ", ".join(repr(c) for c in close) if close else ""
