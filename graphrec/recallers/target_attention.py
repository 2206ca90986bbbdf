"""Recall by a net that scores (history, candidate) pairs, over the candidates that several interests name."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, concatenate, take_lists
from graphrec.errors import BundleError, ConfigError
from graphrec.index.order import ordered_lists
from graphrec.recallers.encoder import TowerEncoder, read_tower
from graphrec.recallers.files import load_saved, setting
from graphrec.recallers.interest_encoder import InterestEncoderRecaller, read_interests
from graphrec.recallers.newest_events import newest_events
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.query_encoder import FloatArray, positions_among

_NET = "net.onnx"
# Pairs of event and candidate that the net is handed at a time; each takes some hundred bytes within it.
_PAIRS = 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class TargetAttentionRecaller(InterestEncoderRecaller):
    """Items that a net scores highest among the first ``candidates`` of several interests.

    Parameters
    ----------
    encoder, targets, near, reason :
        As of :class:`graphrec.recallers.interest_encoder.InterestEncoderRecaller`.
    net : OnnxTower
        Makes (n, c) scores of ``events`` (n, w, dim), ``lengths`` (n,) and ``candidates`` (n, c, dim).
    candidates : int, default 1000
        Items that are scored, >= 1; as many as are asked for where these are more.

    Raises
    ------
    ConfigError
        If ``candidates`` is below 1.
    BundleError
        If the net asks for something else, or makes something else.
    """

    kind: ClassVar[str] = "target-attention"

    net: OnnxTower = field(kw_only=True)
    candidates: int = field(default=1000, kw_only=True)

    def __post_init__(self) -> None:
        InterestEncoderRecaller.__post_init__(self)
        if self.candidates < 1:
            raise ConfigError(f"candidates is {self.candidates}; it must be 1 or more")
        dim = self.targets.shape[1]
        event, candidates = (np.zeros((1, n, dim), dtype=np.float32) for n in (1, 3))
        self.net.check({"events": event, "lengths": np.ones(1, dtype=np.int64), "candidates": candidates}, (3,))

    def _search(
        self, queries: Queries, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        """Search by the interests, then let the net put the candidates in order."""
        named = InterestEncoderRecaller._search(self, queries, max(k, self.candidates), allow, skip)
        width = self._window * max(int(named.lengths.max(initial=1)), 1)
        size = max(_PAIRS // width, 1)
        parts = []
        for start in range(0, len(queries), size):
            chosen = np.arange(start, min(start + size, len(queries)))
            parts.append(self._in_order(take_queries(queries, chosen), take_lists(named, chosen), k))
        return concatenate(parts)

    def _in_order(self, queries: Queries, named: ItemLists, k: int) -> ItemLists:
        """Return the best ``k`` of each list by the net."""
        owners = np.repeat(np.arange(len(named)), named.lengths)
        if not len(owners):
            return named
        places = np.arange(len(owners)) - np.repeat(named.indptr[:-1], named.lengths)
        candidates = np.zeros((len(named), int(named.lengths.max()), self.targets.shape[1]), dtype=np.float32)
        candidates[owners, places] = self.targets[positions_among(self.rows, named.items)]
        read = newest_events(queries.events, self.rows, self._window)
        events = np.where((read.positions >= 0)[:, :, None], self.sources[read.positions], np.float32(0))
        scores = self._scores(events, read.lengths, candidates)[owners, places]
        return ordered_lists(owners, named.items, scores, n=len(named), k=k)

    def _scores(self, events: FloatArray, lengths: npt.NDArray[np.int64], candidates: FloatArray) -> FloatArray:
        return self.net({"events": events, "lengths": np.maximum(lengths, 1), "candidates": candidates})

    @property
    def _window(self) -> int:
        return self.encoder.window if isinstance(self.encoder, TowerEncoder) else 1

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the event that by itself would let the net score it highest."""
        read = newest_events(query.events, self.rows, self._window)
        if not len(query) or not read.lengths[0] or not len(items):
            return no_evidence(len(items))
        events = self.sources[read.positions[0, : read.lengths[0]]]
        positions = positions_among(self.rows, items)
        candidates = np.broadcast_to(self.targets[np.maximum(positions, 0)], (len(events), len(items), events.shape[1]))
        alone = self._scores(events[:, None], np.ones(len(events), np.int64), np.ascontiguousarray(candidates))
        sources = self.rows[read.positions[0, alone.argmax(axis=0)]]
        return evidence_of(np.where(positions >= 0, sources, -1).astype(np.int32))

    def save(self, directory: Path) -> None:
        """Write what its base writes, and ``net.onnx``."""
        InterestEncoderRecaller.save(self, directory)
        (directory / _NET).write_bytes(self.net.content)

    def _settings(self, encoder: TowerEncoder) -> dict[str, Any]:
        """Return what ``recaller.json`` says."""
        return {**InterestEncoderRecaller._settings(self, encoder), "candidates": self.candidates}

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote. Raises as :meth:`graphrec.recallers.encoder.EncoderRecaller.load`."""
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def _read(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    candidates = setting(settings, "candidates", int, directory=directory)
    if candidates < 1:
        raise BundleError(f"{directory} has {candidates} candidates; train the channel again")
    net = read_tower(directory / _NET)
    return {**read_interests(directory, settings), "net": net, "candidates": candidates}
