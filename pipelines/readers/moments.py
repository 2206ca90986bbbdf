"""Moments that people write."""

from __future__ import annotations

from datetime import UTC, date, datetime

from graphrec.errors import ConfigError


def moment(value: object) -> int:
    """Return a date or a time as seconds UTC; one without a zone is UTC, a date is its first midnight.

    Raises
    ------
    ConfigError
        If it is neither an ISO date nor a date of TOML.
    """
    found = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day, tzinfo=UTC)
    if not isinstance(found, datetime):
        raise ConfigError(f"{value!r} is no date; write it like 2024-05-01 or 2024-05-01T18:00:00+02:00")
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(aware.timestamp())
