"""What is known of items and of users, from every source, as the columns that learned models read."""

from __future__ import annotations

import dataclasses

from graphrec.checks import typed
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features
from graphrec.graph.relation_features import relation_tags

# The column of the tags that items carry, and of their titles.
TAGS, TITLE = "tags", "title"


@typed
def item_columns(data: RecallData, *, entities: bool = True, titles: bool = True) -> Features:
    """Return the columns of the items: attributes, tags, relations of the graph, titles.

    Where two sources have a column of the same name, the attributes go before tags, and these before the graph.

    Parameters
    ----------
    data : RecallData
        ``item_features`` as they are; ``item_tags`` as the tags "tags"; each relation of the catalogue graph that leads
        to entities as tags under its name; the items' labels as the text "title".
    entities, titles : bool, default True
        Whether relations, and titles, are among them.

    Returns
    -------
    Features
        n_items rows.
    """
    own = data.item_features or Features(len(data.items))
    taken = {*own.numbers, *own.labels, *own.tags, *own.texts, *own.vectors}
    found = {TAGS: data.item_tags} if data.item_tags is not None else {}
    tags = {**(relation_tags(data.catalogue) if entities else {}), **found}
    labels = data.catalogue.labels[: len(data.items)]
    texts = {TITLE: labels} if titles and labels.null_count < len(labels) else {}
    return dataclasses.replace(
        own,
        tags={**{name: column for name, column in tags.items() if name not in taken}, **own.tags},
        texts={**{name: column for name, column in texts.items() if name not in {*taken, *tags}}, **own.texts},
    )


@typed
def user_columns(data: RecallData) -> Features:
    """Return every column of the users: their attributes; n_users rows."""
    return data.user_features or Features(len(data.users))
