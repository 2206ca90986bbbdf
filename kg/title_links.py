"""Linking items to entities by title and year alone, where no table, template or identifier joins the two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.iris import readable_name

from .knowledge_graph import KnowledgeGraph
from .linking import Ambiguous, linking_of_pairs
from .linking_report import Linking

_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ARTICLES = "the|an|a|le|la|les|l'|il|lo|gli|i|der|die|das|el|los|las|un|une|en|den|det"
_INVERTED = re.compile(rf"^(.*), ({_ARTICLES})$", re.IGNORECASE)
_LEADING = re.compile(rf"^({_ARTICLES})\s+", re.IGNORECASE)
# A year of release and that of a first showing differ by so much.
_SLACK = 1


@typed
def link_by_title(
    items: Vocabulary, kg: KnowledgeGraph, titles: Sequence[str | None], *, ambiguous: Ambiguous = "first"
) -> Linking:
    """Return the links of items to entities that are called alike, told apart by year.

    A title may have its year in brackets, other names in brackets before that, and its article behind a comma:
    "Postino, Il (The Postman) (1994)". An entity is called by its label and by what its IRI says, without what stands
    in brackets; its years are those in brackets, and those that the names of its neighbours begin with ("1994 films").
    Names are compared in lower case, without accents, punctuation and leading article.

    Parameters
    ----------
    titles : sequence of str or None
        One an item.
    ambiguous : {"first", "drop"}
        What becomes of an item that several entities fit equally well.

    Returns
    -------
    Linking
        Only entities that are subjects of statements are looked at. Of those that are called alike, the ones whose year
        is the item's go first, then those a year off, then those without any; an entity of another year is none.

    Raises
    ------
    DataError
        If there is not one title an item.

    Notes
    -----
    Time O(entities + edges + items).
    """
    if len(titles) != len(items):
        raise DataError(f"there are {len(titles)} titles for {len(items)} items; give a title or None for each")
    subjects = np.unique(kg.triples[:, 0])
    years = _years_of(kg, subjects)
    called: dict[str, list[int]] = {}
    for entity in subjects.tolist():
        for name in _names_of(kg, entity):
            called.setdefault(name, []).append(entity)
    rows: list[int] = []
    entities: list[int] = []
    for row, title in enumerate(titles):
        names, year = names_and_year(title or "")
        hits = {entity for name in names for entity in called.get(name, ())}
        ranks = {entity: _distance(year, years.get(entity, set())) for entity in hits}
        best = min((rank for rank in ranks.values() if rank is not None), default=None)
        chosen = sorted(entity for entity, rank in ranks.items() if rank is not None and rank == best)
        rows += [row] * len(chosen)
        entities += chosen
    pairs = np.asarray(rows, np.int64), np.asarray(entities, np.int32)
    return linking_of_pairs(items, kg, *pairs, ambiguous=ambiguous)


def names_and_year(title: str) -> tuple[list[str], int | None]:
    """Return the plain names that a title gives, and the last year in brackets.

    >>> names_and_year("Postino, Il (The Postman) (1994)")
    (['postino', 'postman'], 1994)
    """
    asides = _BRACKETS.findall(title)
    years = [int(aside) for aside in asides if _YEAR.fullmatch(aside.strip())]
    main = _BRACKETS.sub(" ", title).strip()
    others = [re.sub(r"^a\.?k\.?a\.?\s+", "", aside.strip()) for aside in asides if not _YEAR.search(aside)]
    names = [plain_name(name) for name in (main, *others)]
    return list(dict.fromkeys(name for name in names if name)), years[-1] if years else None


def plain_name(name: str) -> str:
    """Return a name in lower case, without accents, punctuation and article.

    >>> [plain_name(name) for name in ("Matrix, The", "Amélie", "Me, Myself & Irene")]
    ['matrix', 'amelie', 'me myself and irene']
    """
    text = name.strip()
    if inverted := _INVERTED.match(text):
        text = inverted[1]
    letters = unicodedata.normalize("NFKD", text.casefold().replace("&", " and "))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = " ".join(re.sub(r"[^\w\s]", "", letters.replace("-", " ")).split())
    return _LEADING.sub("", words) or words


def _names_of(kg: KnowledgeGraph, entity: int) -> set[str]:
    """Return what an entity is called: label and IRI, without what stands in brackets."""
    label = kg.labels[entity].as_py()
    texts = [readable_name(kg.entities[entity])] + ([label] if label is not None else [])
    return {plain_name(_BRACKETS.sub(" ", text)) for text in texts} - {""}


def _years_of(kg: KnowledgeGraph, subjects: npt.NDArray[np.int32]) -> dict[int, set[int]]:
    """Return the years of each subject: in the brackets of its name, or at the start of a neighbour's name."""
    years: dict[int, set[int]] = {}
    for entity in subjects.tolist():
        asides = " ".join(_BRACKETS.findall(readable_name(kg.entities[entity])))
        if stated := _YEAR.search(asides):
            years.setdefault(entity, set()).add(int(stated[0]))
    dated: dict[int, int] = {}
    for entity in np.unique(kg.triples[:, 2]).tolist():
        name = readable_name(kg.entities[entity]).removeprefix("Category:")
        if begins := _YEAR.match(name):
            dated[entity] = int(begins[0])
    edges = kg.triples[np.isin(kg.triples[:, 2], np.fromiter(dated, np.int32, len(dated)))]
    for head, _, tail in edges.tolist():
        years.setdefault(head, set()).add(dated[tail])
    return years


def _distance(year: int | None, known: set[int]) -> int | None:
    """Return how well years agree, 0 best: the same, a year off, one side unknown; None where they differ."""
    if year is None or not known:
        return _SLACK + 1
    nearest = min(abs(year - other) for other in known)
    return nearest if nearest <= _SLACK else None
