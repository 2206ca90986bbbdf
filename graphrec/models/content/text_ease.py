"""Text-EASE: EASE that predicts an item from others by who took both and by what both say, in one closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrec.channels.behaviour.ease import BLOCK, Ease, best_predicted, co_occurrences, invert, mean_left_out
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import floats
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number, text, texts
from graphrec.errors import ConfigError
from graphrec.models.content.of_texts import OfTexts
from graphrec.models.content.text import Text
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.query_encoder import FloatArray
from graphrec.sparse.taste import degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEase(OfTexts, Ease):
    r"""The k items that each item predicts best, by who took them and by what they say.

    .. math:: P = (R^\top R + \tau X X^\top + \lambda I)^{-1}, \qquad B_{ij} = -P_{ij} / P_{jj}, \quad B_{ii} = 0

    where row i of X is the vector of item i's text, of length 1 (:class:`graphrec.models.content.text.Text`): its
    dimensions are further users, who took an item as far as it says what they stand for. B minimises
    :math:`\|R - RB\|^2 + \tau \|X^\top - X^\top B\|^2 + \lambda \|B\|^2` with a diagonal of zeros. What is pruned comes
    back as its mean, as in :class:`graphrec.channels.behaviour.ease.Ease`.

    A user is served by his history, known or live; without history the list is empty. An item without events comes back
    by its text, but behind those with events: where a tenth of colakg-ml-1m's movies had none, none of those was among
    the first 100. They are the business of ``text``.

    Parameters
    ----------
    text_weight : float, default 100.0
        tau, in users: how many users who took just these two items a text in common is worth.
    columns, model :
        As of :class:`graphrec.models.content.text.Text`.
    k, regularisation, remainder, max_items, max_items_per_user :
        As of :class:`graphrec.channels.behaviour.ease.Ease`; more than ``max_items`` items with events or a text are
        refused.
    neighbourhood : int, default 0
        0 alone: the solution is exact.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Jeunen, Van Balen, Goethals, "Closed-Form Models for Collaborative Filtering with Side-Information", RecSys
       2020, the collective model (CEASE). Differs: side information is vectors of texts; pruned as EASE is here.
    """

    about: ClassVar[About] = About(
        recalls="what a history predicts, by who took it and by what it says",
        artefact="neighbour table",
        cold_items="recalled by their text, behind all others",
        libraries=("tokenizers", "wordllama"),
    )

    neighbourhood: int = count(0, most=0, unit="items")
    text_weight: float = number(100.0, above=0, unit="users", search=floats(1.0, 1000.0, log=True))
    columns: tuple[str, ...] = texts(legal="a list of columns of the items")
    model: str = text("wordllama", legal='"wordllama", "minilm" or the path of a folder', empty=False)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel. Time O(I^3) and memory 4 I^2 bytes for I items with events or a text.

        Raises
        ------
        ConfigError
            If a column is unknown, there are more than ``max_items`` items, or the matrix is too near to singular.
        DataError, MissingExtraError
            As :meth:`graphrec.models.content.text.Text.fit`.
        """
        taste = shared_taste(data, context, self.weight_exponent, max_items_per_user=self.max_items_per_user)
        vectors, counts = self._text().encoded(data)[1], degrees(taste, 0)
        active = np.flatnonzero((counts > 0) | vectors.any(axis=1))
        if len(active) > self.max_items:
            raise ConfigError(
                f"max_items is {self.max_items:,}; {len(active):,} items have events or a text, and text-ease holds "
                "the square of that; raise it where memory allows, or take text and ease"
            )
        gram = co_occurrences(taste[:, active], self.regularisation)
        add_products(gram, vectors[active] * np.float32(np.sqrt(self.text_weight)))
        invert(gram)
        table = best_predicted(gram, active.astype(np.int32), np.asarray(data.pool, dtype=np.bool_), self.k)
        background = np.zeros(len(counts), dtype=np.float32)
        background[active] = -self.remainder * mean_left_out(gram, table, active, counts)
        reason = "because you {verb} {source}: who took it, and what it says, speak for this most"
        return NeighbourRecaller([table], profile=self.profile(), reason=reason, background=background)

    def _text(self) -> Text:
        return Text(columns=self.columns, model=self.model, projection="none")


def add_products(gram: FloatArray, vectors: FloatArray) -> None:
    """Add ``vectors @ vectors.T`` to (n, n) ``gram`` in place, strip by strip."""
    for start in range(0, len(gram), BLOCK):
        gram[start : start + BLOCK] += vectors[start : start + BLOCK] @ vectors.T
