"""Frames of scenes: where a film is cut, and that long films cost no more than short ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.models.content import videos
from graphrec.models.content.pictures import SIDE, UnreadableError
from graphrec.models.content.videos import sampled_frames, scene_middles
from tests.graphrec.models.content.media import COLOURS, folder, write_video

RED, BLUE, GREEN = (COLOURS[name] for name in ("red", "blue", "green"))


def strongest(frames: Any) -> list[int]:
    """Return which of red, green and blue is strongest in the middle of each frame."""
    return [int(channel) for channel in frames[:, SIDE // 2, SIDE // 2].argmax(axis=1)]


def test_the_middles_of_scenes_by_hand() -> None:
    assert scene_middles(np.array([0, 0, 0.5, 0, 0, 0, 0, 0, 0]), 2) == [1, 6]
    assert scene_middles(np.array([0, 0.5, 0, 0.9, 0]), 2) == [1, 4]  # the clearest cut
    assert scene_middles(np.array([0, 0.01, 0, 0]), 2) == [0, 3]  # no cut at all: halves
    assert scene_middles(np.array([]), 4) == [0]
    assert scene_middles(np.array([0.5, 0.5]), 1) == [1]


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(1, 12))
def test_middles_are_as_many_places_as_there_can_be(differences: list[float], n: int) -> None:
    chosen = scene_middles(np.array(differences), n)
    assert len(chosen) == min(n, len(differences) + 1)
    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] <= len(differences)


def test_a_short_scene_is_seen_that_even_moments_miss(tmp_path: Path) -> None:
    write_video(tmp_path / "cut.mp4", [RED] * 24 + [GREEN] * 3 + [BLUE] * 5)
    by_time, by_scene = (sampled_frames(tmp_path / "cut.mp4", 3, sampling) for sampling in ("time", "scenes"))
    assert 1 not in strongest(by_time)
    assert strongest(by_scene) == [0, 1, 2]


def test_a_film_without_cuts_is_sampled_over_its_time(tmp_path: Path) -> None:
    assert sampled_frames(folder() / "red.mp4", 3, "scenes").shape == (3, SIDE, SIDE, 3)
    assert len(sampled_frames(folder() / "red.mp4", 99, "scenes")) == 4  # all that it has


def test_long_films_are_looked_over_at_few_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "long.mp4", [RED] * 30 + [GREEN] * 30 + [BLUE] * 30)
    monkeypatch.setattr(videos, "_MOST_EXAMINED", 20)
    monkeypatch.setattr(videos, "_MOMENTS", 12)
    seen: list[Any] = []
    looked_over = videos._looked_over

    def counted(*given: Any) -> list[Any]:
        seen.extend(looked_over(*given))
        return seen

    monkeypatch.setattr(videos, "_looked_over", counted)
    assert strongest(sampled_frames(tmp_path / "long.mp4", 3, "scenes")) == [0, 1, 2]
    assert len(seen) <= 12


def test_a_file_that_keeps_its_length_as_a_whole_is_sampled_over_it(tmp_path: Path) -> None:
    write_video(tmp_path / "two.mkv", [RED] * 8 + [BLUE] * 8)
    with av.open(str(tmp_path / "two.mkv")) as container:
        assert not container.streams.video[0].duration
    assert strongest(sampled_frames(tmp_path / "two.mkv", 2)) == [0, 2]


def test_a_video_without_frames_or_pictures_says_so(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    write_video(tmp_path / "none.mkv", [])
    for sampling in ("time", "scenes"):
        with pytest.raises(UnreadableError, match="without pictures"):
            sampled_frames(tmp_path / "sound.wav", 2, sampling)
        with pytest.raises(UnreadableError, match=r"without frames|without pictures|no video, or damaged"):
            sampled_frames(tmp_path / "none.mkv", 2, sampling)
