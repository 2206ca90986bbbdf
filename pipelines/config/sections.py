"""The sections of the training configuration: their keys, what each may be, and what it is without one."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from graphrec.data.limits import Limits
from graphrec.errors import nearest_names

from ..readers.cells import LATEST_S
from ..readers.moments import moment
from ..readers.table_source import (
    ExposuresSource,
    InteractionsSource,
    ItemsSource,
    TableSource,
    TriplesSource,
    UsersSource,
    UserTagsSource,
)

METRICS = ("recall", "ndcg", "hit_rate")
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """A table of the configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class InteractionsSection(InteractionsSource):
    """Where the events come from: a table, or RDF.

    Parameters
    ----------
    rdf : table
        Terms of an RDF file: the fields of ``graphrec.kg.interactions.InteractionMapping``; without it they are those
        of ``docs/rdf-interactions.md``.
    test_path : path
        A second file, read alike: the held-out events of ``split.kind = "given"``.
    """

    rdf: dict[str, Any] = Field(default_factory=dict)
    test_path: Path | None = None


class Link(Section):
    """How items find their entities: by IRI template, by a table of item id and IRI, by a literal, or by title.

    Exactly one of ``template``, ``table``, ``predicate`` and ``by_title`` is given.

    Parameters
    ----------
    template : str
        IRI of an item, with ``{id}`` in place of its id. Items that only the graph knows are appended.
    table : path
        A table of item ids and IRIs.
    item_column, iri_column : str
        Its columns.
    predicate : str
        A predicate whose literal is compared with the item id, or with the title in ``values``.
    by_title : bool
        Compare the titles of items, in ``values`` or else in ``data.items``, with what entities are called; a year in
        brackets tells those that are called alike apart: "Postino, Il (1994)".
    ambiguous : {"first", "drop"}
        By title: what becomes of an item that several entities fit equally well.
    normalise : {"exact", "label", "isbn"}
        What is compared: the text; the text with case, width and spacing levelled; a book number in either form.
    values : path
        A table of items with titles.
    columns : mapping
        Its columns, named as in ``data.items``.
    """

    template: str | None = None
    table: Path | None = None
    item_column: str = "item_id"
    iri_column: str = "iri"
    predicate: str | None = None
    by_title: bool = False
    ambiguous: Literal["first", "drop"] = "first"
    normalise: Literal["exact", "label", "isbn"] = "exact"
    values: Path | None = None
    columns: dict[str, str] = {}

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Link:
        ways = [name for name in ("template", "table", "predicate") if getattr(self, name) is not None]
        ways += ["by_title"] if self.by_title else []
        if len(ways) != 1:
            given = " and ".join(ways) or "none of them"
            raise ValueError(f"give exactly one of template, table, predicate, by_title; found {given}")
        self.titles()
        return self

    def titles(self) -> ItemsSource | None:
        """Return the table of titles, if there is one."""
        return None if self.values is None else ItemsSource.of(self.values, {"columns": self.columns})


class EndpointSource(Section):
    """A SPARQL endpoint and the query that makes the graph; see :func:`graphrec.kg.sparql.endpoint.read_sparql`.

    Parameters
    ----------
    url : str
        Its http or https address.
    query : str
        A CONSTRUCT, best with ``ORDER BY``.
    query_file : path
        A file with the query, in its place.
    page : int
        Solutions a request; 0 asks once.
    max_triples : int
        More statements are refused.
    timeout_s : float
        The longest that one page may take.
    retries : int
        How often a request is repeated.
    """

    url: str
    query: str | None = None
    query_file: Path | None = None
    page: Annotated[int, Field(ge=0)] = 10_000
    max_triples: Annotated[int, Field(ge=1)] = 10_000_000
    timeout_s: Annotated[float, Field(gt=0.0)] = 60.0
    retries: Annotated[int, Field(ge=0)] = 3

    @pydantic.model_validator(mode="after")
    def _one_query(self) -> EndpointSource:
        if (self.query is None) == (self.query_file is None):
            raise ValueError("give exactly one of query, query_file")
        return self


class KnowledgeSource(Section):
    """The knowledge graph: RDF files or an endpoint, how items are linked, which predicates become relations and tags.

    Predicates are whole IRIs or their last part. Where the files hold users (``user_template``, or ids that are IRIs),
    no edge may lead from a user to what is held out for him.

    Parameters
    ----------
    paths : list of path
        RDF files.
    endpoint : table
        A SPARQL endpoint, in place of ``paths``.
    cache : path
        A folder that keeps what was read of ``paths``, by the content of the files; made where it is missing.
    triple_terms : {"count", "reify"}
        Statements with triple terms of RDF 1.2 are left out and counted, or kept with a node in the term's place.
    base : str
        Absolute IRI that relative ones are resolved against (Turtle, RDF/XML, JSON-LD).
    relations : list of str
        Predicates that become relations; empty keeps all but ``exclude``.
    exclude : list of str
        Predicates that do not; those of the events belong here where the files hold them.
    user_template : str
        IRI of a user, with ``{id}`` in place of the id, where the files hold users.
    literal_nodes : list of str
        Predicates whose literals become nodes (year, language).
    tags : list of str
        Predicates whose values are tags of items.
    attributes : list of str
        Predicates whose literals are columns of items: numbers, moments or texts, by what most values are.
    languages : list of str
        Languages of labels, the preferred first; the empty text is a label without a language.
    max_reject_share : float
        Share of bad lines that N-Triples and N-Quads may have.
    rules : list of str
        CONSTRUCT queries over the graph that was read, each with its prefixes; one sees what those before it made.
        Their triples are added before items are linked.
    """

    paths: list[Path] = []
    endpoint: EndpointSource | None = None
    link: Link
    cache: Path | None = None
    triple_terms: Literal["count", "reify"] = "count"
    base: str | None = None
    relations: list[str] = []
    exclude: list[str] = []
    user_template: str | None = None
    literal_nodes: list[str] = []
    tags: list[str] = []
    attributes: list[str] = []
    languages: list[str] = ["en", ""]
    max_reject_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    rules: list[str] = []

    @pydantic.model_validator(mode="after")
    def _files_or_endpoint(self) -> KnowledgeSource:
        if bool(self.paths) == (self.endpoint is not None):
            raise ValueError("give exactly one of paths, endpoint")
        of_files = {"cache": self.cache is not None, "base": self.base is not None}
        if self.endpoint is not None and any(of_files.values()):
            named = " and ".join(name for name, given in of_files.items() if given)
            raise ValueError(f"{named} is of files; a graph from an endpoint has none, so leave it out")
        return self


Source = Literal["events", "table", "links", "template", "list"]


class CatalogueSection(Section):
    """What an item is: the union of some lists of ids.

    Parameters
    ----------
    items : list of {"events", "table", "links", "template", "list"}
        Whose ids are items: those of the events (without a given test file), of ``data.items``, of the link table of
        ``data.knowledge``, of the entities whose IRI fits the link template, of ``list_file``. Empty stands for the
        events, and the template where items are linked by one.
    of_type : str
        A class, as IRI or last part of it: of ``"template"`` only entities of this ``rdf:type``, or of a class below
        it.
    list_file : path
        A file with one id a line.
    outside : {"missed", "left-out"}
        Held-out events of items outside the catalogue: true items that no channel can return, or left out of the
        truth, which raises every recall.
    derived : list of str
        Relations that are kept though they seem to be made of interactions (``also_bought``), by their names in the
        graph, and columns of items and users that are kept though they seem to be made of held-out events; others are
        refused.
    """

    items: tuple[Source, ...] = ()
    of_type: str | None = None
    list_file: Path | None = None
    outside: Literal["missed", "left-out"] = "missed"
    derived: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _list_and_file(self) -> CatalogueSection:
        if ("list" in self.items) != (self.list_file is not None):
            raise ValueError("'list' among items and list_file go together: give both, or neither of them")
        return self


class DataSection(Section):
    """All inputs. Relative paths start at the configuration file's directory; ``limits`` hold for each file.

    Parameters
    ----------
    triples : list of tables
        ``[[data.triples]]``: tables of edges between items and entities.
    """

    interactions: InteractionsSection
    knowledge: KnowledgeSource | None = None
    items: ItemsSource | None = None
    triples: tuple[TriplesSource, ...] = ()
    users: UsersSource | None = None
    exposures: ExposuresSource | None = None
    user_tags: UserTagsSource | None = None
    limits: Limits = Limits()

    @pydantic.model_validator(mode="after")
    def _only_files(self) -> DataSection:
        for name in type(self).model_fields:
            given = getattr(self, name)
            for table in given if isinstance(given, tuple) else (given,):
                if isinstance(table, TableSource) and not isinstance(table.path, Path):
                    raise ValueError(f"{name}.path is a {type(table.path).__name__}; a configuration names files")
        return self


class SplitSection(Section):
    """How events are held out; ``graphrec.data.splits`` explains each kind.

    Parameters
    ----------
    kind : {"time", "leave-last", "ratio", "given"}
        Everything after a moment; the last events of each user; a random share of each user's items; the events of
        ``data.interactions.test_path``.
    test_share : float
        Of ``"time"`` and ``"ratio"``: the share that is held out.
    cut : str
        Of ``"time"``: the moment, an ISO date, in place of a share.
    n : int
        Of ``"leave-last"``: events held out of each user.
    validation : {"learned", "history"}
        What becomes of the validation part of train, once settings and fusion are chosen on it. ``"learned"``: the
        channels that are measured are fitted again on all of train. ``"history"``: they are those that were fitted
        without it, and meet its events in the histories of the test alone, as the papers on sequences have it.
    """

    kind: Literal["time", "leave-last", "ratio", "given"] = "time"
    test_share: Share = 0.2
    cut: str | None = None
    n: Annotated[int, Field(ge=1)] = 1
    validation: Literal["learned", "history"] = "learned"


class FusionSection(Section):
    """How the channels' lists become one: a ``kind``, and the settings of that kind (``graphrec.fusion.settings``).

    Parameters
    ----------
    kind : str
        A kind below. ``kind = "rrf"`` with ``weights = "fit"`` stands for ``"fitted-rrf"``, ``"calibrated"`` and
        ``"boosted"`` for those with "fitted-" before them.
    """

    model_config = ConfigDict(extra="allow")

    kind: str = "rrf"


def _seconds(value: object) -> object:
    """Return a moment (ISO text, or a date or time of TOML) as seconds UTC; numbers stay as they are."""
    return moment(value) if isinstance(value, str | date) else value


class PoolSection(Section):
    """Which items may be recalled: rules (``graphrec.pool.rules``), and ids that they cannot touch or that never pass.

    Parameters
    ----------
    rules : list of tables
        Each has a ``kind`` and the settings of that rule; an item must pass all of them.
    allow, allow_file : list of str, path
        Ids that need not pass the rules: here, or in a file with one id a line.
    deny, deny_file : list of str, path
        Ids that are never in the pool: here, or in a file with one id a line. Deny beats allow.
    now : date or seconds UTC
        The moment that days are counted back from; without it that of the newest event.
    """

    rules: list[dict[str, Any]] = []
    allow: list[str] = []
    allow_file: Path | None = None
    deny: list[str] = []
    deny_file: Path | None = None
    now: Annotated[Annotated[int, Field(ge=0, le=LATEST_S)] | None, BeforeValidator(_seconds)] = None


class EvaluateSection(Section):
    """Cut-offs, how sure the intervals are, and the budget for which the report recommends channels.

    Parameters
    ----------
    k : list of int
        Cut-offs of every metric. Fusions and settings are chosen by the largest.
    bootstrap_rounds : int
        Resamples of the users behind every interval.
    max_users : int
        Measure a random sample of so many users; without it all.
    budget_us, budget_bytes, max_channels : float, float, int
        What the recommended channels may take together: microseconds a query, bytes on disk, their number.
    value : str
        A number of the items (``data.items.numbers``) that says what each is worth, such as its price or margin: the
        report then has value@K beside Recall@K. 0 where missing; none may be below 0.
    """

    k: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [20, 50, 100, 200]
    bootstrap_rounds: Annotated[int, Field(ge=100)] = 1000
    max_users: Annotated[int, Field(ge=1)] | None = None
    budget_us: Annotated[float, Field(gt=0)] | None = None
    budget_bytes: Annotated[float, Field(gt=0)] | None = None
    max_channels: Annotated[int, Field(ge=1)] | None = None
    value: str | None = None

    @property
    def limits(self) -> dict[str, float]:
        """What channels may use up together, by the name of the cost in the report."""
        named = {"query_us": self.budget_us, "size_bytes": self.budget_bytes, "channels": self.max_channels}
        return {name: limit for name, limit in named.items() if limit is not None}


class TrainSection(Section):
    """Where channels are trained, and what trainings leave besides them.

    Parameters
    ----------
    device : "cpu", "cuda" or "cuda:N"
        Where recipes that learn with torch compute; others do not read it. Kept fits are not made anew for another.
    tensorboard : path
        Folder of event logs for TensorBoard, one below it for each fit that trains by epochs or steps; without it none
        are written. Needs ``pip install 'graphrec[tensorboard]'``.
    """

    device: str = "cpu"
    tensorboard: Path | None = None

    @pydantic.field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"cpu|cuda(:[0-9]{1,3})?", device, re.ASCII):
            raise ValueError(f"{device!r} is no device; legal are 'cpu', 'cuda' and 'cuda:N', N the number of a GPU")
        return device


class PublishSection(Section):
    """What goes into the bundle.

    Parameters
    ----------
    data : {"all", "train"}
        Channels fitted on all events, or on the training part that was measured.
    keep : int
        Versions of the bundle that stay on disk.
    """

    data: Literal["all", "train"] = "all"
    keep: Annotated[int, Field(ge=1)] = 3


class TuneSection(Section):
    """How ``graphrec tune`` searches: by which metric, how long, on which validation part of train.

    Parameters
    ----------
    metric : str
        ``recall@K``, ``ndcg@K`` or ``hit_rate@K``, of each channel by itself.
    trials : int
        Settings tried of each channel, the present ones included.
    timeout_s : float
        Seconds after which no trial begins, over all channels.
    seed : int
        Of the settings drawn; without it that of the file.
    max_users : int
        Validation users that trials are measured on, a random sample.
    channels : table of tables
        By channel: fields of the recipe, and what they may be (``graphrec.pipelines.tuning.domains``).
    """

    metric: str = "recall@50"
    trials: Annotated[int, Field(ge=1)] = 60
    timeout_s: Annotated[float, Field(gt=0)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    validation: SplitSection | None = None
    max_users: Annotated[int, Field(ge=1)] = 5000
    channels: dict[str, dict[str, Any]] = {}

    @pydantic.field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        name, _, k = metric.partition("@")
        if name not in METRICS or not k.isascii() or not k.isdigit() or int(k) == 0:
            near = "" if name in METRICS else nearest_names(name, METRICS)
            legal = ", ".join(f"{known}@K" for known in METRICS)
            raise ValueError(f"{metric!r} is no metric{near}; legal are {legal}, with K of 1 or more")
        return metric

    @pydantic.field_validator("validation")
    @classmethod
    def _inside_train(cls, section: SplitSection | None) -> SplitSection | None:
        if section is not None and section.kind == "given":
            raise ValueError("there is no given validation file; legal kinds are time, leave-last, ratio")
        return section


class TrainConfig(Section):
    """The configuration of a run.

    Parameters
    ----------
    name : str
        Name of the data in reports.
    seed : int
        Of splits, fits and intervals.
    wording : mapping
        Words for explanations: ``verb`` ("read", "bought"), and for a relation a word (``isPartOf = "series"``) or a
        template (``author = "also by {entity}"``) with places for ``{entity}``, ``{source}`` (the history item) and
        ``{item}``.
    channels : table of tables
        By channel: the settings of its recipe, below. ``recipe`` names the recipe where the channel has a name of its
        own.
    """

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    wording: dict[str, str] = {}
    data: DataSection
    catalogue: CatalogueSection = CatalogueSection()
    split: SplitSection = SplitSection()
    pool: PoolSection = PoolSection()
    channels: dict[str, dict[str, Any]]
    fusion: FusionSection = FusionSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    publish: PublishSection = PublishSection()
    tune: TuneSection = TuneSection()

    @property
    def item_sources(self) -> tuple[Source, ...]:
        """Whose ids are items."""
        knowledge = self.data.knowledge
        by_template = knowledge is not None and knowledge.link.template is not None
        return self.catalogue.items or (("events", "template") if by_template else ("events",))

    @pydantic.field_validator("wording")
    @classmethod
    def _places(cls, wording: dict[str, str]) -> dict[str, str]:
        for key, words in wording.items():
            for place in re.findall(r"\{[^{}]*\}", words):
                if place not in ("{entity}", "{source}", "{item}"):
                    raise ValueError(f"{key!r} has the place {place}; legal are {{entity}}, {{source}} and {{item}}")
        return wording

    @pydantic.model_validator(mode="after")
    def _sources_are_there(self) -> TrainConfig:
        link = None if self.data.knowledge is None else self.data.knowledge.link
        needs: dict[str, tuple[str, object]] = {
            "table": ("data.items", self.data.items),
            "links": ("data.knowledge.link.table", link and link.table),
            "template": ("data.knowledge.link.template", link and link.template),
        }
        if link is not None and link.by_title and link.values is None and self.data.items is None:
            raise ValueError("data.knowledge.link.by_title needs titles; give values, a table of them, or data.items")
        for source in self.item_sources:
            place, given = needs.get(source, ("", True))
            if given is None:
                raise ValueError(
                    f"catalogue.items names {source!r}, but there is no {place}; give it, or drop {source!r}"
                )
        if self.catalogue.of_type is not None and "template" not in self.item_sources:
            raise ValueError("catalogue.of_type is of items by template, but 'template' is not among catalogue.items")
        return self
