"""From a configuration to the data that recipes learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import merged_features
from graphrec.data.interactions import Interactions, with_n_items
from graphrec.data.item_tags import merge_item_tags
from graphrec.data.user_tags import tags_of_items
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only, with_titles
from graphrec.graph.named_edges import NamedEdges, concatenated, with_edges

from ..config.build import Config
from ..jobs.pool import pool_files
from ..progress import Steps
from .attributes import UserTable, read_attributes, read_users
from .catalogue import check_events, declared_ids, events_of_items, outside_report, union
from .exposures import read_exposures
from .knowledge import is_rdf, rdf_events, read_knowledge
from .sources import InteractionTable, data_fingerprint, read_interactions
from .table_source import ExposuresSource, UsersSource, UserTagsSource
from .triples import read_triples
from .user_tags import read_user_tags


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """All that a configuration names, read and linked.

    ``events`` are all events: those of ``data``, and behind the rows of its items those of ids that are no items of the
    catalogue. ``test`` holds the events of a given test file, over the same rows and some more behind them.
    ``report`` says what was read, rejected and linked;
    ``fingerprint`` is a sha256 over the input files. ``data`` has no pool yet: that depends on the events that are
    looked at; ``pool`` says what its rules made of the training part, and ``outside`` are the held-out events of what
    is no item, by rows of their own (:func:`graphrec.pipelines.jobs.train.prepare`).
    """

    data: RecallData
    events: Interactions
    test: Interactions | None
    report: dict[str, Any]
    fingerprint: str
    pool: Mapping[str, Any] = field(default_factory=dict)
    outside: Interactions | None = None


def load_inputs(config: Config, *, rejects: Path | None, steps: Steps) -> Inputs:
    """Read interactions, the knowledge graph and the tables of items and users, and link them.

    Parameters
    ----------
    config : Config
        What to read.
    rejects : Path or None
        Directory for rows that cannot be used, a file an input, named after its section; made when there are some.
    steps : Steps
        Where progress is shown.

    Raises
    ------
    DataError
        If an input is missing, broken, or has too many unusable rows.
    """
    sections = config.settings.data
    with steps.step("read interactions"):
        source = _read_events(config, sections.interactions.path, None, rejects and rejects / "interactions.csv")
    # Named as in the configuration: a report speaks of data, not of the machine that read it.
    report: dict[str, Any] = {"interactions": {**source.report, "name": str(sections.interactions.path)}}
    parts = declared_ids(config, source.items)
    items, catalogue, tags, described = union(parts, source.items), None, None, None
    if sections.knowledge is not None:
        catalogue, tags, described, report["knowledge"] = read_knowledge(
            config, sections.knowledge, source.items, items, rejects, steps
        )
        items = catalogue.items
    edges: list[NamedEdges] = []
    events = events_of_items(source, items)
    check_events(events, items, str(sections.interactions.path))
    report["catalogue"] = {
        "items": len(items),
        "sources": {name: len(part) for name, part in parts.items()},
        "outside": outside_report(events),
    }
    if sections.items is not None:
        attributes = read_attributes(
            config.source(sections.items),
            items=items,
            rejects=rejects and rejects / "items.csv",
        )
        # What the table says goes before what the graph says; tags are those of both.
        catalogue = with_titles(catalogue or items_only(items), attributes.labels)
        edges += [attributes.edges] if attributes.edges is not None else []
        both = [part for part in (tags, attributes.item_tags) if part is not None]
        tags = reduce(merge_item_tags, both) if both else None
        described = merged_features(attributes.attributes, described)
        report["items"] = {**attributes.report, "name": str(sections.items.path)}
    if sections.triples:
        with steps.step("read triples"):
            tables, report["triples"] = _read_triples(config, items, rejects)
        edges += tables
    if edges:
        catalogue = with_edges(catalogue or items_only(items), concatenated(edges))
    test = None
    if sections.interactions.test_path is not None:
        with steps.step("read test interactions"):
            given = _read_events(
                config, sections.interactions.test_path, source.users, rejects and rejects / "test.csv"
            )
        held = events_of_items(given, items, events.outside)
        test = held.all
        report["test"] = {
            **given.report,
            "name": str(sections.interactions.test_path),
            "outside": outside_report(held),
        }
    people = None
    if sections.users is not None:
        table = _read_users(config, sections.users, source.users, rejects)
        people, report["users"] = table.attributes, {**table.report, "name": str(sections.users.path)}
    data = RecallData(
        source.users,
        items,
        events.inside,
        catalogue or items_only(items),
        tags,
        item_features=described,
        user_features=people,
    )
    if sections.exposures is not None:
        with steps.step("read exposures"):
            data, report["exposures"] = _with_exposures(config, sections.exposures, data, rejects)
    if sections.user_tags is not None:
        with steps.step("read user tags"):
            data, report["user_tags"] = _with_user_tags(config, sections.user_tags, data, rejects)
    everything = events.all if test is None else with_n_items(events.all, test.n_items)
    return Inputs(data, everything, test, report, data_fingerprint(_files(config)))


def _with_exposures(
    config: Config, section: ExposuresSource, data: RecallData, rejects: Path | None
) -> tuple[RecallData, dict[str, Any]]:
    """Return the data with what was shown, and what was read of it."""
    source = config.source(section)
    exposures, report = read_exposures(
        source,
        users=data.users,
        items=data.items,
        rejects=rejects and rejects / "exposures.csv",
    )
    return replace(data, exposures=exposures), {**report, "name": str(section.path)}


def _read_triples(
    config: Config, items: Vocabulary, rejects: Path | None
) -> tuple[list[NamedEdges], list[dict[str, Any]]]:
    """Return the edges of every table of triples, and what was read of each."""
    edges, reports = [], []
    for number, section in enumerate(config.settings.data.triples, 1):
        read, report = read_triples(
            config.source(section), items=items, rejects=rejects and rejects / f"triples-{number}.csv"
        )
        edges.append(read)
        reports.append({**report, "name": str(section.path)})
    return edges, reports


def _with_user_tags(
    config: Config, section: UserTagsSource, data: RecallData, rejects: Path | None
) -> tuple[RecallData, dict[str, Any]]:
    """Return the data with the tags that users gave added to those that items have, and what was read of them."""
    source = config.source(section)
    tagged, report = read_user_tags(
        source,
        users=data.users,
        items=data.items,
        given=data.item_tags,
        rejects=rejects and rejects / "user_tags.csv",
    )
    return replace(data, user_tags=tagged, item_tags=tags_of_items(tagged)), {**report, "name": str(section.path)}


def _read_events(config: Config, path: Path, users: Vocabulary | None, rejects: Path | None) -> InteractionTable:
    """Read one file of events; where ``users`` are given, others are left out."""
    section = config.settings.data.interactions
    file = config.resolve(path)
    events, read = rdf_events(config, file, rejects) if is_rdf(file) else (file, {})
    table = read_interactions(
        config.source(section).model_copy(update={"path": events}),
        rejects=rejects,
        users=users,
    )
    return replace(table, report={**table.report, **read})


def _read_users(config: Config, section: UsersSource, users: Vocabulary, rejects: Path | None) -> UserTable:
    """Read the attributes of users."""
    return read_users(config.source(section), users=users, rejects=rejects and rejects / "users.csv")


def _files(config: Config) -> list[Path]:
    """Return every input file, in the order of the configuration."""
    data = config.settings.data
    named = [data.interactions.path, data.interactions.test_path]
    if data.knowledge is not None:
        named += [*data.knowledge.paths, data.knowledge.link.table, data.knowledge.link.values]
        named += [data.knowledge.endpoint.query_file] if data.knowledge.endpoint is not None else []
    tables = (data.items, data.users, data.exposures, data.user_tags, *data.triples)
    named += [table.path for table in tables if table is not None]
    named.append(config.settings.catalogue.list_file)
    return [config.resolve(path) for path in named if path is not None] + pool_files(config)
