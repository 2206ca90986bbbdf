"""What the engine answered, and what a bundle holds, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from graphrec.bundle import Bundle, open_bundle
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import GraphRecError, nearest_names
from graphrec.graph.derived import LIFT, RelationCheck, sentence
from graphrec.index.build import index_kind
from graphrec.index.embedding_drift import Drift
from graphrec.index.row_ids import Near
from graphrec.serve.answer import Answer, Explanation, Neighbours, Place
from graphrec.serve.taken_down import Edited, read_taken_down

# Above this size the nearest ids are not looked for: the search is linear and slow.
_SUGGEST_LIMIT = 200_000


def answer_table(answer: Answer, *, title: str, explain: bool) -> Table:
    """Return the candidates with channels and ranks, or with the reasons where ``explain`` is set."""
    notes = [] if answer.user_known else ["user not known"]
    notes += [f"filled from {answer.fallback}"] if answer.fallback else []
    notes += [f"{answer.unknown} unknown ids ignored"] if answer.unknown else []
    notes += [f"{channel} left out: {why}" for channel, why in answer.left_out.items()]
    notes += [f"{channel} gives no reasons: {why}" for channel, why in answer.unexplained.items()]
    notes += [answer.empty_because] if answer.empty_because else []
    table = Table(title=title, caption="; ".join(notes) or None, title_justify="left", caption_justify="left")
    table.add_column("#", justify="right")
    table.add_column("item", overflow="fold")
    table.add_column("title", overflow="fold", ratio=3)
    table.add_column("score", justify="right")
    table.add_column("why" if explain else "found by (rank)", overflow="fold", ratio=5)
    for position, item in enumerate(answer.items, 1):
        why = item.explanation or "" if explain else _places(item.channels)
        table.add_row(str(position), item.item, item.title, f"{item.score:.4f}", why)
    return table


def neighbours_table(near: Neighbours) -> Table:
    """Return what is near a node, with what they share or the way there."""
    along = f" along {near.relation or near.path}" if near.relation or near.path else ""
    table = Table(title=f"{len(near)} neighbours of {near.title}{along}", title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("item", overflow="fold")
    table.add_column("title", overflow="fold", ratio=2)
    table.add_column("score", justify="right")
    table.add_column("why", overflow="fold", ratio=3)
    for position, item in enumerate(near.items, 1):
        table.add_row(str(position), item.item, item.title, f"{item.score:.4f}", item.explanation)
    return table


def explanation_table(explanation: Explanation, *, title: str) -> Table:
    """Return the reasons for an item with what each gave of its channel's score."""
    more = explanation.n_reasons - len(explanation)
    notes = [
        f"{more:,} more" if more else "",
        f"{explanation.unknown} unknown ids ignored" if explanation.unknown else "",
    ]
    notes += [explanation.unconnected or ""]
    notes += [f"{channel} gives no reasons: {why}" for channel, why in explanation.unexplained.items()]
    caption = "; ".join(note for note in notes if note)
    table = Table(title=title, caption=caption or None, title_justify="left", caption_justify="left")
    table.add_column("why", overflow="fold", ratio=5)
    table.add_column("channel", overflow="fold")
    table.add_column("contribution", justify="right")
    table.add_column("share", justify="right")
    for reason in explanation.reasons:
        amount = "" if reason.contribution is None else f"{reason.contribution:.4g}"
        share = "" if reason.share is None else f"{100 * reason.share:.1f} %"
        table.add_row(reason.text, reason.channel, amount, share)
    return table


def similar_table(near: Sequence[Near], *, kind: str, title: str) -> Table:
    """Return the nodes of a kind near a vector."""
    table = Table(title=title, title_justify="left")
    table.add_column("#", justify="right")
    table.add_column(kind, overflow="fold")
    table.add_column("title", overflow="fold", ratio=3)
    table.add_column("cosine", justify="right")
    for position, node in enumerate(near, 1):
        table.add_row(str(position), node.id, node.label or "", f"{node.score:.4f}")
    return table


def drift_lines(drift: Drift) -> list[str]:
    """Return what two trainings have in common, a sentence each."""
    away, kept = drift.displacement_quantiles, drift.kept_quantiles
    zero = f", {drift.zero:,} of them without a vector" if drift.zero else ""
    return [
        f"{drift.shared:,} nodes in both{zero}, {drift.only_old:,} only in the old, {drift.only_new:,} only in the new",
        f"of the {drift.k} nearest, {100 * drift.kept:.1f} % are kept ({100 * drift.kept_by_chance:.1f} % by chance); "
        f"of the median node {100 * kept['p50']:.0f} %, of the lowest tenth at most {100 * kept['p10']:.0f} %",
        f"displacement after alignment (1 - cosine): median {away['p50']:.3f}, 90 % below {away['p90']:.3f}, "
        f"99 % below {away['p99']:.3f}",
    ]


def moved_table(drift: Drift) -> Table:
    """Return the nodes that moved most."""
    table = Table(title="moved most", title_justify="left")
    for name in ("id", "kind", "label"):
        table.add_column(name, overflow="fold")
    table.add_column("displacement", justify="right")
    for node in drift.moved:
        table.add_row(node.id, node.kind or "", node.label or "", f"{node.displacement:.4f}")
    return table


def inputs_lines(inputs: Mapping[str, Any]) -> list[str]:
    """Return what was read, left out and linked, a sentence each."""
    lines = []
    for name in ("interactions", "test"):
        if table := inputs.get(name):
            lines.append(
                f"{table['name']}: {table['kept']:,} of {table['rows']:,} rows, {table['users']:,} users, "
                f"{table['items']:,} items{_rejected(table, end=' (see the rejects)')}"
                f"{_left_out(table['rdf']) if 'rdf' in table else ''}"
            )
    for name in ("items", "users"):
        if (table := inputs.get(name)) and "known" in table:
            known = ", ".join(f"{attribute} of {count:,}" for attribute, count in table["known"].items())
            lines.append(
                f"{table['name']}: attributes of {table['matched']:,} of {table['matched'] + table['without_row']:,} "
                f"{name}: {known}{_rejected(table, 'not read', end=' (see the rejects)')}"
            )
    if shown := inputs.get("exposures"):
        lines.append(
            f"{shown['name']}: {shown['kept']:,} of {shown['rows']:,} exposures, {shown['converted']:,} converted, "
            f"{shown['anonymous']:,} of unknown users{_rejected(shown)}"
        )
    if tagged := inputs.get("user_tags"):
        lines.append(
            f"{tagged['name']}: {tagged['kept']:,} of {tagged['rows']:,} user tags, {tagged['anonymous']:,} of unknown "
            f"users, {tagged['rare']:,} that fewer than {tagged['min_users']:,} gave the item; {tagged['tags']:,} "
            f"tags of {tagged['tagged_items']:,} items count{_rejected(tagged)}"
        )
    for table in inputs.get("triples", ()):
        relations = ", ".join(f"{count:,} {name}" for name, count in table["relations"].items())
        lines.append(
            f"{table['name']}: {table['kept']:,} of {table['rows']:,} triples, {table['edges']:,} edges: {relations}"
            f"{_rejected(table, end=' (see the rejects)')}"
        )
    if knowledge := inputs.get("knowledge"):
        read, linked = knowledge["read"], knowledge["linking"]
        lines.append(
            f"knowledge graph: {read['triples']:,} triples of entities, {read['rejected']:,} lines rejected"
            f"{_left_out({**read, 'rejected': 0})}"
        )
        counts = ", ".join(f"{linked[name]:,} {name}" for name in ("ambiguous", "missing"))
        if linked["without_edges"]:
            counts += f", {linked['without_edges']:,} with an entity that has no edges"
        if linked["n_items"] > linked["of_events"]:
            counts += f"; {linked['linked_of_events']:,} of the {linked['of_events']:,} items of the events are linked"
        examples = linked["examples"].get("missing", [])[:3]
        such = f", such as {', '.join(examples)}" if examples else ""
        lines.append(f"linking: {linked['matched']:,} of {linked['n_items']:,} items matched, {counts}{such}")
    return [*lines, *_catalogue_lines(inputs), *_derived_lines(inputs)]


def _derived_lines(inputs: Mapping[str, Any]) -> list[str]:
    """Return the figures of relations that are made of interactions and kept, and of those that correlate with them."""
    checks = [RelationCheck(**check) for check in inputs.get("relations", ())]
    kept = [f"kept by catalogue.derived: {sentence(check)}" for check in checks if check.derived]
    alike = [check for check in checks if not check.derived and (check.lift or 0.0) >= LIFT]
    return [*kept, *(f"no sign of being made of interactions, but {sentence(check)}" for check in alike)]


def _catalogue_lines(inputs: Mapping[str, Any]) -> list[str]:
    """Return how many events are of ids outside the catalogue; nothing where there are none."""
    parts = {"interactions": inputs.get("catalogue", {}), "test": inputs.get("test", {})}
    counts = {name: part["outside"] for name, part in parts.items() if part.get("outside", {}).get("events")}
    return [
        f"catalogue: {count['events']:,} events of {inputs[name]['name']} are of items outside it, such as "
        f"{', '.join(count['examples'][:3])}"
        for name, count in counts.items()
    ]


def _left_out(read: Mapping[str, Any]) -> str:
    """Return what a reader of RDF left out, as the end of a sentence; nothing where it took all."""
    parts = {"rejected": "lines rejected", "unmapped": "keys without an IRI", "triple_terms": "triple terms left out"}
    return "".join(f", {read[name]:,} {what}" for name, what in parts.items() if read[name])


def _rejected(table: Mapping[str, Any], what: str = "left out", *, end: str = "") -> str:
    """Return how many rows were rejected and why, as the end of a sentence; nothing where there are none."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in table["rejects"].items())
    return f"; {what}: {reasons}{end}" if reasons else ""


def strange_ids(directory: Path, ids: Sequence[str]) -> dict[str, str]:
    """Return those of ``ids`` that are no items of the bundle, each with the nearest item ids."""
    try:
        items = open_bundle(directory, verify=False).items if ids else Vocabulary([])
    except GraphRecError as error:
        # A take-down is noted all the same.
        return dict.fromkeys(ids, f"; no bundle to look it up in: {error}")
    few = len(items) <= _SUGGEST_LIMIT
    return {name: nearest_names(name, items) if few else "" for name in ids if name not in items}


def taken_down_lines(edited: Edited, ids: Sequence[str], strange: Mapping[str, str]) -> list[str]:
    """Return what an edit of the taken-down items did, a sentence each."""
    lines = []
    if ids:
        changed = ", ".join(edited.changed) or "none, all were so before"
        lines.append(f"changed: {changed}")
        lines += [
            f"{name!r} is no item of the bundle, but may be in a later bundle{near}" for name, near in strange.items()
        ]
    lines.append(
        f"{edited.file}: {len(edited.ids):,} taken down" + (f": {', '.join(edited.ids)}" if edited.ids else "")
    )
    return lines + (["Engines that are running read the file when they reload."] if edited.changed else [])


def bundle_json(bundle: Bundle) -> dict[str, Any]:
    """Return what a bundle holds as plain JSON values."""
    manifest, graph = bundle.manifest, bundle.catalogue.adjacency
    sizes = channel_bytes(bundle)
    return {
        "path": str(bundle.path),
        "created": manifest.created,
        "graphrec": manifest.graphrec,
        "libraries": dict(manifest.libraries),
        "data_fingerprint": manifest.data_fingerprint,
        "users": len(bundle.users),
        "items": len(bundle.items),
        "pool": int(bundle.pool.sum()),
        "taken_down": len(read_taken_down(bundle.path)),
        "events": len(bundle.history.items),
        "nodes": graph.n_nodes,
        "edges": graph.n_edges,
        "node_types": list(graph.node_types),
        "relations": list(graph.relation_names),
        "channels": {
            name: {"kind": channel.kind, "size_bytes": sizes[name]}
            | ({"index": index_kind(channel.near)} if hasattr(channel, "near") else {})
            | ({"ann_recall": manifest.audits[name]} if name in manifest.audits else {})
            for name, channel in bundle.channels.items()
        },
        "fusion": dict(manifest.fusion),
        "size_bytes": sum(entry.size_bytes for entry in manifest.files.values()),
    }


def bundle_table(bundle: Bundle) -> Table:
    """Return what a bundle holds for people."""
    about = bundle_json(bundle)
    table = Table(title=f"bundle {about['path']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("created", f"{about['created']} by graphrec {about['graphrec']}")
    table.add_row("size", f"{about['size_bytes'] / 1e6:.1f} MB")
    table.add_row("users", f"{about['users']:,} with {about['events']:,} distinct items seen")
    table.add_row(
        "items", f"{about['items']:,}, {about['pool']:,} of them in the pool, {about['taken_down']:,} taken down"
    )
    table.add_row("graph", f"{about['nodes']:,} nodes, {about['edges']:,} edges: {', '.join(about['node_types'])}")
    table.add_row("relations", ", ".join(about["relations"]))
    for name, channel in about["channels"].items():
        audit = f", ANN recall {channel['ann_recall']:.4f}" if "ann_recall" in channel else ""
        index = f", {channel['index']} index" if "index" in channel else ""
        table.add_row(f"channel {name}", f"{channel['kind']}{index}, {channel['size_bytes'] / 1e6:.2f} MB{audit}")
    table.add_row("fusion", str(about["fusion"]))
    table.add_row("data", about["data_fingerprint"])
    table.add_row("libraries", ", ".join(f"{name} {version}" for name, version in about["libraries"].items()))
    return table


def channel_bytes(bundle: Bundle) -> dict[str, int]:
    """Return the bytes that each channel takes on disk."""
    return {
        name: sum(e.size_bytes for file, e in bundle.manifest.files.items() if file.startswith(f"channels/{name}/"))
        for name in bundle.channels
    }


def _places(places: Mapping[str, Place]) -> str:
    best_first = sorted(places.items(), key=lambda entry: (entry[1].rank, entry[0]))
    return ", ".join(f"{name} ({place.rank})" for name, place in best_first) or "fallback"
