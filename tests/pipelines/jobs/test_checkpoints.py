"""The state of a fit survives whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphrec.pipelines.jobs.checkpoints import FileCheckpoints


def test_what_was_saved_last_is_loaded(tmp_path: Path) -> None:
    checkpoints = FileCheckpoints(tmp_path / "deep" / "fit.npz")
    assert checkpoints.load() == {}
    checkpoints.save({"step": np.array(1), "vectors": np.ones((2, 3), dtype=np.float32)})
    checkpoints.save({"step": np.array(2), "vectors": np.full((2, 3), 2, dtype=np.float32)})
    state = checkpoints.load()
    assert int(state["step"]) == 2
    assert state["vectors"].dtype == np.float32
    assert state["vectors"].tolist() == [[2.0] * 3] * 2
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["fit.npz"]
    checkpoints.clear()
    checkpoints.clear()
    assert checkpoints.load() == {}


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"\x80\x04K\x01."])
def test_a_damaged_file_is_a_fit_that_begins_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fit.npz").write_bytes(content)
    assert FileCheckpoints(tmp_path / "fit.npz").load() == {}


def test_a_file_with_any_byte_changed_or_cut_is_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "fit.npz"
    checkpoints = FileCheckpoints(path)
    checkpoints.save({"step": np.array(1)})
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert checkpoints.load() == {}
        path.write_bytes(content[:place])
        assert checkpoints.load() == {}
    assert len(caplog.records) == 2 * len(content)
    assert caplog.records[0].getMessage() == f"the checkpoint {path} is damaged; the fit begins anew"


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    checkpoints = FileCheckpoints(tmp_path / "fit.npz")
    with (tmp_path / "fit.npz").open("wb") as opened:
        np.savez(opened, state=np.array([{}], dtype=object))
    assert checkpoints.load() == {}
