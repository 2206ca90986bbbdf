"""Rules over what an item is called: its label in an attribute, its tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrec.checks import check_flag
from graphrec.contracts.recall_data import RecallData
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError
from graphrec.pool.rule import Mask, Verdict, described, simple_verdict


@dataclass(frozen=True, slots=True)
class Label:
    """Items whose label (category, state) is one of some, or none of some.

    Parameters
    ----------
    of : str
        The label attribute.
    one_of, none_of : tuple of str
        Labels, of which exactly one list is given.
    keep_unknown : bool, default False
        Whether an item whose label is not known passes.

    Raises
    ------
    ConfigError
        If both lists are given, or neither.
    """

    kind: ClassVar[str] = "label"
    of: str
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        _check_one(f"label {self.of!r}", self.one_of, self.none_of)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def what(self) -> str:
        """What the names of the rule are."""
        return self.of

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return _title(self.of, self.one_of, self.none_of)

    def known(self, data: RecallData) -> Vocabulary:
        """Return the labels that items have."""
        return described(data).label(self.of).names

    def judge(self, data: RecallData, now: int | None) -> Verdict:  # noqa: ARG002 - it is known of no moment
        """Look the labels up."""
        codes = described(data).label(self.of).codes
        chosen = _chosen(self.known(data), self.one_of or self.none_of)[codes]
        return simple_verdict(chosen if self.one_of else ~chosen, codes < 0, self.keep_unknown)


@dataclass(frozen=True, slots=True)
class Tag:
    """Items with at least one of some tags, or with none of some. The tags are those of the tag channel.

    Parameters
    ----------
    one_of, none_of : tuple of str
        Tags, of which exactly one list is given.
    keep_unknown : bool, default False
        Whether an item without any tag passes.

    Raises
    ------
    ConfigError
        If both lists are given, or neither.
    """

    kind: ClassVar[str] = "tag"
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        _check_one("tags", self.one_of, self.none_of)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def what(self) -> str:
        """What the names of the rule are."""
        return "tag"

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return _title("tags", self.one_of, self.none_of)

    def known(self, data: RecallData) -> Vocabulary:
        """Return the tags that items have."""
        if data.item_tags is None:
            raise ConfigError(
                "a pool rule looks at tags, and there are none; data.items, data.knowledge or data.user_tags gives them"
            )
        return data.item_tags.tags

    def judge(self, data: RecallData, now: int | None) -> Verdict:  # noqa: ARG002 - it is known of no moment
        """Look the tags up."""
        chosen = _chosen(self.known(data), self.one_of or self.none_of)
        # known() refuses data without tags.
        assert data.item_tags is not None  # nosec B101
        table = data.item_tags.table
        lengths = np.diff(table.indptr)
        owners = np.repeat(np.arange(len(data.items)), lengths)
        has = np.zeros(len(data.items), dtype=np.bool_)
        has[owners[chosen[table.neighbours]]] = True
        return simple_verdict(has if self.one_of else ~has, lengths == 0, self.keep_unknown)


def absent_names(rule: Label | Tag, data: RecallData) -> list[str]:
    """Return the names in a rule that no item has."""
    known = rule.known(data)
    return [name for name in rule.one_of or rule.none_of if name not in known]


def _chosen(known: Vocabulary, names: Sequence[str]) -> Mask:
    """Return (len(known) + 1,) bool: which names are among ``names``; the last place is for code -1."""
    chosen = np.zeros(len(known) + 1, dtype=np.bool_)
    chosen[known.rows(names, missing="drop")] = True
    return chosen


def _check_one(what: str, one_of: Sequence[str], none_of: Sequence[str]) -> None:
    if isinstance(one_of, str) or isinstance(none_of, str):
        raise ConfigError(f"the rule for {what} has the text {one_of or none_of!r}; give a list of names")
    if bool(one_of) == bool(none_of):
        given = "both" if one_of else "neither"
        raise ConfigError(f"the rule for {what} has {given} of one_of and none_of; give exactly one")


def _title(what: str, one_of: Sequence[str], none_of: Sequence[str]) -> str:
    names = one_of or none_of
    return f"{what}: {'one' if one_of else 'none'} of {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
