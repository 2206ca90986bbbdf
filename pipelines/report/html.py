"""HTML pages that need nothing else: one style, one environment, the house's ways of writing numbers."""

from __future__ import annotations

from typing import Any

import jinja2

from . import numbers


def render(template: str, **values: Any) -> str:
    """Return a page of ``pipelines/report/templates`` as text; every string among ``values`` is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("graphrec.pipelines.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    written = (numbers.percent, numbers.points_interval, numbers.seconds, numbers.verdict)
    return environment.get_template(template).render({function.__name__: function for function in written} | values)
