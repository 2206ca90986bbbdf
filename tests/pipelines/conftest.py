from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.train import Trained, train
from tests.pipelines.shelf import write_shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the configuration of the small shelf."""
    return write_shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="session")
def trained(shelf: Path) -> Trained:
    """Return the small shelf, trained once for all tests."""
    return train(load_config(shelf), shelf.parent / "out")
