"""Classes that other distributions bring: declared as entry points, or named as ``package.module:Class``.

A distribution declares its recipes under the group ``graphrec.recipes`` and its recallers, where it needs some of its
own, under ``graphrec.recallers``::

    [project.entry-points."graphrec.recipes"]
    rare = "acme_channels.rare:Rare"

Whoever installs a distribution trusts its code. A bundle is data that may come from anywhere, so a class that it needs
is looked up among the entry points alone, and never imported by a name that the bundle holds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphrec.errors import ConfigError, nearest_names

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

RECIPES, RECALLERS = "graphrec.recipes", "graphrec.recallers"


def declared(group: str) -> dict[str, EntryPoint]:
    """Return what installed distributions declare, by name, in order of names.

    Raises
    ------
    ConfigError
        If two distributions give different things the same name.
    """
    # Here, for it takes as long to import as all the rest of the public face.
    from importlib.metadata import entry_points

    entries: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)):
        other = entries.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise ConfigError(
                f"{entry.name!r} of {group} is declared twice, by {distribution_of(other)} ({other.value}) and "
                f"{distribution_of(entry)} ({entry.value}); uninstall one of them"
            )
    return entries


def distribution_of(entry: EntryPoint) -> str:
    """Return the name and version of the distribution that declares an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def imported(place: str) -> Any:
    """Return the object at ``package.module:Name``.

    Raises
    ------
    ConfigError
        If there is no such module, it cannot be imported, or has no such name.
    """
    module, _, name = place.partition(":")
    try:
        home = importlib.import_module(module)
    except (ImportError, ValueError) as error:
        package = module.partition(".")[0]
        raise ConfigError(
            f"{place!r} cannot be imported ({error}); install the package that brings {package!r}, or put it on "
            "PYTHONPATH"
        ) from error
    if not hasattr(home, name):
        raise ConfigError(f"{place!r}: the module has no {name!r}{nearest_names(name, dir(home))}")
    return getattr(home, name)
