"""Logs for TensorBoard: what was recorded is what its own reader finds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import graphrec as gr
from tests.worlds import skewed

pytest.importorskip("tensorboard")


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read: Any = EventAccumulator(str(folder))
    read.Reload()
    return {name: [(entry.step, entry.value) for entry in read.Scalars(name)] for name in read.Tags()["scalars"]}


def test_a_training_is_read_back(tmp_path: Path) -> None:
    points: list[gr.TrainingPoint] = []
    with gr.TensorBoardLog(tmp_path / "deep" / "log") as log:

        def record(point: gr.TrainingPoint, /) -> None:
            points.append(point)
            log(point)

        gr.LightGCN(dim=4, steps=5, negatives=3).fit(skewed(), gr.FitContext(record=record))
    read = scalars(tmp_path / "deep" / "log")
    assert read.keys() == {"loss", "lr"}
    assert [step for step, _ in read["loss"]] == [1, 2, 3, 4, 5]
    assert [value for _, value in read["loss"]] == pytest.approx([point.loss for point in points], rel=1e-6)


def test_a_fit_without_steps_leaves_nothing(tmp_path: Path) -> None:
    with gr.TensorBoardLog(tmp_path / "log") as log:
        gr.ItemCF().fit(skewed(), gr.FitContext(record=log))
    assert not (tmp_path / "log").exists()


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(gr.MissingExtraError, match=r"pip install 'graphrec\[tensorboard\]'"):
        gr.TensorBoardLog(tmp_path)
