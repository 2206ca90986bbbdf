"""Frames of videos as pictures: sampled evenly over their time, or one of each scene."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from graphrec.errors import MissingExtraError
from graphrec.models.content.pictures import MAX_PIXELS, SIDE, Pixels, UnreadableError, square

Sampling = Literal["time", "scenes"]

# Frames decoded from a place that was sought to the frame that is wanted: the distance of key frames, at most.
_MOST_DECODED = 600
# Videos of more frames are looked over at this many moments instead of frame by frame, to see where scenes change.
_MOST_EXAMINED, _MOMENTS = 1200, 256
# Side of the pictures that are compared, and the mean difference of two that makes a cut: 0 alike, 1 black to white.
_SMALL, _CUT = 16, 0.08


def sampled_frames(path: Path, n: int, sampling: Sampling = "time") -> Pixels:
    """Return up to ``n`` frames of a video, (m, SIDE, SIDE, 3) uint8, in the order of their time.

    Parameters
    ----------
    path : Path
        The file.
    n : int
        Frames wanted, >= 1.
    sampling : {"time", "scenes"}
        The middles of n equal parts of the time; or the middles of the scenes between the n - 1 clearest cuts, of which
        the longest are halved while there are fewer than n. A video whose length is not known gives its first frames.

    Raises
    ------
    UnreadableError
        If it is no video that PyAV reads, is damaged, has no frame, or frames of more than MAX_PIXELS.
    MissingExtraError
        If PyAV or Pillow is not installed.

    Notes
    -----
    Bounded work, however long the video: n times a key frame's distance (600 frames at most) decoded, and 1,200 more to
    see cuts.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("reading videos (av)", extra="video") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UnreadableError("without pictures")
            stream = container.streams.video[0]
            if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
                raise UnreadableError(f"of more than {MAX_PIXELS:,} pixels")
            moments = (
                _scene_moments(container, stream, n) if sampling == "scenes" else _even_moments(container, stream, n)
            )
            frames = [_frame_at(container, stream, moment) for moment in moments]
    except UnreadableError:
        raise
    # FFmpeg's errors are OSErrors and ValueErrors of many classes.
    except Exception as error:
        raise UnreadableError("no video, or damaged") from error
    made = [square(frame.to_image()) for frame in frames if frame is not None]
    if not made:
        raise UnreadableError("without frames")
    return np.stack(made).reshape(-1, SIDE, SIDE, 3)


def scene_middles(differences: npt.NDArray[np.floating], n: int) -> list[int]:
    """Return up to ``n`` positions among m frames, ascending: the middles of scenes.

    Parameters
    ----------
    differences : ndarray
        (m - 1,) of each frame to the next, 0 to 1.
    n : int
        Positions wanted, >= 1.
    """
    clearest = np.argsort(-differences, kind="stable")[: n - 1]
    cuts = sorted(int(place) + 1 for place in clearest if differences[place] >= _CUT)
    scenes = list(zip([0, *cuts], [*cuts, len(differences) + 1], strict=True))
    while len(scenes) < n:
        start, stop = max(scenes, key=lambda scene: scene[1] - scene[0])  # the first of equals
        if stop - start < 2:
            break
        middle = (start + stop) // 2
        scenes.remove((start, stop))
        scenes += [(start, middle), (middle, stop)]
    return sorted((start + stop - 1) // 2 for start, stop in scenes)


def _scene_moments(container: Any, stream: Any, n: int) -> list[int]:
    """Return the moments of the middles of scenes; even ones where frames have no times."""
    moments, small = [], []
    for frame in _looked_over(container, stream):
        if frame.pts is None:
            return _even_moments(container, stream, n)
        moments.append(int(frame.pts))
        small.append(frame.reformat(width=_SMALL, height=_SMALL, format="rgb24").to_ndarray())
    if not small:
        raise UnreadableError("without frames")
    pictures = np.stack(small).astype(np.float32).reshape(len(small), -1) / 255  # (m, 16 * 16 * 3)
    return [moments[place] for place in scene_middles(np.abs(np.diff(pictures, axis=0)).mean(axis=1), n)]


def _looked_over(container: Any, stream: Any) -> Iterator[Any]:
    """Yield every frame of a short video; of a long one the key frames before even moments, each once."""
    length, rate = _length(container, stream), stream.average_rate
    n_frames = stream.frames or (int(length * stream.time_base * rate) if rate else 0)
    if n_frames <= _MOST_EXAMINED or not length:
        yield from islice(container.decode(stream), _MOST_EXAMINED)
        return
    last = None
    for moment in _even_moments(container, stream, _MOMENTS):
        container.seek(moment, stream=stream)
        frame = next(container.decode(stream), None)
        if frame is not None and frame.pts != last:
            last = frame.pts
            yield frame


def _length(container: Any, stream: Any) -> int:
    """Return the length of a video in units of its stream; 0 where it is not known."""
    if stream.duration:
        return int(stream.duration)
    # Matroska and WebM keep one length for the whole file, in microseconds.
    return int(container.duration / 1_000_000 / stream.time_base) if container.duration else 0


def _even_moments(container: Any, stream: Any, n: int) -> list[int]:
    """Return the middles of n equal parts of a video's time."""
    start, length = stream.start_time or 0, _length(container, stream)
    return [start + int((part + 0.5) / n * length) for part in range(n)]


def _frame_at(container: Any, stream: Any, wanted: int) -> Any | None:
    """Return the frame of a moment; the last before, where the moment runs past the end."""
    container.seek(wanted, stream=stream)
    last = None
    for place, frame in enumerate(container.decode(stream)):
        last = frame
        if place >= _MOST_DECODED or frame.pts is None or frame.pts >= wanted:
            break
    return last
