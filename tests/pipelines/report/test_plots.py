"""Colours of channels."""

from __future__ import annotations

import re

from graphrec.pipelines.report.plots import INK, colour


def test_however_many_channels_there_are_each_has_a_colour_of_its_own() -> None:
    colours = [colour(position) for position in range(60)]
    assert all(re.fullmatch("#[0-9a-f]{6}", text) for text in colours)
    assert len(set(colours)) == 60
    assert INK not in colours
