"""What pydantic refuses, as one sentence: the place, the value, and what is legal."""

from __future__ import annotations

import dataclasses

from pydantic import BaseModel, ValidationError

from graphrec.errors import nearest_names


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the first complaint about a ``model`` as one sentence with the place, the value and the remedy."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _fields_at(model, [str(part) for part in first["loc"][:-1]])
        return f"{where} is not a known key{nearest_names(str(first['loc'][-1]), known)}; legal: {', '.join(known)}"
    return complaint(error)


def complaint(error: ValidationError, place: str = "") -> str:
    """Return the place below ``place``, the value and what is legal."""
    first = error.errors()[0]
    where = ".".join([place, *(str(part) for part in first["loc"])]).strip(".")
    if first["type"] == "value_error":
        # Raised by a check of ours, whose sentence says it all.
        return f"{where}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    return f"{where} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the field names of the section at ``path`` below ``model``."""
    for part in path:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        section = next(o for o in options if hasattr(o, "model_fields") or dataclasses.is_dataclass(o))
        if dataclasses.is_dataclass(section):
            return [field.name for field in dataclasses.fields(section)]
        model = section
    return list(model.model_fields)
