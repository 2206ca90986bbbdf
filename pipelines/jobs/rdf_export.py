"""What a bundle recommends, as RDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graphrec.errors import MissingExtraError
from graphrec.serve.engine import Engine

_EXTENSIONS = (".ttl", ".turtle", ".nt", ".nq", ".trig", ".rdf", ".jsonld")
_FORMATS = (
    "turtle",
    "ttl",
    "ntriples",
    "n-triples",
    "nquads",
    "n-quads",
    "trig",
    "rdfxml",
    "rdf-xml",
    "jsonld",
    "json-ld",
)


def is_rdf_export(out: Path, format: str | None) -> bool:  # noqa: A002
    """Return whether a format, or without one an extension, is one of RDF."""
    if format is not None:
        return format in _FORMATS
    return out.name.lower().removesuffix(".gz").endswith(_EXTENSIONS)


def export_recall(
    bundle: Path,
    out: Path,
    *,
    format: str | None = None,  # noqa: A002
    users: Sequence[str] | None = None,
    k: int = 10,
    channel: str | None = None,
    item_template: str | None = None,
    user_template: str | None = None,
    n_reasons: int = 1,
) -> int:
    """Write the ``k`` candidates of each user with their reasons, and return how many users there were.

    Parameters
    ----------
    users : sequence of str, optional
        Their ids; without any, all users of the bundle. Unknown users are answered as strangers.
    channel : str, optional
        Ask this channel alone.
    item_template, user_template : str, optional
        Their IRIs, with ``{id}`` in place of the id; those of the knowledge graph let other tools join both.
    n_reasons : int, default 1
        Paths through the graph that are written as data for each candidate, those of the greatest shares; 0 for none.

    Raises
    ------
    MissingExtraError
        Without the extra ``kg``.
    BundleError, ConfigError
        As of :class:`graphrec.serve.engine.Engine`; if a template or the format is illegal.
    """
    try:
        from graphrec.kg.writing.recall import ITEM_TEMPLATE, USER_TEMPLATE, write_recall
    except ImportError as error:
        raise MissingExtraError("writing RDF", extra="kg") from error
    engine = Engine.open(bundle)
    chosen = list(users) if users else list(engine.bundle.users)

    walked = _walked(engine, channel) if n_reasons else []

    def answers() -> Iterator[tuple[str, dict[str, Any]]]:
        for user in chosen:
            answer = engine.recall(user=user, k=k, channels=[channel] if channel else None, explain=True).to_dict()
            if walked and answer["user_known"]:
                for entry in answer["items"]:
                    reasons = engine.explain(entry["item"], user=user, k=n_reasons, channels=walked)
                    entry["reasons"] = reasons.to_dict()["reasons"]
            yield user, answer

    write_recall(
        answers(),
        out,
        format=format,
        item_template=item_template or ITEM_TEMPLATE,
        user_template=user_template or USER_TEMPLATE,
    )
    return len(chosen)


def _walked(engine: Engine, channel: str | None) -> list[str]:
    """Return the names of the channels that are asked and know paths through the graph."""
    names = engine.bundle.channels if channel is None else [channel]
    return [name for name in names if "{path}" in engine.bundle.channels[name].reason]
