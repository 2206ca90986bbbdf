"""Tag: a profile of tags out of the history, answered by each tag's ranked list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.families import HistorySettings, history_half_life, history_weight_exponent
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number, texts
from graphrec.data.neighbours import csr_table
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile
from graphrec.sparse.taste import (
    as_matrix,
    degrees,
    expected_popularity,
    inverse_power,
    popularity,
    scaled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(HistorySettings):
    r"""Items that carry the tags a history has more of than the average history.

    Items are vectors of tags, :math:`x_{it} \propto w_{it} \log(1 + n / n_t)^{g}`, divided by their length to the
    power c. A history is the weighted sum of its items' vectors, less ``lift`` times what an average history of that
    weight has; the ``tags`` strongest are looked up in an inverted index, where each tag's list is ordered by
    :math:`x_{it} (1 + pop_i)^{q}` and cut.

    A user is served by his history, known or live; without history the list is empty. A cold item comes back as
    soon as it has tags, behind equally fitting items that many people took.

    Parameters
    ----------
    tags : int, default 100
        Tags of a profile that are looked up, >= 1; 0 takes all.
    list_length : int, default 2000
        Items kept in the list of each tag, >= 1; 0 keeps all.
    lift : float, default 1.0
        Share of the average history's profile that is subtracted; 0 takes profiles as they are, and everybody then
        likes "fiction".
    idf_exponent : float, default 4.0
        g: how much more rare tags say. High, because readers' shelves are noisy and the broad ones say little; 1 is
        the usual idf.
    length_exponent : float, default 1.0
        c: 1 makes every item's vector as long as any other's, 0 favours items of many tags.
    popularity_exponent : float, default 0.6
        q: 0 ignores how many people took an item.
    cold_popularity : float, default 0.5
        Popularity of an item without events, in parts of the mean of the others.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    dislike : float, default 0.0
        How much an item that a user disliked takes from the tags it carries: one with a weight of 0 or below, or more
        than a standard deviation below his mean. 0 takes it like any other.
    avoid : list of str, default []
        Tags whose items never come back, such as "nsfw".

    Raises
    ------
    ConfigError
        If a setting lies outside its range.
    """

    about: ClassVar[About] = About(
        recalls="items of the tags that a user favours",
        artefact="two neighbour tables",
        cold_items="recalled by its tags",
    )

    tags: int = count(100, unit="tags", search=ints(10, 500, log=True))
    list_length: int = count(2000, unit="items", search=ints(200, 5000, log=True))
    lift: float = number(1.0, search=floats(0.0, 1.5))
    idf_exponent: float = number(4.0, search=floats(0.0, 6.0))
    length_exponent: float = number(1.0, search=floats(0.0, 1.5))
    popularity_exponent: float = number(0.6, search=floats(0.0, 1.2))
    cold_popularity: float = number(0.5, search=floats(0.0, 1.0))
    half_life: float = history_half_life(50.0)
    weight_exponent: float = history_weight_exponent(searched=False)
    dislike: float = number(0.0)
    avoid: tuple[str, ...] = texts(legal="a list of tags")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel. Time and memory linear in the number of item-tag pairs, and a sort.

        Raises
        ------
        DataError
            If the data has no tags.
        ConfigError
            If ``avoid`` names a tag that no item carries, with the nearest ones.
        """
        if data.item_tags is None:
            raise DataError(
                "the tag channel has no item tags to learn from; give the data tags or leave the channel out"
            )
        taken, carried = popularity(data.interactions), as_matrix(data.item_tags.table)
        expected = expected_popularity(data.interactions, self.cold_popularity)
        vectors = self._vectors(carried)
        background = None
        if self.lift:
            average = sp.csr_array(vectors.T) @ (taken / max(1.0, taken.sum()))
            background = (self.lift * average).astype(np.float32)
        quality = (
            (1.0 + expected) ** self.popularity_exponent * data.pool * ~self._avoided(carried, data.item_tags.tags)
        )
        lists = csr_table(sp.csr_array(scaled(vectors, rows=quality).T), k=self.list_length)
        return NeighbourRecaller(
            [csr_table(vectors), lists],
            [self.tags],
            profile=Profile(self.last, self.half_life, self.weight_exponent, self.dislike),
            reason="because you like {via}, as in {source}",
            via=data.item_tags.tags,
            background=background,
        )

    def _avoided(self, carried: sp.csr_array, tags: Vocabulary) -> npt.NDArray[np.bool_]:
        """Return (n_items,): items that carry a tag to avoid."""
        for tag in self.avoid:
            if tag not in tags:
                raise ConfigError(f"avoid: {tag!r} is not among the {len(tags)} tags{nearest_names(tag, tags)}")
        rows = tags.rows(list(self.avoid))
        return np.asarray(carried[:, rows].sum(axis=1) > 0, dtype=np.bool_)

    def _vectors(self, carried: sp.csr_array) -> sp.csr_array:
        """Return (n_items, n_tags): idf-weighted tags, each item's vector divided by its length."""
        frequency = degrees(carried, 0)
        rarity = np.log1p(carried.shape[0] / np.maximum(frequency, 1.0)) ** self.idf_exponent
        weighted = scaled(carried, columns=rarity)
        lengths = np.sqrt(weighted.multiply(weighted).sum(axis=1))
        return scaled(weighted, rows=inverse_power(lengths, self.length_exponent))
