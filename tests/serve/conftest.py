"""One engine over the library, and one over the skewed world."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.serve.engine import Engine
from tests.graphrec.bundle.make import fit, write
from tests.worlds import library, skewed


@pytest.fixture(scope="session")
def library_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = library()
    return write(tmp_path_factory.mktemp("library") / "bundle", data, fit(data))


@pytest.fixture(scope="session")
def engine(library_bundle: Path) -> Engine:
    return Engine.open(library_bundle)


@pytest.fixture(scope="session")
def skewed_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    data = skewed()
    return Engine.open(write(tmp_path_factory.mktemp("skewed") / "bundle", data, fit(data)))
