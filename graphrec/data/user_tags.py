"""Tags that users gave items, and what they make of the tags that items carry."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse as sp

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.item_tags import ItemTags, tag_weights
from graphrec.data.neighbours import csr_table
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, init=False, eq=False)
class UserTags:
    """A table of who gave which item which tag, and when.

    Parameters
    ----------
    users : ndarray
        (m,) int32 people: user rows, and from ``n_users`` on those who are no users, a number each.
    items, tags : ndarray
        (m,) int32 item rows, and rows of ``vocabulary``.
    times : ndarray or None
        (m,) int64 seconds UTC, or None.
    vocabulary : Vocabulary
        Every tag of users, and every tag of ``given``.
    given : ItemTags or None
        Tags that items have from elsewhere, to which those of users are added.
    min_users : int
        So many people at least must give an item a tag for it to count, >= 1.
    n_users, n_items : int
        Sizes of the two vocabularies; never inferred from the largest row.

    Raises
    ------
    DataError
        On unequal lengths, rows out of range, or ``min_users < 1``.
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    tags: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64] | None
    vocabulary: Vocabulary
    given: ItemTags | None
    min_users: int
    n_users: int
    n_items: int

    def __init__(
        self,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        tags: npt.ArrayLike,
        times: npt.ArrayLike | None = None,
        *,
        vocabulary: Vocabulary,
        given: ItemTags | None = None,
        min_users: int,
        n_users: int,
        n_items: int,
    ) -> None:
        set_field = object.__setattr__
        for name, rows in (("users", users), ("items", items), ("tags", tags)):
            set_field(self, name, as_array(rows, np.int32, name=name))
        set_field(self, "times", None if times is None else as_array(times, np.int64, name="times"))
        set_field(self, "vocabulary", vocabulary)
        set_field(self, "given", given)
        for name, size in (("min_users", min_users), ("n_users", n_users), ("n_items", n_items)):
            set_field(self, name, int(size))
        m = len(self.users)
        check_length(self.items, m, name="items")
        check_length(self.tags, m, name="tags")
        check_rows(self.users, 2**31, name="users")
        check_rows(self.items, self.n_items, name="items")
        check_rows(self.tags, len(vocabulary), name="tags")
        if self.times is not None:
            check_length(self.times, m, name="times")
        if given is not None:
            check_length(given.table.indptr, self.n_items + 1, name="the indptr of the given tags")
        if self.min_users < 1:
            raise DataError(f"min_users is {self.min_users}; a tag is given by 1 user or more")

    def __len__(self) -> int:
        return len(self.users)


def take_user_tags(tagged: UserTags, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> UserTags:
    """Return the tags at ``rows`` (positions or a mask), vocabulary and sizes unchanged."""
    return UserTags(
        tagged.users[rows],
        tagged.items[rows],
        tagged.tags[rows],
        None if tagged.times is None else tagged.times[rows],
        vocabulary=tagged.vocabulary,
        given=tagged.given,
        min_users=tagged.min_users,
        n_users=tagged.n_users,
        n_items=tagged.n_items,
    )


def plain_tag(text: str) -> str:
    """Return a tag in lower case, white space trimmed and every run of it one space, accents composed (NFC).

    >>> plain_tag("  Highly   Quotable ")
    'highly quotable'
    """
    return " ".join(unicodedata.normalize("NFC", text).lower().split())


def tags_of_items(tagged: UserTags) -> ItemTags:
    r"""Return the tags that items carry by what users gave them, and by what is known of them from elsewhere.

    A tag that n people gave an item weighs

    .. math:: w = \log_2(1 + n) \quad (n \ge min\_users)

    so that one person's word weighs as much as the catalogue's (1), and a crowd of a thousand ten times that. Where
    the item has the tag from elsewhere too, the weights add up. Who gives an item a tag twice counts once.

    Returns
    -------
    ItemTags
        Over the whole ``vocabulary``, whether or not an item carries each: tags that are named in settings (to avoid,
        to choose the pool by) are then the same ones in every part of the data.

    Notes
    -----
    Time O(m log m); memory O(m).
    """
    pairs = _pairs(tagged)
    enough = pairs.people >= tagged.min_users
    n_tags = len(tagged.vocabulary)
    items, tags = np.divmod(pairs.keys[enough], max(n_tags, 1))
    weights = np.log2(1.0 + pairs.people[enough]).astype(np.float32)
    carried = sp.csr_array(sp.coo_array((weights, (items, tags)), shape=(tagged.n_items, n_tags)))
    if tagged.given is not None:
        carried = sp.csr_array(carried + tag_weights(tagged.given, tagged.vocabulary))
    return ItemTags(tagged.vocabulary, csr_table(carried))


def without_rare(tagged: UserTags) -> UserTags:
    """Return the rows whose tag enough people gave the item, and the vocabulary without the tags that are then unused.

    No part of the data can have more people behind a tag than the whole: what goes here would count nowhere.
    """
    pairs = _pairs(tagged)
    kept = take_user_tags(tagged, (pairs.people >= tagged.min_users)[pairs.of_row])
    used = np.zeros(len(tagged.vocabulary), dtype=np.bool_)
    used[kept.tags] = True
    if tagged.given is not None:
        used[tagged.vocabulary.rows(tagged.given.tags.ids, kind="tag")] = True
    return UserTags(
        kept.users,
        kept.items,
        (np.cumsum(used) - 1)[kept.tags],
        kept.times,
        vocabulary=Vocabulary(tagged.vocabulary.ids.filter(pa.array(used))),
        given=tagged.given,
        min_users=tagged.min_users,
        n_users=tagged.n_users,
        n_items=tagged.n_items,
    )


class _Pairs(NamedTuple):
    """The p (item, tag) pairs that occur: (p,) keys ``item * n_tags + tag``, distinct people; (m,) pair of each row."""

    keys: npt.NDArray[np.int64]
    people: npt.NDArray[np.int64]
    of_row: npt.NDArray[np.intp]


def _pairs(tagged: UserTags) -> _Pairs:
    """Return the pairs in order of item and tag."""
    keys, of_row = np.unique(tagged.items.astype(np.int64) * len(tagged.vocabulary) + tagged.tags, return_inverse=True)
    # Rows are fewer than 2^31, and so are people: one number for each pair and person.
    span = int(tagged.users.max(initial=0)) + 1
    voices = np.unique(of_row * span + tagged.users)
    return _Pairs(keys, np.bincount(voices // span, minlength=len(keys)), of_row)
