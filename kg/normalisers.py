"""Texts that mean the same, brought to one form: ISBNs and labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Literal

Normaliser = Literal["isbn", "label", "exact"]


def isbn13(text: str) -> str | None:
    """Return the ISBN-13 that ``text`` stands for, None where it is no ISBN or its check digit is wrong.

    Spaces, hyphens and a leading ``urn:isbn:`` or ``ISBN`` are passed over. ISO 2108:2017.
    """
    bare = re.sub(r"^(urn:)?isbn(-1[03])?:?", "", re.sub(r"[\s\u2010-\u2015-]", "", text), flags=re.IGNORECASE).upper()
    if re.fullmatch(r"\d{9}[\dX]", bare):
        total = sum((10 - i) * (10 if digit == "X" else int(digit)) for i, digit in enumerate(bare))
        return _with_check("978" + bare[:9]) if total % 11 == 0 else None
    if re.fullmatch(r"97[89]\d{10}", bare):
        return bare if _with_check(bare[:12]) == bare else None
    return None


def _with_check(twelve: str) -> str:
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"


def levelled_label(text: str) -> str:
    """Return ``text`` with case, width and spacing levelled (NFKC, casefold)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


NORMALISERS: dict[str, Callable[[str], str | None]] = {"isbn": isbn13, "label": levelled_label, "exact": str}
