"""Settings of a recipe: each is declared once, with its default, what is legal, and what a search may try.

A field of a recipe is declared by a function of this module, and the check, the search space and the tables of the
documentation are derived from that::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class RP3beta(Settings):
        k: int = count(400, least=1, search=ints(50, 2000, log=True))
        alpha: float = number(0.5, search=floats(0.2, 1.5))
        normalise: bool = flag(True, searched=True)
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast, get_args

import numpy as np

from graphrec.contracts.domains import Choices, Domain
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import ConfigError, nearest_names
from graphrec.threads import at_most

_KEY = "setting of a recipe"
_LARGEST = sys.float_info.max
# Longer values are named by their type alone.
_SHOWN = 80

Text = TypeVar("Text", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of a recipe's field besides its name and its default.

    Parameters
    ----------
    legal : str
        What it must be, for people: "a whole number of 1 or more".
    holds : callable
        Returns a value as the recipe holds it; raises ValueError or TypeError where it is not legal.
    unit : str
        Of a number: "users", "days", "positions"; empty where it has none.
    search : Range, Choices or None
        What a search tries where the configuration does not say; None is not searched.
    near : tuple of str
        Legal texts, of which the nearest are named where a text is not legal.
    """

    legal: str
    holds: Callable[[Any], Any] = field(repr=False)
    unit: str = ""
    search: Domain | None = None
    near: tuple[str, ...] = ()

    def checked(self, name: str, value: Any) -> Any:
        """Return ``value`` as the recipe holds it.

        Raises
        ------
        ConfigError
            If it is not legal; the sentence names the field, the value and what is legal.
        """
        try:
            return self.holds(value)
        except (TypeError, ValueError) as error:
            near = nearest_names(value, self.near) if isinstance(value, str) else ""
            raise ConfigError(f"{name} is {_shown(value)}; it must be {self.legal}{near}") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """The base of recipes: a frozen dataclass whose fields are settings, all of them checked alike.

    Raises
    ------
    ConfigError
        If a setting is of a wrong type or outside its range, or two of them do not go together.
    """

    def __init_subclass__(cls) -> None:
        """Have what a recipe learns refuse anything but data and a context, in one sentence."""
        for name in ("fit", "learn", "embed", "choose"):
            learns = cls.__dict__.get(name)
            # A class with slots is made twice, the second time of what the first became.
            if learns is not None and not hasattr(learns, "__wrapped__"):
                setattr(cls, name, _on_data(learns))

    def __post_init__(self) -> None:
        for name, setting in settings_of(type(self)).items():
            object.__setattr__(self, name, setting.checked(name, getattr(self, name)))
        self.check()

    def check(self) -> None:
        """Raise ConfigError where legal settings do not go together; a recipe overrides this where some may not."""


def _on_data(learns: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a recipe that checks the types of its data and context first, and takes its threads."""

    @functools.wraps(learns)
    def checked(self: object, data: object, context: object = ALONE, **options: Any) -> Any:
        recipe = type(self).__name__
        if not isinstance(data, RecallData):
            raise ConfigError(
                f"{recipe} learns from RecallData, not from a {type(data).__name__}; recall_data makes it of what "
                "read_interactions returned"
            )
        if not isinstance(context, FitContext):
            raise ConfigError(
                f"the context of {recipe} is {_shown(context)}; it must be a FitContext, such as FitContext(seed=1)"
            )
        with at_most(context.workers):
            return learns(self, data, context, **options)

    return checked


def settings_of(recipe: type[Any]) -> dict[str, Setting]:
    """Return the declared settings of a recipe's class by the names of their fields, in order."""
    return {own.name: own.metadata[_KEY] for own in fields(recipe) if _KEY in own.metadata}


def space_of(recipe: type[Any]) -> dict[str, Domain]:
    """Return what a search tries of each setting, where the recipe says."""
    return {name: setting.search for name, setting in settings_of(recipe).items() if setting.search is not None}


def count(
    default: int, *, least: int = 0, most: int | None = None, unit: str = "", search: Domain | None = None
) -> int:
    """Declare a whole number from ``least`` to ``most``."""

    def holds(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError
        return int(_within(value, least <= value <= (value if most is None else most)))

    wider = f"a whole number of {least:,} or more" if most is None else f"a whole number from {least:,} to {most:,}"
    legal = f"{least:,}" if most == least else wider
    return cast("int", _declare(default, Setting(legal=legal, holds=holds, unit=unit, search=search)))


def number(
    default: float,
    *,
    least: float = 0.0,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    infinite: bool = False,
    unit: str = "",
    search: Domain | None = None,
) -> float:
    """Declare a number of at least ``least``, or ``above``, and at most ``most``, or ``below``.

    It is finite, unless ``infinite`` allows inf as well.
    """

    def holds(value: Any) -> float:
        if infinite and _number(value) == math.inf:
            return math.inf
        low = _number(value) >= least if above is None else _number(value) > above
        high = value <= (_LARGEST if most is None else most) and (below is None or value < below)
        return float(_within(value, low and high))

    legal = _range_text(least, above, most, below) + (", or inf" if infinite else "")
    return cast("float", _declare(default, Setting(legal=legal, holds=holds, unit=unit, search=search)))


def flag(default: bool, *, searched: bool = False) -> bool:
    """Declare true or false."""

    def holds(value: Any) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise TypeError
        return bool(value)

    search = Choices((True, False)) if searched else None
    return cast("bool", _declare(default, Setting(legal="true or false", holds=holds, search=search)))


def choice(default: Text, among: Any, *, searched: bool = False) -> Text:
    """Declare a text out of ``among``: a Literal, or a sequence of texts."""
    legal: tuple[str, ...] = get_args(among) or tuple(among)

    def holds(value: Any) -> str:
        return str(_within(value, isinstance(value, str) and value in legal))

    names = " or ".join([", ".join(map(repr, legal[:-1])), repr(legal[-1])])
    search = Choices(legal) if searched else None
    return cast("Text", _declare(default, Setting(legal=names, holds=holds, search=search, near=legal)))


def text(default: str = "", *, legal: str = "a text", empty: bool = True) -> str:
    """Declare a text; ``legal`` says for people what it must be."""

    def holds(value: Any) -> str:
        return str(_within(value, isinstance(value, str) and (empty or value != "")))

    return cast("str", _declare(default, Setting(legal=legal, holds=holds)))


def texts(default: Sequence[str] = (), *, legal: str = "a list of texts") -> tuple[str, ...]:
    """Declare a list of texts, held as a tuple."""

    def holds(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
            raise TypeError
        return tuple(value)

    return cast("tuple[str, ...]", _declare(tuple(default), Setting(legal=legal, holds=holds)))


def weights(*, of: str) -> Mapping[str, float]:
    """Declare a table of weights of 0 or more by name, empty by default; ``of`` says whose, for people."""

    def holds(value: Any) -> dict[str, float]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise TypeError
        return {name: float(_within(_number(w), 0 <= w <= _LARGEST)) for name, w in value.items()}

    declared = Setting(legal=f"a table of names of {of} and weights of 0 or more", holds=holds)
    return cast("Mapping[str, float]", field(default_factory=dict, metadata={_KEY: declared}))


def _declare(default: Any, setting: Setting) -> Any:
    return field(default=default, metadata={_KEY: setting})


def _number(value: Any) -> Any:
    """Return the value, or raise TypeError where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError
    return value


def _within(value: Any, legal: bool | np.bool_) -> Any:
    """Return the value, or raise ValueError where it is not ``legal``."""
    if not legal:
        raise ValueError
    return value


def _range_text(least: float, above: float | None, most: float | None, below: float | None) -> str:
    """Return a range of numbers in words."""
    if above is None and most is not None and below is None:
        return f"a number from {least:g} to {most:g}"
    if most is None and below is None:
        return f"a number of {least:g} or more" if above is None else f"a number above {above:g}"
    low = f"of at least {least:g}" if above is None else f"above {above:g}"
    return f"a number {low} and " + (f"below {below:g}" if below is not None else f"at most {most:g}")


def _shown(value: Any) -> str:
    """Return a value for an error's sentence, by its type where it is long."""
    try:
        written = repr(value)
    except Exception:  # a number of more digits than Python writes, or a repr of another package
        written = ""
    return written if 0 < len(written) <= _SHOWN and "\n" not in written else f"a {type(value).__name__}"
