"""Moments that people write."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from graphrec.errors import ConfigError


def moment(value: object) -> int:
    """Return a date or a time as seconds UTC; a time without a zone is UTC, a date is its first midnight.

    Raises
    ------
    ConfigError
        If it is neither an ISO date nor a date of TOML.
    """
    parsed = _parsed(value) if isinstance(value, str) else value
    if isinstance(parsed, date) and not isinstance(parsed, datetime):
        parsed = datetime.combine(parsed, time())
    if not isinstance(parsed, datetime):
        raise ConfigError(f"{value!r} is no date; write it like 2024-05-01 or 2024-05-01T18:00:00+02:00")
    return int((parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp())


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
