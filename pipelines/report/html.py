"""HTML pages that need no other file: one style, one environment, the house's ways of writing numbers."""

from __future__ import annotations

from typing import Any

import jinja2
from markupsafe import Markup

from graphrec.escapes import visible

from . import numbers


def render(template: str, **values: Any) -> str:
    """Return a page of ``pipelines/report/templates`` as text.

    Every string among ``values`` is escaped, and what would act in a page (controls of direction) is written out.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphrec.pipelines.report"),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    written = (numbers.percent, numbers.points_interval, numbers.seconds, numbers.verdict)
    return environment.get_template(template).render({function.__name__: function for function in written} | values)


def drawing(svg: str) -> Markup:
    """Return a drawing for a page: Matplotlib escapes the text that it draws, so that none of it is markup."""
    text = visible(svg)
    return Markup(text)  # noqa: S704 # nosec B704


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
