"""What recipes of pictures and videos share: files by a column of paths, faults counted, vectors by one network."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.settings import text, texts
from graphrec.data.scratch import written_whole
from graphrec.errors import ConfigError, DataError, MissingExtraError, nearest_names
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.content.captions import captioned
from graphrec.models.content.channel import ContentRecaller, ContentSettings, content_channel, learnt_projection
from graphrec.models.content.pictures import SIDE, Faults, Pixels, UnreadableError
from graphrec.models.content.projection import projected
from graphrec.models.content.text import Text
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.query_encoder import FloatArray
from graphrec.recallers.sentences import unit_rows

_log = logging.getLogger(__name__)
_NETWORK = "efficientnet-lite0"
# Fewer pictures have no mean that could be told from what they show.
_FEWEST = 8
# Pictures that the network sees at a time: its inner layers take a hundred times their bytes.
_BATCH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualSettings(ContentSettings):
    """What the recipes of pictures and videos have in common.

    Parameters
    ----------
    column : str
        The text column of the items that holds paths (``[data.items] texts``); an item without a path has no vector.
    folder : str
        Where relative paths start; a path that leads out of it is not read. Relative itself, it starts at the
        configuration's directory.
    model : str, default "efficientnet-lite0"
        The network of the wheel, exported to ONNX when it is first needed, or the path of an ONNX graph from
        ``pictures`` (n, 224, 224, 3) uint8 to vectors.
    captions : list of str, default []
        Columns that say what is seen, as of :class:`graphrec.models.content.text.Text`: a space of words and pictures
        is learnt of the items that have both, and the channel is searched by sentences. Empty learns none.
    text_model : str, default "wordllama"
        What reads the captions: as ``model`` of :class:`graphrec.models.content.text.Text`.
    cache : str, default ""
        A folder that keeps thumbnails by the sha256 of the file, and the exported network; empty keeps nothing.
    query : {"items", "history", "interests"}
        Votes of the history's items, the items nearest to the mean of the history, or those near to the middle of one
        of its clusters (:class:`graphrec.recallers.interests.InterestRecaller`).
    neighbours, power : int, float
        For ``query="items"``: votes of each history item, and the power of the cosine that a vote weighs.
    interests, spread : int, float
        For ``query="interests"``: clusters that ask at most, and the height at which Ward's tree is cut.
    projection, projection_dim : {"none", "ridge"}, int
        See :class:`graphrec.models.content.channel.ContentSettings`.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the nearest vectors are searched: see :class:`graphrec.channels.families.VectorSettings`.
    """

    column: str = text("image", legal="the name of a text column of the items", empty=False)
    folder: str = text(".", legal="the path of a folder, as a text", empty=False)
    model: str = text(_NETWORK, legal=f'"{_NETWORK}" or the path of an ONNX graph', empty=False)
    captions: tuple[str, ...] = texts(legal="a list of columns of the items")
    text_model: str = text("wordllama", legal='"wordllama", "minilm" or the path of a folder', empty=False)
    cache: str = text("", legal="the path of a folder, as a text")

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: a kept fit holds as long as these files stay as they are."""
        model = () if self.model == _NETWORK else (Path(self.model),)
        words = self._captions().files if self.captions else ()
        return (*model, *words, *sorted(path for path in Path(self.folder).rglob("*") if path.is_file()))

    def seen_from(self, directory: Path) -> Self:
        """Return the recipe with paths that start at ``directory``."""
        return replace(
            self,
            folder=str(directory / self.folder),
            cache=str(directory / self.cache) if self.cache else "",
            model=self.model if self.model == _NETWORK else str(directory / self.model),
            text_model=self._captions().seen_from(directory).model,
        )

    def check_data(self, data: RecallData) -> None:
        """Raise ConfigError where the column is unknown."""
        self._paths(data)
        self._captions().check_data(data)

    def _captions(self) -> Text:
        return Text(columns=self.captions, model=self.text_model)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> ContentRecaller:
        """Return the channel. Time about 30 ms a picture on one thread.

        Raises
        ------
        ConfigError
            If the column or the folder is unknown.
        DataError
            If no file can be used; the sentence counts why.
        MissingExtraError
            If a library is not installed, or the wheel of the network.
        """
        reason = f"because you {{verb}} {{source}}: its {self.column} looks alike"
        vectors, sentences = self._answering(data, context), None
        if self.captions:
            encoder, _, features = self._captions().read(data)
            sentences = captioned(encoder, features, vectors, context.seed)
        return content_channel(self, data, vectors, context, reason=reason, sentences=sentences)

    def embed(self, data: RecallData, context: FitContext = ALONE) -> EmbeddingTable:
        """Return the vectors of the items whose file can be used, by id; the pool plays no part. Raises as ``fit``."""
        vectors = self._answering(data, context)
        rows = np.flatnonzero(vectors.any(axis=1))
        return EmbeddingTable(data.items.take(rows), vectors[rows])

    def vectors(self, data: RecallData) -> FloatArray:
        """Return (n_items, dim) float32 of length 1; zero where there is no path, or its file cannot be used."""
        paths, faults = self._paths(data), Faults()
        made = self._seen(paths, faults)
        _log.info("%d of %d items have a vector by %s; %s", len(made), len(paths), self.column, faults)
        if not made:
            n = sum(map(bool, paths))
            raise DataError(f"no file of the column {self.column!r} can be used, of {n:,} paths: {faults}")
        rows, known = np.array(list(made)), np.stack(list(made.values()))
        vectors = np.zeros((len(paths), known.shape[1]), dtype=np.float32)
        # What all pictures have in common (their features are 0 or more) says nothing.
        vectors[rows] = known - known.mean(axis=0) if len(rows) > _FEWEST else known
        return unit_rows(vectors)

    def _answering(self, data: RecallData, context: FitContext) -> FloatArray:
        """Return the vectors (n_items, dim), projected where that is chosen."""
        vectors = self.vectors(data)
        learnt = learnt_projection(self, data, vectors, vectors, context)
        return vectors if learnt is None else projected(vectors, learnt)

    def _seen(self, paths: Sequence[str | None], faults: Faults) -> dict[int, FloatArray]:
        """Return by row the mean vector (dim,) of what a file shows; count the files that cannot be used."""
        network, made = self._network(), {}
        for row, name in enumerate(paths):
            if not name:
                continue
            try:
                frames = self.frames(self._inside(name))
            except UnreadableError as error:
                faults.add(str(error), name)
            else:
                parts = [unit_rows(network({"pictures": part})) for part in _parts(frames)]
                made[row] = np.concatenate(parts).mean(axis=0)
        return made

    def frames(self, path: Path) -> Pixels:
        """Return the (m, 224, 224, 3) pictures that a file is judged by."""
        raise NotImplementedError

    @property
    def cache_folder(self) -> Path | None:
        """Where thumbnails are kept, if they are."""
        return Path(self.cache) if self.cache else None

    def _paths(self, data: RecallData) -> list[str | None]:
        """Return the path of each item."""
        texts = data.item_features.texts if data.item_features is not None else {}
        if self.column not in texts:
            near = nearest_names(self.column, texts)
            raise ConfigError(
                f"column {self.column!r} is not among the texts of the items: {', '.join(texts) or 'none'}{near}"
            )
        paths: list[str | None] = texts[self.column].to_pylist()
        return paths

    def _inside(self, name: str) -> Path:
        """Return the path of a file inside the folder."""
        folder = Path(self.folder).absolute()
        try:
            path = Path(os.path.realpath(folder / name))
        except ValueError as error:  # a NUL in it
            raise UnreadableError("not readable") from error
        if not path.is_relative_to(os.path.realpath(folder)):
            raise UnreadableError("outside the folder")
        return path

    def _network(self) -> Callable[[dict[str, Pixels]], FloatArray]:
        """Return the network; exported where it is not kept."""
        if self.model != _NETWORK:
            return _tower(Path(self.model))
        kept = None if self.cache_folder is None else self.cache_folder / f"{_NETWORK}.onnx"
        if kept is not None and kept.is_file():
            return _tower(kept)
        content = _exported()
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(kept) as part:
                part.write_bytes(content)
        return OnnxTower(content, _NETWORK)


def _parts(frames: Pixels) -> list[Pixels]:
    return [frames[start : start + _BATCH] for start in range(0, len(frames), _BATCH)]


def _tower(path: Path) -> OnnxTower:
    try:
        tower = OnnxTower(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"the network {path} cannot be read ({error.strerror})") from error
    tower({"pictures": np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)})
    return tower


def _exported() -> bytes:
    """Return the network of the wheel as ONNX, which takes torch."""
    try:
        from graphrec.models.content.efficientnet import export_efficientnet
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"exporting {_NETWORK} (torch)", extra="train") from error
    return export_efficientnet()
