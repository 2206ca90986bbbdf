"""What was written is served once before anything points at it."""

from __future__ import annotations

from pathlib import Path

from graphrec.errors import BundleError
from graphrec.serve.engine import Engine


def check_served(directory: Path) -> None:
    """Open a bundle as a server does and ask it for a known user, for a history and for nobody in particular.

    Raises
    ------
    BundleError
        If it cannot be opened, or a channel breaks, or what it gives as reasons cannot be used.
    """
    engine = Engine.open(directory, in_memory=True)
    bundle = engine.bundle
    known = bundle.users[0] if len(bundle.users) else None
    history = [bundle.items[0]] if len(bundle.items) else None
    for user, events in ((known, None), (None, history), (None, None)):
        answer = engine.recall(user, history=events, k=10, explain=True)
        for name, why in answer.left_out.items():
            raise BundleError(f"channel {name} does not answer: {why}")
        for name, why in answer.unexplained.items():
            raise BundleError(f"channel {name} does not explain its items: {why}")
