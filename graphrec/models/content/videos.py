"""Frames of videos, sampled evenly over their time, as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphrec.errors import MissingExtraError
from graphrec.models.content.pictures import MAX_PIXELS, SIDE, Pixels, UnreadableError, square

# Frames decoded from a place that was sought to the frame that is wanted: the distance of key frames, at most.
_MOST_DECODED = 600


def sampled_frames(path: Path, n: int) -> Pixels:
    """Return up to ``n`` frames of a video, (m, SIDE, SIDE, 3) uint8, at the middles of n equal parts of its time.

    A video whose length is not known gives its first frames.

    Raises
    ------
    UnreadableError
        If it is no video that PyAV reads, is damaged, has no frame, or frames of more than MAX_PIXELS.
    MissingExtraError
        If PyAV or Pillow is not installed.
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
            frames = [_frame_at(container, stream, (part + 0.5) / n) for part in range(n)]
    except UnreadableError:
        raise
    # FFmpeg's errors are OSErrors and ValueErrors of many classes.
    except Exception as error:
        raise UnreadableError("no video, or damaged") from error
    made = [square(frame.to_image()) for frame in frames if frame is not None]
    if not made:
        raise UnreadableError("without frames")
    return np.stack(made).reshape(-1, SIDE, SIDE, 3)


def _frame_at(container: Any, stream: Any, share: float) -> Any | None:
    """Return the frame at a share of a video's time; the last before, where the time runs past the end."""
    start = stream.start_time or 0
    wanted = start + int(share * stream.duration) if stream.duration else start
    container.seek(wanted, stream=stream)
    last = None
    for place, frame in enumerate(container.decode(stream)):
        last = frame
        if place >= _MOST_DECODED or frame.pts is None or frame.pts >= wanted:
            break
    return last
