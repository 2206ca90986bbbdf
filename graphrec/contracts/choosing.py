"""Settings that a recipe chooses on users held out of what it learns from, such as where training stops."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ChosenFit:
    """A recipe whose settings are those that were chosen, and the channel that this recipe makes of the same data.

    ``recipe`` fitted on other data uses what was chosen and searches nothing.
    """

    recipe: Any
    channel: Recaller


@runtime_checkable
class ChoosingRecipe(Recipe, Protocol):
    """A recipe that may choose some of its own settings, by how well held-out users are served.

    What it chooses is a value of its own fields and nothing else. So a choice is checked like any setting, may stand
    in TOML, and fits the recipe again anywhere with the same result; ``fit`` never searches.
    """

    @property
    def chooses(self) -> bool:
        """Whether there is anything to choose: its settings ask for it, and do not already say what was chosen."""
        ...

    def choose(self, data: RecallData, context: FitContext) -> ChosenFit:
        """Choose by ``context.score``, on users that are held out of ``data``.

        The recipe that is returned does not choose again (``chooses`` is false, or it would choose the same), and
        ``recipe.fit(data, context)`` is the channel that is returned.

        Raises
        ------
        ConfigError
            If the context has no ``validation`` or no ``objective``.
        """
        ...

    def fit(self, data: RecallData, context: FitContext = ...) -> Recaller:
        """Learn from ``data`` with the settings as they are."""
        ...


def chooses(recipe: object) -> bool:
    """Return whether a recipe has settings to choose on held-out users."""
    return isinstance(recipe, ChoosingRecipe) and recipe.chooses


def fit_or_choose(recipe: Recipe, data: RecallData, context: FitContext) -> ChosenFit:
    """Return the fit of a recipe, chosen where it chooses and the context holds users out."""
    if context.validation is not None and isinstance(recipe, ChoosingRecipe) and recipe.chooses:
        return recipe.choose(data, context)
    return ChosenFit(recipe, recipe.fit(data, context))


def choices_of(before: Any, after: Any) -> dict[str, Any]:
    """Return the settings in which one recipe differs from what it was before, by name."""
    if not dataclasses.is_dataclass(before) or isinstance(before, type) or type(before) is not type(after):
        raise ConfigError(f"choices are those of two recipes of one kind, not of {type(before)} and {type(after)}")
    names = [setting.name for setting in dataclasses.fields(before)]
    return {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}


def with_choices(recipe: Any, choices: Mapping[str, Any]) -> Any:
    """Return a recipe with settings in place of its own; what :func:`choices_of` returned gives what was chosen."""
    return dataclasses.replace(recipe, **choices) if choices else recipe
