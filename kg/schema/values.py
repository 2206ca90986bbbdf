"""The schema of a graph as plain values: what ``graphrec kg describe`` prints, draws and writes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, NamedTuple

from graphrec.errors import DataError, nearest_names

FUNCTIONAL, INVERSE_FUNCTIONAL, HUB = "functional", "inverse functional", "hub-like"
MIXED, NEAR_UNIQUE, NEAR_CONSTANT, INTERACTIONS = "mixed", "near-unique", "near-constant", "interactions"
SUSPICIOUS = (MIXED, NEAR_UNIQUE, NEAR_CONSTANT, INTERACTIONS)


class Share(NamedTuple):
    """A name (an IRI, a language) and the share of statements or entities that it has, 0 to 1."""

    name: str
    share: float


class Degrees(NamedTuple):
    """How many statements one subject (or one value) has."""

    mean: float
    median: float
    p90: float
    most: int


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """A class.

    Parameters
    ----------
    iri, name : str
        The whole IRI, and its label or last part.
    n_members : int
        Entities with ``rdf:type`` this class.
    labelled : float
        Share of them with a name for people.
    example : str
        The IRI of the first member.
    """

    iri: str
    name: str
    n_members: int
    labelled: float
    example: str


@dataclass(frozen=True, slots=True)
class PredicateSummary:
    """A predicate.

    Parameters
    ----------
    iri, name : str
        The whole IRI, and its last part where no other predicate of the graph has the same, else the IRI again.
    kind : {"entity", "literal", "mixed"}
        What its values are.
    n_statements, n_subjects, n_values : int
        Statements; distinct subjects; distinct values.
    domain, range : tuple of Share
        Classes of subjects and of values that are entities, by share of statements, the largest first; entities without
        a class are left out of the list, not of the shares.
    datatypes, languages : tuple of Share
        Of values that are literals, by share of these.
    out_degrees, in_degrees : Degrees
        Statements a subject, statements a value.
    top_share : float
        Share of the statements whose value is the most frequent one, ``top_value``.
    flags : tuple of str
        "functional" (no subject has two values), "inverse functional" (no value has two subjects), "hub-like" (a value
        with 100 statements or more has 5 % of all), and what is suspicious: "mixed" (literals and entities),
        "near-unique" (nine of ten values are of one subject alone, so they join nothing), "near-constant" (nine of ten
        statements have one value), "interactions" (who took what: it must be no edge).
    example : tuple of str
        Subject and value of one statement.
    """

    iri: str
    name: str
    kind: Literal["entity", "literal", "mixed"]
    n_statements: int
    n_subjects: int
    n_values: int
    domain: tuple[Share, ...]
    range: tuple[Share, ...]
    datatypes: tuple[Share, ...]
    languages: tuple[Share, ...]
    out_degrees: Degrees
    in_degrees: Degrees
    top_value: str
    top_share: float
    flags: tuple[str, ...]
    example: tuple[str, str]

    @property
    def suspicious(self) -> tuple[str, ...]:
        """Those of the flags that ask for a look."""
        return tuple(flag for flag in self.flags if flag in SUSPICIOUS)


@dataclass(frozen=True, slots=True)
class LinkRule:
    """A way to link the items of a table to entities, and how far it leads.

    Parameters
    ----------
    settings : mapping
        The keys of ``data.knowledge.link``: ``template``; or ``predicate`` with ``normalise``; or ``iri_column``.
    column : str
        The column of the items that is compared.
    linked, ambiguous, shared : float
        Shares of the items that have an entity, that have several to choose from, that share theirs with another item.
    titles_agree : float or None
        Share of the linked items whose title (column ``label``) is a literal of their entity; None without titles.
    """

    settings: Mapping[str, str]
    column: str
    linked: float
    ambiguous: float
    shared: float
    titles_agree: float | None


@dataclass(frozen=True, slots=True)
class Use:
    """What the graph can do for recall: predicates by IRI, in the order of the share of items that have them.

    Parameters
    ----------
    items : str
        What the items were taken to be: "the table of items", or the IRI of a class.
    n_items : int
        Entities that are items.
    relations, literal_nodes, tags, attributes : tuple of str
        Predicates for the keys of the same names in ``data.knowledge``.
    interactions : tuple of str
        Predicates that say who took what.
    links : tuple of LinkRule
        The best first; empty without a table of items.
    item_template, user_template : str or None
        The IRI of most items (of most subjects of ``interactions``), with ``{id}`` in place of what differs.
    """

    items: str
    n_items: int
    relations: tuple[str, ...]
    literal_nodes: tuple[str, ...]
    tags: tuple[str, ...]
    attributes: tuple[str, ...]
    interactions: tuple[str, ...]
    links: tuple[LinkRule, ...] = ()
    item_template: str | None = None
    user_template: str | None = None


@dataclass(frozen=True, slots=True)
class GraphSchema:
    """What a graph holds.

    Parameters
    ----------
    n_triples, n_literals, n_entities : int
        Statements whose value is an entity, statements whose value is a literal, entities.
    labelled, typed : float
        Shares of the entities with a name for people, and with a class.
    classes : tuple of ClassSummary
        By members, the largest first.
    predicates : tuple of PredicateSummary
        By statements, the largest first.
    n_components, largest_component : int, float
        Components of the graph that a catalogue would hold (no class, no interactions), and the share of the entities
        with an edge that lie in the largest.
    n_dangling, dangling : int, tuple of str
        Entities that are values and of which the graph says nothing, not even a name; examples.
    use : Use
        Suggestions.
    """

    n_triples: int
    n_literals: int
    n_entities: int
    labelled: float
    typed: float
    classes: tuple[ClassSummary, ...]
    predicates: tuple[PredicateSummary, ...]
    n_components: int
    largest_component: float
    n_dangling: int
    dangling: tuple[str, ...]
    use: Use
    files: tuple[str, ...] = field(default=())

    @property
    def suspicious(self) -> dict[str, tuple[str, ...]]:
        """Predicates that ask for a look, and why."""
        return {entry.iri: entry.suspicious for entry in self.predicates if entry.suspicious}

    def predicate(self, name: str) -> PredicateSummary:
        """Return the predicate with this IRI or name.

        Raises
        ------
        DataError
            If there is none, with the nearest.
        """
        for entry in self.predicates:
            if name in (entry.iri, entry.name):
                return entry
        names = [entry.name for entry in self.predicates]
        raise DataError(f"predicate {name!r} is not among the {len(names):,} of this graph{nearest_names(name, names)}")

    def to_dict(self) -> dict[str, object]:
        """Return everything as JSON can hold it."""
        return asdict(self) | {"suspicious": {iri: list(flags) for iri, flags in self.suspicious.items()}}
