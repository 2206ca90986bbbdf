"""ISBNs as the goodbooks file damages them: leading zeros lost, and thirteen digits written as a float."""

from __future__ import annotations


def isbn10(text: str) -> str | None:
    """Return a ten-digit ISBN with its leading zeros back, or None where the check digit does not fit."""
    padded = text.strip().upper().zfill(10)
    if len(padded) != 10 or not padded[:9].isdigit() or padded[9] not in "0123456789X":
        return None
    total = sum((10 - place) * int(digit) for place, digit in enumerate(padded[:9]))
    return padded if (total + (10 if padded[9] == "X" else int(padded[9]))) % 11 == 0 else None


def with_check_digit(twelve: str) -> str:
    """Return the ISBN-13 of its first twelve digits."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return twelve + str(-total % 10)


def isbn13_of(ten: str) -> str:
    """Return the ISBN-13 of an ISBN-10."""
    return with_check_digit("978" + ten[:9])


def isbn13_from_float(text: str) -> str | None:
    """Return the ISBN-13 written as ``9.78043902348e+12``: twelve digits survive, and they give the thirteenth.

    None where it is no ISBN-13.
    """
    mantissa, _, exponent = text.strip().lower().partition("e")
    digits = mantissa.replace(".", "")
    if exponent not in {"+12", "12"} or not digits.isdigit() or len(digits) > 12:
        return None
    twelve = digits.ljust(12, "0")
    return with_check_digit(twelve) if twelve.startswith(("978", "979")) else None
