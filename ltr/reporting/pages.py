"""How pages are filled in: jinja2, everything escaped, a missing value is an error."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def render(template: str, values: Mapping[str, object]) -> str:
    """The text of `templates/TEMPLATE.j2` with these values; HTML is escaped in *.html.j2."""
    environment = Environment(
        loader=PackageLoader("ltr.reporting"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "signed": signed, "grade": "{:g}".format}
    return environment.get_template(f"{template}.j2").render(values)


def figure(value: float | None, digits: int = 3) -> str:
    """`.812`, as the field prints a share; 1 and negative values keep their digits."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def signed(value: float, digits: int = 3) -> str:
    """As `figure`, with a sign that is a minus and not a hyphen."""
    text = figure(abs(value), digits)
    return text if float(f"{value:.{digits}f}") == 0 else f"{'+' if value > 0 else '−'}{text}"
