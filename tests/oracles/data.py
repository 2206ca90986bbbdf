"""Slow, obvious versions: what the types of graphrec.data hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import log2


def user_tag_weights(
    rows: Sequence[tuple[int, int, str]], given: Mapping[tuple[int, str], float], min_users: int
) -> dict[tuple[int, str], float]:
    """Return (item, tag) -> weight of (person, item, tag) ``rows`` and of what is ``given``."""
    people: dict[tuple[int, str], set[int]] = defaultdict(set)
    for person, item, tag in rows:
        people[item, tag].add(person)
    weights = dict(given)
    for pair, who in people.items():
        if len(who) >= min_users:
            weights[pair] = weights.get(pair, 0.0) + log2(1 + len(who))
    return weights
