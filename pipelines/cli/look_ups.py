"""``graphrec recall`` and ``neighbours``: what asks a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from graphrec.errors import ConfigError

from ..terminal import out_console, print_json
from .root import AsJson, BundleArgument, app


@app.command()
def recall(
    bundle: BundleArgument,
    user: Annotated[str | None, typer.Option(help="User id; unknown ones are served too.")] = None,
    history: Annotated[
        list[str] | None, typer.Option("--history", "-i", help="An item of a live history, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Items wanted.", min=1)] = 10,
    channel: Annotated[list[str] | None, typer.Option(help="Ask these channels alone.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="An item that must not come back.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each item is there.")] = False,
    context: Annotated[
        list[str] | None, typer.Option(help="What the request says of itself: LABEL=VALUE, such as country=DE.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="Answer for this moment (ISO date) instead of now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recall items for a user, for a live history, or for an unknown user."""
    from graphrec.serve.engine import Engine

    from ..readers.moments import moment
    from .answers import answer_table

    answer = Engine.open(bundle).recall(
        user=user,
        history=history or None,
        k=k,
        channels=channel or None,
        exclude=exclude or (),
        explain=explain,
        context=_pairs(context or ()),
        now=None if at is None else moment(at),
    )
    if as_json:
        print_json(answer.to_dict())
        return
    who = f"user {user}" if user is not None else "an unknown user"
    out_console.print(answer_table(answer, title=f"{len(answer.items)} items for {who}", explain=explain))


@app.command()
def neighbours(
    bundle: BundleArgument,
    item: Annotated[str | None, typer.Option(help="Item id.")] = None,
    entity: Annotated[str | None, typer.Option(help="IRI of an entity, in place of an item.")] = None,
    user: Annotated[str | None, typer.Option(help="User id, in place of an item.")] = None,
    relation: Annotated[str | None, typer.Option(help="Only along this relation.")] = None,
    path: Annotated[str | None, typer.Option(help="Along a path of relations: author/^author.")] = None,
    k: Annotated[int, typer.Option("-k", help="Neighbours wanted.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """Show what is near an item, an entity or a user in the knowledge graph, and why."""
    from graphrec.serve.engine import Engine

    from .answers import neighbours_table

    near = Engine.open(bundle).neighbours(item, relation, k, entity=entity, user=user, path=path)
    if as_json:
        print_json(near.to_dict())
    else:
        out_console.print(neighbours_table(near))


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return LABEL=VALUE texts as a mapping."""
    for text in texts:
        if "=" not in text:
            raise ConfigError(f"--context {text!r} is no LABEL=VALUE, such as country=DE")
    return dict(text.split("=", 1) for text in texts)
