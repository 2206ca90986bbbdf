"""Settings as they are declared, wherever that is: a row each, with default, what is legal, and meaning in words."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from graphrec.contracts.domains import Choices, Domain, Range
from graphrec.contracts.settings import Settings, settings_of

_ROLE = re.compile(r":[a-z]+:`~?([^`]*)`")
_SEE = re.compile(r"\b[Ss]ee `")
_ENTRY = re.compile(r"^(?P<names>[\w, ]+?)(?: : ?(?P<type>.*)| ?:)?$")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One setting in words. ``default`` is empty where the setting must be given; ``search`` is what a search tries."""

    name: str
    default: str
    legal: str
    unit: str
    search: str
    meaning: str


def rows_of(made: type[Any], *, without: type[Any] | None = None) -> list[Row]:
    """Return the settings of a recipe, a section, a table that is read, or any other dataclass.

    Sections below a section, and what ``made`` has from its base ``without``, are left out.
    """
    if issubclass(made, BaseModel):
        inherited = without.model_fields if without is not None and issubclass(made, without) else {}
        return [row for row in _model_rows(made) if row.name not in inherited]
    return _recipe_rows(made) if issubclass(made, Settings) else _dataclass_rows(made)


def _recipe_rows(recipe: type[Any]) -> list[Row]:
    declared, texts = settings_of(recipe), parameter_texts(recipe)
    return [
        Row(
            field.name,
            _default(field),
            declared[field.name].legal,
            declared[field.name].unit,
            _domain(declared[field.name].search),
            texts.get(field.name, ("", ""))[1],
        )
        for field in dataclasses.fields(recipe)
        if field.name in declared
    ]


def _dataclass_rows(made: type[Any]) -> list[Row]:
    """Return the settings of a dataclass that declares no more than types, such as a fusion or a rule of the pool."""
    texts = parameter_texts(made)
    rows = []
    for field in dataclasses.fields(made):
        kind, meaning = texts.get(field.name, ("", ""))
        rows.append(
            Row(field.name, _default(field), kind.partition(", default")[0] or str(field.type), "", "", meaning)
        )
    return rows


def _model_rows(model: type[BaseModel]) -> list[Row]:
    properties, texts = model.model_json_schema()["properties"], parameter_texts(model)
    rows = []
    for name, field in model.model_fields.items():
        if _sections_in(field.annotation):
            continue
        kind, meaning = texts.get(name, ("", ""))
        default = "" if field.is_required() else _value(field.get_default(call_default_factory=True))
        rows.append(Row(name, default, _legal(properties[name]) or kind, "", "", meaning))
    return rows


def sections_below(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[Any]]]:
    """Yield the place and the class of each section below a model of the configuration, in order."""
    for name, field in model.model_fields.items():
        for section in _sections_in(field.annotation):
            yield f"{place}{name}", section
            if issubclass(section, BaseModel):
                yield from sections_below(section, f"{place}{name}.")


def _sections_in(annotation: Any) -> list[type[Any]]:
    """Return the models and dataclasses that a field may hold: ``Link``, or ``Link | None``."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return [kind for kind in kinds if issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)]


def parameter_texts(made: type[Any]) -> dict[str, tuple[str, str]]:
    """Return type and meaning of each parameter in the docstrings of a class and of those that it derives from.

    An entry that says "see" gives way to that of a class further up.
    """
    texts: dict[str, tuple[str, str]] = {}
    for owner in made.__mro__:
        for names, kind, meaning in _entries(inspect.cleandoc(owner.__dict__.get("__doc__") or "")):
            for name in names:
                known = texts.get(name, ("", ""))[1]
                if not known or _SEE.search(known):
                    texts[name] = kind, meaning
    return texts


def references(made: type[Any]) -> list[str]:
    """Return the entries of the References of a docstring, in order, each in one line."""
    section = _section(inspect.cleandoc(made.__doc__ or ""), "References")
    return [
        plain(entry) for entry in re.split(r"^\.\. \[\d+\] ", "\n".join(section), flags=re.MULTILINE) if entry.strip()
    ]


def plain(text: str) -> str:
    """Return reStructuredText in one line of Markdown."""
    text = _ROLE.sub(lambda role: f"`{role[1].rsplit('.', 1)[-1]}`" if "graphrec." in role[1] else f"`{role[1]}`", text)
    return re.sub(r"\[(\d+)\]_", r"[\1]", re.sub(r"\s+", " ", text.replace("``", "`"))).strip()


def _entries(text: str) -> Iterator[tuple[list[str], str, str]]:
    """Yield names, type and meaning of each entry of the Parameters."""
    names: list[str] = []
    kind, lines = "", []
    for line in [*_section(text, "Parameters"), "end"]:
        if line.startswith(" ") or not line:
            lines.append(line)
            continue
        if names:
            yield names, kind, plain(" ".join(lines))
        entry = _ENTRY.match(line)
        names = [] if entry is None else [name.strip() for name in entry["names"].split(",")]
        kind, lines = plain((entry and entry["type"]) or ""), []


def _section(text: str, title: str) -> list[str]:
    """Return the lines of one section of a docstring."""
    lines = text.splitlines()
    # A title stands over a line of dashes.
    starts = [at for at in range(1, len(lines)) if lines[at] and not lines[at].strip("-")]
    for at in starts:
        if lines[at - 1].strip() == title:
            return lines[at + 1 : min((other - 1 for other in starts if other > at), default=len(lines))]
    return []


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return _value(field.default_factory())
    return "" if field.default is dataclasses.MISSING else _value(field.default)


def _value(value: object) -> str:
    """Return a value as it stands in TOML; none is a setting that is left out."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, list | tuple):
        return f"`[{', '.join(_value(entry).strip('`') for entry in value)}]`"
    if isinstance(value, Mapping):
        return "`{}`" if not value else f"`{dict(value)}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _domain(domain: Domain | None) -> str:
    if isinstance(domain, Range):
        step = f", in steps of {domain.step:g}" if domain.step is not None else ""
        return f"{domain.low:g} to {domain.high:g}{', by orders of magnitude' if domain.log else ''}{step}"
    return ", ".join(_value(value).strip("`") for value in domain.values) if isinstance(domain, Choices) else ""


def _legal(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON schema allows; empty where it allows anything."""
    if "anyOf" in schema:
        return " or ".join(_legal(part) for part in schema["anyOf"] if part.get("type") != "null")
    if "enum" in schema:
        return ", ".join(_value(value) for value in schema["enum"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return f"a {'whole ' if kind == 'integer' else ''}number{_bounds(schema)}"
    if kind == "array":
        return f"a list of: {_legal(schema['items']) or 'tables'}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"a table of: {_legal(values)}" if isinstance(values, dict) and values else "a table"
    if kind == "string":
        text = "a path" if schema.get("format") == "path" else "a text"
        return f"{text}, not empty" if schema.get("minLength") else text
    return {"boolean": "true or false"}.get(str(kind), "")


def _bounds(schema: Mapping[str, Any]) -> str:
    words = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return " and".join(f" {text} {schema[key]:,}" for key, text in words.items() if key in schema)
