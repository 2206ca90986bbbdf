"""Names of channels and the recipes that they stand for."""

from __future__ import annotations

import pytest

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.errors import ConfigError


def test_the_registry_knows_its_channels() -> None:
    for name in RECIPES:
        if name != "node2vec":
            assert callable(recipe_class(name).fit)
    with pytest.raises(ConfigError, match=r"channel 'item_cf' is not among .*nearest: 'item-cf'"):
        recipe_class("item_cf")
