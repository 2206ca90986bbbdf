"""Small worlds that tests share: each function returns a whole ``RecallData``, the same one on every call.

``checkerboard``  users like the items of their own parity; the right answer is plain to see.
``skewed``        popularity falls like 1/rank, times, ratings, cold users and items, a pool with holes.
``library``       a dozen books whose authors, series, genres and readers can be followed by hand.

All three have tags and a knowledge graph, so that every channel can be fitted on every world. ``without_knowledge``
takes both away again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts
from graphrec.data.exposures import Exposures
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions
from graphrec.data.item_tags import ItemTags
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Entry, Pin, Rule, Rules
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import ITEM, CatalogueGraph, items_only

Pairs = Sequence[tuple[int, int]]

DAY = 86_400
START = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Relation:
    """Edges from items to the entities of one type, or to items where ``to`` is "item"; ``pairs`` are (item, row)."""

    name: str
    to: str
    pairs: Pairs


def vocabulary(letter: str, n: int) -> Vocabulary:
    """Return the ids ``letter0`` to ``letter{n-1}``."""
    return Vocabulary([f"{letter}{row}" for row in range(n)])


def parts_of(items: Vocabulary, users: Vocabulary | None = None, graph: CatalogueGraph | None = None) -> BundleParts:
    """Return what a bundle of these items holds besides its channels; one user and no entities if not given."""
    return BundleParts(users or vocabulary("u", 1), items, graph or items_only(items))


def catalogue(
    items: Vocabulary,
    entities: Mapping[str, int],
    relations: Sequence[Relation],
    labels: Sequence[str | None] | None = None,
) -> CatalogueGraph:
    """Return items and ``entities`` (type -> how many) joined by ``relations``, each with its reverse ``rev_NAME``."""
    node_types = [ITEM, *entities]
    sizes = [len(items), *entities.values()]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    sources, destinations, numbers = [], [], []
    names: list[str] = []
    for relation in relations:
        start = int(offsets[node_types.index(relation.to)])
        heads = np.array([item for item, _ in relation.pairs], dtype=np.int32)
        tails = np.array([start + row for _, row in relation.pairs], dtype=np.int32)
        for left, right, name in ((heads, tails, relation.name), (tails, heads, f"rev_{relation.name}")):
            sources.append(left)
            destinations.append(right)
            numbers.append(np.full(len(left), len(names), dtype=np.int16))
            names.append(name)
    adjacency = adjacency_from_edges(
        np.concatenate(sources),
        np.concatenate(destinations),
        np.concatenate(numbers),
        type_offsets=offsets,
        node_types=node_types,
        relation_names=names,
    )
    nodes = [f"http://example.org/{kind}/{row}" for kind, count in entities.items() for row in range(count)]
    shown: list[str | None] = list(labels) if labels is not None else []
    return CatalogueGraph(adjacency, items, Vocabulary(nodes), shown + [None] * (adjacency.n_nodes - len(shown)))


def item_tags(n_items: int, names: Sequence[str], pairs: Pairs) -> ItemTags:
    """Return the tags ``names``, carried by items as (item, tag) ``pairs`` of weight 1."""
    ordered = sorted(set(pairs))
    counts = np.bincount([item for item, _ in ordered], minlength=n_items)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    columns = np.array([tag for _, tag in ordered], dtype=np.int32)
    table = NeighbourTable(indptr, columns, np.ones(len(columns), np.float32), n_columns=len(names))
    return ItemTags(Vocabulary(list(names)), table)


def checkerboard(n_users: int = 30, n_items: int = 20) -> RecallData:
    """Return a world where user u took the items of his own parity, but for one in five of them.

    Each item carries the tag and the entity of its colour. What is missing to user u of his own colour is what any
    personalised channel must put before the other colour.
    """
    pairs = [(u, i) for u in range(n_users) for i in range(n_items) if (u - i) % 2 == 0 and (u // 2 + i // 2) % 5 != 0]
    users, items = np.array(pairs, dtype=np.int32).T
    ids = vocabulary("i", n_items)
    colours = [(item, item % 2) for item in range(n_items)]
    return RecallData(
        vocabulary("u", n_users),
        ids,
        Interactions(users, items, n_users=n_users, n_items=n_items),
        catalogue(ids, {"colour": 2}, [Relation("has_colour", "colour", colours)]),
        item_tags(n_items, ["black", "white"], colours),
    )


def _skewed_events(
    n_users: int, n_items: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw each user's items: half of them from his own cluster of every third item."""
    popularity = 1.0 / np.arange(1, n_items + 1)
    users, items = [], []
    for user in range(n_users):
        size = int(rng.integers(3, 16))
        taste = popularity * np.where(np.arange(n_items) % 3 == user % 3, 6.0, 1.0)
        drawn = rng.choice(n_items, size=size, replace=False, p=taste / taste.sum())
        users += [user] * size
        items += drawn.tolist()
    return np.array(users), np.array(items)


def skewed(n_users: int = 60, n_items: int = 45, *, seed: int = 7) -> RecallData:
    """Return a world of skewed popularity with times, ratings 1-5, repeated events and cold rows.

    The last three users and the last four items have no events; the item before those is outside the pool, and so is
    one of the popular ones (row 2).
    """
    rng = np.random.default_rng(seed)
    users, items = _skewed_events(n_users - 3, n_items - 4, rng)
    again = rng.choice(len(users), size=len(users) // 10, replace=False)
    users, items = np.concatenate([users, users[again]]), np.concatenate([items, items[again]])
    times = START + rng.integers(0, 300 * DAY, size=len(users))
    ratings = rng.integers(1, 6, size=len(users)).astype(np.float32)
    ids = vocabulary("i", n_items)
    pool = np.ones(n_items, dtype=np.bool_)
    pool[[2, n_items - 5]] = False
    makers = [(item, item // 4) for item in range(n_items)]
    genres = [(item, item % 3) for item in range(n_items)] + [(item, 3) for item in range(0, n_items, 2)]
    sequels = [(item, item + 3) for item in range(0, n_items - 3, 5)]
    relations = [
        Relation("made_by", "maker", makers),
        Relation("in_genre", "genre", genres),
        Relation("followed_by", "item", sequels),
    ]
    return RecallData(
        vocabulary("u", n_users),
        ids,
        Interactions(users, items, ratings, times, n_users=n_users, n_items=n_items),
        catalogue(ids, {"maker": n_items // 4 + 1, "genre": 4}, relations),
        item_tags(n_items, ["red", "green", "blue", "even"], genres),
        pool,
    )


def described(data: RecallData, *, n_exposures: int = 600, seed: int = 5) -> RecallData:
    """Return the world with a label and a number of items, a label of users, and exposures with values and times.

    Items have the colour of their parity, users one of three countries by turns (every seventh none). Low items
    convert more often; the last item is never shown, and a tenth of the exposures is of nobody known.
    """
    rng = np.random.default_rng(seed)
    n_users, n_items = len(data.users), len(data.items)
    colours = Labels(Vocabulary(["black", "white"]), np.arange(n_items) % 2)
    countries = np.where(np.arange(n_users) % 7 == 6, -1, np.arange(n_users) % 3)
    users = np.where(rng.random(n_exposures) < 0.1, -1, rng.integers(0, n_users, n_exposures))
    items = rng.integers(0, n_items - 1, n_exposures)
    converted = rng.random(n_exposures) < 0.4 * (1 - items / n_items)
    values = np.where(converted, rng.uniform(1, 9, n_exposures), 0).astype(np.float32)
    times = START + rng.integers(0, 300 * DAY, n_exposures)
    released = START + np.arange(n_items, dtype=np.float64) * DAY
    return replace(
        data,
        item_features=Features(n_items, {"released": released}, {"colour": colours}),
        user_features=Features(n_users, {}, {"country": Labels(Vocabulary(["DE", "FR", "NL"]), countries)}),
        exposures=Exposures(users, items, converted, values, times, n_users=n_users, n_items=n_items),
    )


def ruled(data: RecallData) -> RecallData:
    """Return the described world with a rule of every kind, none of which ends."""
    i = data.items
    rules: tuple[Rule, ...] = (
        Pin(i[1], 1),
        Pin(i[3], 4),
        Pin(i[6], 2, segment={"country": ("DE", "FR")}),
        Campaign("summer", (i[5], i[0], i[7])),
        Boost(label={"colour": "white"}, factor=2.0),
        Arrivals("released", days=50_000, exposures=80, positions=(3,), rotate_s=10**9),
        Deny((i[8],)),
    )
    entries = tuple(Entry(f"rules, line {line}", rule) for line, rule in enumerate(rules, 1))
    pool = data.pool.copy()
    pool[8] = False
    return replace(described(data), rules=Rules(entries), pool=pool)


LIBRARY = (
    # title, author, series (-1: none), genres
    ("Dune", 0, 0, (0,)),
    ("Dune Messiah", 0, 0, (0,)),
    ("Children of Dune", 0, 0, (0,)),
    ("The Dosadi Experiment", 0, -1, (0,)),
    ("Foundation", 1, 1, (0,)),
    ("Foundation and Empire", 1, 1, (0,)),
    ("The Hobbit", 2, -1, (1,)),
    ("The Two Towers", 2, 2, (1,)),
    ("The Return of the King", 2, 2, (1,)),
    ("A Wizard of Earthsea", 3, -1, (1,)),
    ("The Dispossessed", 3, -1, (0,)),
    ("Emma", 4, -1, (2,)),
)
AUTHORS = ("Frank Herbert", "Isaac Asimov", "J. R. R. Tolkien", "Ursula K. Le Guin", "Jane Austen")
SERIES = ("Dune Chronicles", "Foundation", "The Lord of the Rings")
GENRES = ("science-fiction", "fantasy", "classics")


def library() -> RecallData:
    """Return twelve books with named authors, series and genres, and eight readers of whom the last read nothing.

    Readers 0-3 like science fiction, 4-6 fantasy; nobody has read "Children of Dune" (row 2) or "Emma" (row 11).
    Events carry times a day apart.
    """
    reads = [[0, 1, 4], [0, 4, 5, 10], [0, 1, 3], [4, 5, 10, 9], [6, 7, 8], [6, 7, 9], [6, 8, 0], []]
    pairs = [(user, item) for user, items in enumerate(reads) for item in items]
    users, items = np.array(pairs, dtype=np.int32).T
    times = START + DAY * np.arange(len(pairs))
    n = len(LIBRARY)
    ids = vocabulary("b", n)
    genres = [(item, genre) for item, book in enumerate(LIBRARY) for genre in book[3]]
    relations = [
        Relation("author", "person", [(item, book[1]) for item, book in enumerate(LIBRARY)]),
        Relation("series", "series", [(item, book[2]) for item, book in enumerate(LIBRARY) if book[2] >= 0]),
        Relation("genre", "genre", genres),
        Relation("followed_by", "item", [(0, 1), (1, 2), (4, 5), (7, 8)]),
    ]
    labels = [*(book[0] for book in LIBRARY), *AUTHORS, *SERIES, *GENRES]
    graph = catalogue(ids, {"person": len(AUTHORS), "series": len(SERIES), "genre": len(GENRES)}, relations, labels)
    events = Interactions(users, items, None, times, n_users=len(reads), n_items=n)
    return RecallData(vocabulary("r", len(reads)), ids, events, graph, item_tags(n, GENRES, genres))


def without_knowledge(data: RecallData) -> RecallData:
    """Return the same users, items, events and pool with neither tags nor entities."""
    return RecallData(data.users, data.items, data.interactions, items_only(data.items), None, data.pool)
