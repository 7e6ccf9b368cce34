"""The gains of queries as bars that lead to their query: an SVG of our own, since matplotlib's bars lead nowhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ltr.evaluation.notation import signed
from ltr.reporting.pages import render
from ltr.reporting.plotting.drawing import WIDTH, Plot
from ltr.reporting.run_page.query_gains import QueryLine

MOST = 240  # bars; of more queries, as many at even distances
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, WIDTH - 6, 8, 168


def gain_bars(
    name: str, title: str, words: str, lines: Sequence[tuple[int, QueryLine]], ends: tuple[float, float]
) -> Plot:
    """A bar a query, the largest gain first; lines: each query with the number of its row in the table of all.

    ends: of the axis, which several plots may share.
    """
    ordered = sorted(lines, key=lambda line: -line[1].gain)
    chosen = np.linspace(0, len(ordered) - 1, min(len(ordered), MOST)).round().astype(int)
    low, high = ends[0], max(ends[1], ends[0] + 1e-9)

    def height(value: float) -> float:
        return round(_TOP + (_BOTTOM - _TOP) * (high - value) / (high - low), 2)

    width = (_RIGHT - _LEFT) / len(chosen)
    bars = [
        {
            "row": ordered[place][0],
            "x": round(_LEFT + number * width, 2),
            "y": height(max(ordered[place][1].gain, 0.0)),
            "height": round(abs(height(ordered[place][1].gain) - height(0.0)), 2),
            "side": {"won": "gain", "lost": "loss"}.get(ordered[place][1].outcome, "other"),
        }
        for number, place in enumerate(chosen)
    ]
    ticks = [(signed(value, 2), height(value)) for value in sorted({high, 0.0, low})]
    frame = {"width": WIDTH, "left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM}
    values = {
        "name": name,
        "title": title,
        "words": words,
        "bars": bars,
        "bar_width": round(width, 3),
        "ticks": ticks,
    }
    return Plot(title, words, Markup(render("gain_bars.html", values | {"frame": frame})))  # noqa: S704 (escaped by jinja2)
