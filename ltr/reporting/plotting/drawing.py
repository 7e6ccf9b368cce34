"""matplotlib's drawings as SVG to be set into a page: text stays text, colours are the page's, light or dark.

matplotlib knows fixed colours only, so each custom property of the page has a stand-in colour here that is
replaced in the finished drawing. A drawing is 360 units wide, so that it can be read on a phone.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

WIDTH = 360
COLOURS = ("ink", "soft", "line", "paper", "model", "other", "gain", "loss", "g0", "g1", "g2", "g3")
STAND_INS = {name: f"#0102{number:02x}" for number, name in enumerate(COLOURS, start=16)}
INK, SOFT, LINE, PAPER, MODEL, OTHER, GAIN, LOSS, *GRADES = STAND_INS.values()

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 12,
}
_UNWANTED = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True)
class Plot:
    """A drawing, its title, and what it shows in words; `svg` holds both for screen readers."""

    title: str
    words: str
    svg: Markup


class _Ticks(ScalarFormatter):
    """Numbers of an axis, written as all figures are: .80 and not 0.80."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return re.sub(r"^(\D?)0\.", r"\1.", super().__call__(x, pos))


def draw(name: str, title: str, words: str, height: float, paint: Callable[[Axes], None]) -> Plot:
    """The plot that `paint` makes on empty axes; `name` is unique on its page."""
    # Text is set by the reader's browser: that our font lacks a letter matters for its width only.
    with mpl.rc_context(_SETTINGS | {"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        axes = figure.subplots()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_Ticks(useOffset=False))
        paint(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=_UNWANTED)
    return Plot(title, words, _inline(buffer.getvalue(), name, title, words))


def _inline(svg: str, name: str, title: str, words: str) -> Markup:
    """The drawing without what a page may not have twice, in the page's own font and colours, and described."""
    _, _, body = svg[svg.index("<svg") :].partition(">")
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body).replace("xlink:href", "href")
    body = re.sub(r"\s*\n\s*", " ", re.sub(r" font-family: [^;]*;", "", body)).replace("> <", "><")
    for colour, stand_in in STAND_INS.items():
        body = body.replace(stand_in, f"var(--{colour})")
    height = re.search(r'viewBox="0 0 \S+ (\S+)"', svg)
    head = (
        f'<svg class="plot" role="img" viewBox="0 0 {WIDTH} {height.group(1) if height else WIDTH}" '
        f'aria-labelledby="{name}-title {name}-words">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-words">{escape(words)}</desc>'
    )
    return Markup(head + body)  # noqa: S704 (matplotlib escapes what it writes)
