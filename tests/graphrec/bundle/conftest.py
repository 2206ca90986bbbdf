"""One bundle of the library, written once; tests copy it before they damage it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.graphrec.bundle.make import fit, write
from tests.worlds import library


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = library()
    return write(tmp_path_factory.mktemp("bundles") / "pristine", data, fit(data))


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))
