"""Knowledge graphs and events in RDF, as the configuration names them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from graphrec.data.features import Features
from graphrec.data.item_tags import ItemTags
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.graph.catalogue import CatalogueGraph

from ..config.build import Config, from_table
from ..config.sections import EndpointSource, KnowledgeSource, Link
from ..progress import Steps
from .attributes import read_attributes
from .batches import check_file
from .rejects import Rejects

if TYPE_CHECKING:
    from graphrec.kg.knowledge_graph import KnowledgeGraph, ReadReport
    from graphrec.kg.linking_report import Linking

# Files whose extension says RDF are read by kg.
_RDF = (".ttl", ".nt", ".nq", ".trig", ".rdf", ".owl", ".xml", ".jsonld", ".json")
_PACKED = (".gz", ".xz", ".zst")


class Knowledge(NamedTuple):
    """What a knowledge graph says of the items: the graph around them, tags, columns of features, and a report."""

    catalogue: CatalogueGraph
    tags: ItemTags | None
    attributes: Features | None
    report: dict[str, Any]


def is_rdf(path: Path) -> bool:
    """Return whether the name of a file says that it holds RDF."""
    name = path.name.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.endswith(_RDF)


def rdf_events(config: Config, file: Path, rejects: Path | None) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the events of an RDF file, and what its reader left out; a column that is wholly empty is left out.

    Lines that cannot be used go to a file beside ``rejects``, with the extension ``.jsonl``.
    """
    try:
        from graphrec.kg.interactions import InteractionMapping, interactions_from_rdf
        from graphrec.kg.reading.rdf import read_rdf
    except ImportError as error:
        raise MissingExtraError("reading interactions from RDF", extra="kg") from error
    check_file(file)
    section = config.settings.data.interactions
    terms = from_table(InteractionMapping, section.rdf, place="data.interactions.rdf")
    graph = read_rdf(
        file,
        rejects=rejects and rejects.with_suffix(".jsonl"),
        max_reject_share=section.max_reject_share,
        limits=config.settings.data.limits,
    )
    events = interactions_from_rdf(graph, terms)
    empty = [name for name in ("timestamp", "event") if events[name].null_count() == events.height]
    return events.drop(empty), {"rdf": _counts(graph.report)}


def _counts(report: ReadReport) -> dict[str, int]:
    """Return what reading left out."""
    return {
        "rejected": report.n_rejected,
        "unmapped": report.n_unmapped,
        "triple_terms": report.n_triple_terms,
    }


def read_knowledge(
    config: Config,
    section: KnowledgeSource,
    events: Vocabulary,
    declared: Vocabulary,
    rejects: Path | None,
    steps: Steps,
) -> Knowledge:
    """Read the knowledge graph and join it to the items.

    ``events`` are the ids of the events, by which the link is judged; ``declared`` those of the catalogue that are
    known without the graph. Items that only the graph knows are appended where the catalogue is declared by template.
    """
    graph = _read_graph(config, section, rejects, steps)
    from graphrec.kg.catalogue import catalogue_graph
    from graphrec.kg.tags import item_tags

    if section.rules:
        with steps.step("apply the CONSTRUCT rules"):
            graph = _with_rules(graph, section)
    with steps.step("link items to entities"):
        items, linking, linked = _link(config, section.link, events, declared, graph)
        catalogue = catalogue_graph(
            graph,
            linking,
            items,
            relations=section.relations or None,
            exclude=section.exclude,
            literal_nodes=section.literal_nodes,
        )
        tags = item_tags(graph, linking, section.tags) if section.tags else None
    report = {
        "read": {"triples": len(graph.triples), "entities": len(graph.entities), **_counts(graph.report)},
        "linking": {**linking.report.to_dict(), **linked},
    }
    columns = None
    if section.attributes:
        with steps.step("read the attributes of items from the graph"):
            columns, report["attributes"] = _attributes(graph, linking, section, rejects)
    return Knowledge(catalogue, tags, columns, report)


def _attributes(
    graph: KnowledgeGraph, linking: Linking, section: KnowledgeSource, rejects: Path | None
) -> tuple[Features, dict[str, Any]]:
    """Return the columns that literals make, and what was read of each; values of another kind go to a file."""
    from graphrec.kg.attributes import item_attributes

    read = item_attributes(graph, linking, section.attributes, languages=section.languages)
    kinds = {column.predicate: column.kind for column in read.columns.values()}
    path = rejects and rejects / "knowledge_attributes.csv"
    with Rejects(path, name="data.knowledge.attributes", place="statement") as bad:
        for place, (predicate, entity, text) in enumerate(read.rejects.iter_rows(), start=1):
            bad.add(f"no {kinds[predicate]}", place, (predicate, entity, text), value=text)
    return read.features, {name: asdict(column) for name, column in read.columns.items()}


def _read_graph(config: Config, section: KnowledgeSource, rejects: Path | None, steps: Steps) -> KnowledgeGraph:
    """Return the graph of the files, or of the endpoint."""
    try:
        from graphrec.kg.reading.rdf import read_rdf
    except ImportError as error:
        raise MissingExtraError("reading a knowledge graph", extra="kg") from error
    if section.endpoint is not None:
        return _from_endpoint(config, section, section.endpoint, steps)
    with steps.step("read the knowledge graph"):
        files = [config.resolve(path) for path in section.paths]
        for file in files:
            check_file(file)
        return read_rdf(
            files,
            rejects=rejects and rejects / "knowledge.jsonl",
            max_reject_share=section.max_reject_share,
            languages=section.languages,
            base=section.base,
            limits=config.settings.data.limits,
            triple_terms=section.triple_terms,
            cache=None if section.cache is None else config.resolve(section.cache),
        )


def _from_endpoint(config: Config, section: KnowledgeSource, endpoint: EndpointSource, steps: Steps) -> KnowledgeGraph:
    """Return what a query makes at an endpoint; the bar is that of the triples by ``max_triples``."""
    from graphrec.kg.sparql.endpoint import read_sparql

    query = endpoint.query or _query_text(config.resolve(endpoint.query_file or Path()))
    with steps.step(f"ask {endpoint.url}") as advance:
        try:
            return read_sparql(
                endpoint.url,
                query,
                page=endpoint.page or None,
                max_triples=endpoint.max_triples,
                timeout_s=endpoint.timeout_s,
                retries=endpoint.retries,
                languages=section.languages,
                limits=config.settings.data.limits,
                progress=lambda _, n: advance(n, endpoint.max_triples, f"{n:,} triples"),
            )
        except DataError as error:
            raise DataError(f"data.knowledge.endpoint: {error}") from error


def _query_text(path: Path) -> str:
    check_file(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text; a file with a CONSTRUCT query is") from error


def _with_rules(graph: KnowledgeGraph, section: KnowledgeSource) -> KnowledgeGraph:
    from graphrec.kg.sparql.rules import with_rules

    try:
        return with_rules(graph, section.rules, languages=section.languages)
    except DataError as error:
        raise DataError(f"data.knowledge.rules: {error}") from error


def _link(
    config: Config, link: Link, events: Vocabulary, declared: Vocabulary, graph: KnowledgeGraph
) -> tuple[Vocabulary, Linking, dict[str, int]]:
    """Return the items, their entities, and how many ids of the events are linked; an error where none is.

    Items that only the graph knows are appended, after the ids of the events have been judged.
    """
    from graphrec.kg.linking import ids_by_template

    of_events = _link_items(config, link, events, graph)
    counts = {"of_events": len(events), "linked_of_events": of_events.report.linked}
    if not of_events.report.linked:
        raise DataError(
            f"data.knowledge.link joins none of the {len(events):,} items of the events to the knowledge graph; an "
            f"item is {events[0]!r}, an entity {graph.entities[0]!r}"
        )
    items = declared
    if link.template is not None and "template" in config.settings.item_sources:
        named = Vocabulary(ids_by_template(graph, link.template, of_type=config.settings.catalogue.of_type))
        items = declared.extend(named.ids)
        counts["of_template"] = len(named)
    if items.ids.equals(events.ids):
        return events, of_events, counts
    return items, _link_items(config, link, items, graph), counts


def _link_items(config: Config, link: Link, items: Vocabulary, graph: KnowledgeGraph) -> Linking:
    """Return the entities of items."""
    from graphrec.kg.linking import link_by_literal, link_by_table, link_by_template

    if link.template is not None:
        return link_by_template(items, graph, link.template)
    if link.table is not None:
        table = config.resolve(link.table)
        return link_by_table(table, items, graph, item_column=link.item_column, iri_column=link.iri_column)
    if link.by_title:
        return _link_by_title(config, link, items, graph)
    if link.predicate is None:
        raise ConfigError("data.knowledge.link: give exactly one of template, table, predicate, by_title")
    values = list(items)
    if (titles := link.titles()) is not None:
        values = read_attributes(config.source(titles), items=items).labels.to_pylist()
    return link_by_literal(items, graph, link.predicate, values, normalise=link.normalise)


def _link_by_title(config: Config, link: Link, items: Vocabulary, graph: KnowledgeGraph) -> Linking:
    """Return the entities that are called like the items; an error where no item has a title."""
    from graphrec.kg.title_links import link_by_title

    titles = link.titles() or config.settings.data.items
    if titles is None:
        raise ConfigError("data.knowledge.link.by_title needs titles; give values, a table of them, or data.items")
    names = read_attributes(config.source(titles), items=items).labels.to_pylist()
    if not any(names):
        raise DataError(
            f"data.knowledge.link.by_title: {titles.path} has a title of none of the {len(items):,} items; name the "
            "column of titles with columns = { label = … }"
        )
    return link_by_title(items, graph, names, ambiguous=link.ambiguous)
