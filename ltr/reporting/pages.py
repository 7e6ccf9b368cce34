"""How pages are filled in: jinja2, everything escaped, a missing value is an error."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ltr.evaluation.notation import difference, figure, signed
from ltr.reporting.words import aspect_in_words


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of `templates/TEMPLATE.j2` with these values; HTML is escaped in *.html.j2."""
    environment = Environment(
        loader=PackageLoader("ltr.reporting"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure,
        "signed": signed,
        "difference": difference,
        "grade": "{:g}".format,
        "aspect": aspect_in_words,
    }
    return environment.get_template(f"{template}.j2").render(values)
