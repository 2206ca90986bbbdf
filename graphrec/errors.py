"""Every error that graphrec raises on purpose, and the sentence each one carries.

::

    GraphRecError
    ├── DataError (ValueError)           input rows, arrays, files or graphs that cannot be used
    │   ├── UnknownIdError (KeyError)    an external id that the vocabulary does not hold
    │   └── LeakError                    held-out data would reach training
    ├── ConfigError (ValueError)         a setting with an illegal value, or no setting at all
    ├── BundleError                      a saved artefact that is damaged, mismatched or too new
    ├── ClosedError (RuntimeError)       an engine that was closed and is used all the same
    ├── FetchError (OSError)             a data set that could not be downloaded
    └── MissingExtraError (ImportError)  an optional part that is not installed

A message is one sentence: what is wrong, what was found (file, line, value), and what is legal or what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Sentences of less than this are left as they are.
LONGEST = 300
# Above this a sentence is cut even where no value in it is too long: it lists many names or paths.
_LIST = 1000
_SHOWN = 48
# Quoted texts, runs without a space (paths may be longer), and lists, mappings and objects as Python prints them.
_values = re.compile(r"""'[^'/]{96,}'|"[^"/]{96,}"|[^\s'"/]{96,}|[^\s'"]{400,}|\[.{200,}\]|\{.{200,}\}|\(.{200,}\)""")


class GraphRecError(Exception):
    """Any error raised by graphrec on purpose; the command prints it and exits 2."""

    def __str__(self) -> str:
        # KeyError would print the repr of its argument.
        return shortened(str(self.args[0])) if self.args else self.__class__.__name__


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


class ClosedError(GraphRecError, RuntimeError):
    """An engine that was closed and is used all the same."""


class FetchError(GraphRecError, OSError):
    """A data set that could not be downloaded."""


class MissingExtraError(GraphRecError, ImportError):
    """An optional part that is not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'graphrec[{extra}]'")


def shortened(sentence: str) -> str:
    """Return a sentence on one line in which long values, and at worst its middle, give way to ``…``.

    What is wrong stands at its beginning and what is legal at its end. Paths and lists of names are left whole up to
    1,000 characters; everything else is below 300.
    """
    lines = "\n" in sentence
    if lines:  # a table or an array, as Python prints it
        sentence = " ".join(sentence.split())
    if len(sentence) < LONGEST:
        return sentence
    if len(sentence) > 3 * _LIST:  # before patterns look at it
        sentence = f"{sentence[: 2 * _LIST]}{sentence[-_LIST:]}"
    sentence = _values.sub(lambda found: f"{found[0][:_SHOWN]}…{found[0][-_SHOWN // 2 :]}", sentence)
    longest = LONGEST if lines else _LIST
    if len(sentence) < longest:
        return sentence
    return f"{sentence[: longest // 2]} … {sentence[-longest // 3 :]}"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def nearest_names(name: str, known: Iterable[str], *, n: int = 3) -> str:
    """Return the ``n`` known names closest to ``name`` as ``; nearest: 'a', 'b'``, or an empty string."""
    import difflib  # slow to load, and wanted where something is wrong alone

    close = difflib.get_close_matches(name, list(known), n=n, cutoff=0.6)
    return "; nearest: " + ", ".join(repr(c) for c in close) if close else ""


def brief(value: object, most: int = 60) -> str:
    """Return the repr of a value, cut in the middle where it is longer than ``most``.

    >>> brief("a" * 1000, 12)
    "'aaaa'…'aaaa'"
    """
    if isinstance(value, str | bytes) and len(value) > most:
        half = most // 2 - 2
        return f"{value[:half]!r}…{value[-half:]!r}"
    try:
        shown = repr(value)
    except ValueError:  # an integer of more digits than Python turns into text
        shown = f"{type(value).__name__} that is too long to show"
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
