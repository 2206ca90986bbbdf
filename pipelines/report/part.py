"""How a part of a report is read back."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict


class Part:
    """How parts of a report are read: types as they are written, no unknown keys, finite numbers."""

    __slots__ = ()
    __pydantic_config__: ClassVar = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
