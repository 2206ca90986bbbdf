from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Tables and lines are as wide as on a terminal of 80 columns, whatever the terminal is that the tests run on.
os.environ["COLUMNS"] = "80"

# The first example of a property may compile a kernel; that is no reason to fail it.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of real data that the variable GRAPHREC_DATA names; skip where there is none."""
    folder = os.environ.get("GRAPHREC_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GRAPHREC_DATA does not name a folder of test data")
    return Path(folder)
