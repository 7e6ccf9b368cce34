"""How pages are filled in: jinja2, everything escaped for HTML or Markdown, a missing value is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from features.errors import visible
from ltr.evaluation.notation import difference, figure, signed
from ltr.reporting.words import aspect_in_words


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of `templates/TEMPLATE.j2` with these values: escaped by its kind, controls as escapes to be read.

    What a template marks as `safe` (table rules, drawings) is set as it is.
    """
    environment = Environment(
        loader=PackageLoader("ltr.reporting"),
        autoescape=select_autoescape(["html", "html.j2"]),
        finalize=as_markdown if template.endswith(".md") else _as_html,
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
        "code": code,
    }
    return environment.get_template(f"{template}.j2").render(values)


def _as_html(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def as_markdown(value: object) -> object:
    """Text that Markdown shows letter by letter: no cell, link, tag, emphasis or code begins or ends in it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return re.sub(r"[\\`*|<]|\](?=[(\[:])", r"\\\g<0>", visible(value))


def code(value: str) -> Markup:
    """A text as Markdown's code, within backticks enough for those in it."""
    plain = visible(value)
    fence = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    blank = " " if "`" in plain else ""
    return Markup(f"{fence}{blank}{plain}{blank}{fence}")  # noqa: S704 (for Markdown, whose code has no escapes)
