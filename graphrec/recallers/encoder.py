"""Recall by a tower: an ONNX graph makes a query's vector of user, features and history, an index finds the items."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts
from graphrec.data.lists import empty_lists
from graphrec.errors import BundleError, ConfigError
from graphrec.index import load_index
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_matrix,
    setting,
    write_array,
    write_matrix,
    write_settings,
)
from graphrec.recallers.newest_events import newest_events
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder
from graphrec.recallers.query_fields import QueryFields
from graphrec.recallers.vector import VectorRecaller

_TOWER = "tower.onnx"
# Histories whose events are handed over at a time: memory is that of all their events, and of what the tower makes of
# them.
_WINDOWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class TowerEncoder:
    """Makes vectors of queries by a tower, with onnxruntime alone.

    ============ ==================================================================================================
    ``user``     (n,) int64: rows of users, ``n_users`` for those whom training did not see
    ``said``     (n, dim) float32: the weighted sum of what the history says
    ``events``   (n, w, dim) float32: what each of the newest events says, oldest first, zeros behind the last
    ``lengths``  (n,) int64: how many events these are, >= 1
    ``ages``     (n, w) float32: seconds of each before the newest; zero where no time is known
    ============ ==================================================================================================

    and the matrices of ``fields`` (:func:`graphrec.recallers.query_fields.padded`) are what a tower may ask for.

    Parameters
    ----------
    tower : OnnxTower
        The graph.
    history : HistoryEncoder
        Knows what items say in a history, and sums it up.
    trained : ndarray
        (n_users,) bool: users of whom the tower learnt a part of their own.
    fields : QueryFields or None
        Features of users and requests; None where the tower reads none.
    window : int, default 0
        Newest events that are handed over, of those whose weight is above 0 and whose item says something; 0 where the
        tower reads none.
    interests : int, default 0
        Vectors that the tower makes of a query; 0 where it makes a single one.

    Raises
    ------
    BundleError
        If the tower asks for what it is not handed, or makes vectors of another width.
    """

    tower: OnnxTower
    history: HistoryEncoder
    trained: npt.NDArray[np.bool_]
    fields: QueryFields | None = None
    window: int = 0
    interests: int = 0

    def __post_init__(self) -> None:
        self.tower.check(self._inputs(Queries([-1], empty_lists(1)))[0], self._shape)

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of what is made of a query: (dim,), or (interests, dim)."""
        dim = self.history.sources.shape[1]
        return (self.interests, dim) if self.interests else (dim,)

    @property
    def users(self) -> None:
        """None: vectors of users are made when they are needed."""
        return

    def vectors(self, queries: Queries) -> FloatArray:
        """Return (n, dim) or (n, interests, dim) float32; zero where neither user, features nor history are known."""
        made = np.zeros((len(queries), *self._shape), dtype=np.float32)
        for start in range(0, len(queries), _WINDOWS if self.window else max(len(queries), 1)):
            chosen = np.arange(start, min(start + _WINDOWS, len(queries)) if self.window else len(queries))
            part = queries if len(chosen) == len(queries) else take_queries(queries, chosen)
            inputs, known = self._inputs(part)
            said = known.reshape(-1, *(1 for _ in self._shape))
            made[chosen] = np.where(said, self.tower(inputs), np.float32(0))
        return made

    def _inputs(self, queries: Queries) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.bool_]]:
        """Return what the tower is handed, and (n,) bool: queries of which anything is known."""
        n_users = len(self.trained)
        known = (queries.users >= 0) & (queries.users < n_users)
        inputs: dict[str, npt.NDArray[Any]] = {"user": np.where(known, queries.users, n_users).astype(np.int64)}
        some = np.append(self.trained, False)[inputs["user"]]
        if self.window:
            read = newest_events(queries.events, self.history.rows, self.window)
            events = np.zeros((*read.positions.shape, self.history.sources.shape[1]), dtype=np.float32)
            events[read.positions >= 0] = self.history.sources[read.positions[read.positions >= 0]]
            inputs["events"] = events
            inputs["lengths"], inputs["ages"] = np.maximum(read.lengths, 1), read.ages
            some |= read.lengths > 0
        else:
            inputs["said"] = self.history.vectors(queries)
            some |= inputs["said"].any(axis=1)
        if self.fields is None:
            return inputs, some
        matrices, featured = self.fields.inputs(queries)
        return inputs | matrices, some | featured


@dataclass(frozen=True, slots=True, eq=False)
class EncoderRecaller(VectorRecaller):
    """Items whose vectors are nearest to what a tower makes of a query.

    Parameters
    ----------
    encoder : TowerEncoder
        Makes the queries' vectors.
    targets, near, reason :
        As of :class:`graphrec.recallers.vector.VectorRecaller`.
    """

    kind: ClassVar[str] = "encoder"

    def save(self, directory: Path) -> None:
        """Write ``recaller.json``, ``tower.onnx``, the matrices as ``.npy``, features, and the index in ``index/``."""
        encoder = self.encoder
        if not isinstance(encoder, TowerEncoder):
            raise ConfigError(f"an EncoderRecaller is saved with a TowerEncoder; it has a {type(encoder).__name__}")
        write_settings(directory, self.kind, self._settings(encoder))
        (directory / _TOWER).write_bytes(encoder.tower.content)
        write_array(directory, "rows", self.rows)
        write_matrix(directory, "sources", self.sources)
        if self.targets is not self.sources:
            write_matrix(directory, "targets", self.targets)
        write_array(directory, "trained", encoder.trained)
        if encoder.fields is not None:
            encoder.fields.save(directory)
        (directory / "index").mkdir()
        self.near.save(directory / "index")

    def _settings(self, encoder: TowerEncoder) -> dict[str, Any]:
        """Return what ``recaller.json`` says."""
        return {
            "n_items": self.n_items,
            "dim": int(self.sources.shape[1]),
            "exponent": float(encoder.history.exponent),
            "profile": asdict(encoder.history.profile),
            "features": encoder.fields is not None,
            "window": encoder.window,
            "one_matrix": self.targets is self.sources,
            "reason": self.reason,
        }

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; matrices stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, the parts do not fit, or the tower asks for what is not there.
        MissingExtraError
            If onnxruntime is not installed.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**read_encoder(directory, settings)))


def read_encoder(directory: Path, settings: dict[str, Any], *, interests: int = 0) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``; the tower makes ``interests`` vectors."""
    dim = setting(settings, "dim", int, directory=directory)
    history = HistoryEncoder(
        read_array(directory, "rows", np.int32),
        read_matrix(directory, "sources", dim),
        setting(settings, "n_items", int, directory=directory),
        Profile(**setting(settings, "profile", dict, directory=directory)),
        setting(settings, "exponent", float, directory=directory),
    )
    # Channels of earlier versions say neither.
    window, one_matrix = settings.get("window", 0), settings.get("one_matrix") is True
    trained = read_array(directory, "trained", np.bool_)
    targets = history.sources if one_matrix else read_matrix(directory, "targets", dim)
    featured = setting(settings, "features", bool, directory=directory)
    fields = QueryFields.load(directory) if featured else None
    return {
        "encoder": TowerEncoder(read_tower(directory / _TOWER), history, trained, fields, window, interests),
        "targets": targets,
        "near": load_index(directory / "index", targets),
        "reason": setting(settings, "reason", str, directory=directory),
    }


def read_tower(path: Path) -> OnnxTower:
    """Return the graph of a file; raise BundleError where it cannot be read or run."""
    try:
        return OnnxTower(path.read_bytes(), path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); train the channel again") from error
