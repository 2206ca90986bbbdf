"""A configuration to start from, written for a graph and tables that no configuration describes yet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrec.escapes import one_line, toml_text

if TYPE_CHECKING:
    from graphrec.kg.schema.values import GraphSchema, LinkRule

    from ..readers.unknown_tables import UnknownTable

_SAMPLE_TEMPLATE = "http://example.org/item/{id}"
# Our own vocabulary of events needs no mapping.
_OWN = "https://graphrec.org/ns#"


def first_config(
    schema: GraphSchema,
    files: Sequence[Path],
    *,
    directory: Path,
    items: UnknownTable | None = None,
    events: UnknownTable | None = None,
) -> str:
    """Return a TOML configuration that loads, and that trains where there are events.

    Parameters
    ----------
    schema : GraphSchema
        What :func:`graphrec.kg.schema.describe.describe` says of the graph.
    files : sequence of path
        The RDF files of the graph.
    directory : Path
        Where the configuration will lie: paths are written as seen from there.
    items, events : UnknownTable, optional
        Tables that were given. Without events, those that the graph holds are taken; where it holds none either, a
        comment asks for them.

    Returns
    -------
    str
        TOML; a comment stands wherever somebody should look.
    """
    paths = [_seen_from(directory, path) for path in files]
    within = events is None and bool(schema.use.interactions)
    timed = events is not None and "timestamp" in events.settings["columns"]
    name = files[0].name.partition(".")[0] or "graph"
    parts = [
        ["# Written by graphrec kg describe: look at each line before you trust it.", _pair("name", name), "seed = 42"],
        _events_part(events, directory) if not within else _events_in_graph(schema, paths),
        _items_part(items, directory),
        _knowledge_part(schema, paths, items, directory, within=within),
        _catalogue_part(schema, items, within=within),
        ["[split]", _pair("kind", "time" if timed else "ratio"), "test_share = 0.2"],
        *[[f"[channels.{channel}]"] for channel in _channels(schema)],
        ["[evaluate]", "k = [20, 50, 100, 200]"],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _channels(schema: GraphSchema) -> list[str]:
    by_graph = [("tag", schema.use.tags), ("kg-neighbours", schema.use.relations)]
    return ["hot", "user-cf", "item-cf", *(channel for channel, predicates in by_graph if predicates)]


def _events_part(events: UnknownTable | None, directory: Path) -> list[str]:
    if events is None:
        return [
            "[data.interactions]",
            "# No table of events was given, and the graph holds none: name yours here (or with --events).",
            _pair("path", "events.csv"),
            _pair("columns", {"user_id": "user_id", "item_id": "item_id"}),
        ]
    lines = ["[data.interactions]", _pair("path", _seen_from(directory, events.path))]
    return lines + [_pair(key, value) for key, value in events.settings.items()]


def _events_in_graph(schema: GraphSchema, paths: Sequence[str]) -> list[str]:
    """Return the section of events that stand in the graph itself."""
    use = schema.use
    direct = [iri for iri in use.interactions if not iri.startswith(_OWN)]
    templates = {"user_template": use.user_template, "item_template": use.item_template}
    terms = ({"direct": direct} if direct else {}) | {key: value for key, value in templates.items() if value}
    more = ["# Events are read from one file; name that which holds them."] if len(paths) > 1 else []
    return [
        "[data.interactions]",
        "# The graph holds who took what; a table of events with times is better where there is one.",
        *more,
        _pair("path", paths[0]),
        *([_pair("rdf", terms)] if terms else []),
    ]


def _items_part(items: UnknownTable | None, directory: Path) -> list[str]:
    if items is None:
        return []
    path = _seen_from(directory, items.path)
    return ["[data.items]", _pair("path", path), _pair("columns", items.settings["columns"])]


def _knowledge_part(
    schema: GraphSchema, paths: Sequence[str], items: UnknownTable | None, directory: Path, *, within: bool
) -> list[str]:
    use = schema.use
    lines = ["[data.knowledge]", _pair("paths", list(paths))]
    lines += _link_lines(schema, items, directory, within=within)
    lines += _relation_lines(schema)
    if use.interactions and use.user_template:
        lines.append(_pair("user_template", use.user_template))
    if use.tags:
        lines.append(_pair("tags", _names(schema, use.tags)))
    if use.literal_nodes:
        lines.append(f"# {_pair('literal_nodes', _names(schema, use.literal_nodes))}  # values that items share")
    if use.attributes:
        lines.append(f"# {_pair('attributes', _names(schema, use.attributes))}  # columns for channels of features")
    return lines


def _catalogue_part(schema: GraphSchema, items: UnknownTable | None, *, within: bool) -> list[str]:
    """Return what an item is: by a template only entities of the items' class, where the graph has one."""
    use = schema.use
    by_template = within or not use.links or "template" in use.links[0].settings
    sources = ["events", *(["table"] if items is not None else []), *(["template"] if by_template else [])]
    lines = [
        "[catalogue]",
        "# Whose ids are items; all of them can be recalled, with events or without.",
        _pair("items", sources),
    ]
    if not by_template:
        return lines
    named = {entry.iri: one_line(entry.name) for entry in schema.classes}
    if use.items in named:
        return [
            *lines,
            f"# Of the entities with such an IRI those of this class: {use.n_items:,} of {named[use.items]}.",
            _pair("of_type", use.items),
        ]
    template = str(use.links[0].settings["template"]) if use.links else use.item_template or _SAMPLE_TEMPLATE
    start, _, end = template.partition("{id}")
    fitting = [entry for entry in schema.classes if entry.example.startswith(start) and entry.example.endswith(end)]
    if len(fitting) < 2:
        return lines
    names = ", ".join(one_line(entry.name) for entry in fitting[:5])
    return [
        *lines,
        f"# Entities of {len(fitting)} classes have such IRIs ({names}), and all would be items: name theirs.",
        f"# {_pair('of_type', fitting[0].iri)}",
    ]


def _link_lines(schema: GraphSchema, items: UnknownTable | None, directory: Path, *, within: bool) -> list[str]:
    use = schema.use
    if use.links:
        best, *others = use.links
        lines = [
            f"# Links {best.linked:.1%} of the items{_agreement(best)}.",
            _pair("link", _link(best, items, directory)),
        ]
        return lines + [
            f"# or, {rule.linked:.1%}{_agreement(rule)}: {_pair('link', _link(rule, items, directory))}"
            for rule in others
        ]
    if within:  # ids are cut out of IRIs by the same template, or are whole IRIs
        return [_pair("link", {"template": use.item_template or "{id}"})]
    return [
        "# No rule was tried on items, or none linked any: most of what may be an item has such an IRI.",
        _pair("link", {"template": use.item_template or _SAMPLE_TEMPLATE}),
    ]


def _agreement(rule: LinkRule) -> str:
    return "" if rule.titles_agree is None else f", {rule.titles_agree:.1%} of these by the same title"


def _link(rule: LinkRule, items: UnknownTable | None, directory: Path) -> dict[str, Any]:
    settings: dict[str, Any] = dict(rule.settings)
    if "template" in settings or items is None:
        return settings
    columns = items.settings["columns"]
    path, theirs = _seen_from(directory, items.path), columns.get(rule.column, rule.column)
    if "iri_column" in settings:
        return {"table": path, "item_column": columns["item_id"], "iri_column": theirs}
    if rule.column == "item_id":
        return settings
    return settings | {"values": path, "columns": {"item_id": columns["item_id"], "label": theirs}}


def _relation_lines(schema: GraphSchema) -> list[str]:
    use = schema.use
    lines = [
        f"# {one_line(schema.predicate(iri).name)}: {', '.join(flags)}"
        for iri, flags in list(schema.suspicious.items())[:10]
    ]
    if use.relations:
        return [*lines, _pair("relations", _names(schema, use.relations))]
    return [*lines, _pair("exclude", _names(schema, use.interactions))] if use.interactions else lines


def _names(schema: GraphSchema, iris: Sequence[str]) -> list[str]:
    return [schema.predicate(iri).name for iri in iris]


def _pair(key: str, value: object) -> str:
    return f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """Return a text, a list or a mapping as TOML on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(entry) for entry in value)}]"
    return toml_text(str(value))


def _key(key: str) -> str:
    """Return a key, in quotes where it needs them."""
    return key if key and key.replace("_", "").replace("-", "").isalnum() and key.isascii() else toml_text(key)


def _seen_from(directory: Path, path: Path) -> str:
    if path.is_absolute():
        return path.as_posix()
    try:
        return Path(os.path.relpath(path.resolve(), directory.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
