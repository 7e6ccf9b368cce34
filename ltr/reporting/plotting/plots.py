"""The kinds of plots that a report has: intervals, bars, deciles, shares, a search, curves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ltr.reporting.plotting.drawing import GAIN, GRADES, INK, LOSS, MODEL, OTHER, PAPER, SOFT, Plot, draw

ROW = 24  # units of height for a line of a plot with names


@dataclass(frozen=True)
class Interval:
    """A named mean with its interval; ours: drawn in the model's colour; plain: as a ring; bound: as a diamond."""

    name: str
    mean: float
    low: float
    high: float
    ours: bool = False
    plain: bool = False
    bound: bool = False

    @property
    def colour(self) -> str:
        return MODEL if self.ours else OTHER


@dataclass(frozen=True)
class Curve:
    """A named line over x with a band from low to high, all of one length."""

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def intervals(
    name: str, title: str, words: str, rows: Sequence[Interval], axis: str, ends: tuple[float, float]
) -> Plot:
    """A point with its interval per row, the first on top; `ends` of the axis, which several plots may share."""

    def paint(axes: Axes) -> None:
        for place, row in enumerate(rows):
            axes.plot([row.low, row.high], [place, place], color=row.colour, linewidth=2.5, alpha=0.75)
            face, mark = PAPER if row.plain else row.colour, "D" if row.bound else "o"
            axes.plot(row.mean, place, mark, markersize=8, color=row.colour, markerfacecolor=face, mew=2)
        _name_rows(axes, [row.name for row in rows], axis)
        margin = 0.05 * (ends[1] - ends[0]) or 0.05
        axes.set_xlim(ends[0] - margin, ends[1] + margin)

    return draw(name, title, words, _height(rows), paint)


def bars(name: str, title: str, words: str, rows: Sequence[Interval], axis: str) -> Plot:
    """A bar from 0 per row with its interval as a thin line, the first on top."""

    def paint(axes: Axes) -> None:
        places = np.arange(len(rows))
        axes.barh(places, [row.mean for row in rows], height=0.62, color=[row.colour for row in rows])
        for place, row in enumerate(rows):
            axes.plot([row.low, row.high], [place, place], color=INK, linewidth=1.5)
        axes.axvline(0, color=SOFT, linewidth=1)
        _name_rows(axes, [row.name for row in rows], axis)

    return draw(name, title, words, _height(rows), paint)


def _name_rows(axes: Axes, names: Sequence[str], axis: str) -> None:
    axes.set_yticks(range(len(names)), [_in_lines(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(axis)


def _in_lines(name: str, most: int = 26) -> str:
    """A name on at most two lines."""
    cut = name if len(name) <= 2 * most else name[: 2 * most - 1] + "…"
    return "\n".join(textwrap.wrap(cut, most)[:2]) or name


def _height(rows: Sequence[Interval]) -> float:
    """Of a plot with names: more room a row where one takes two lines."""
    return 60 + (1.4 if any("\n" in _in_lines(row.name) for row in rows) else 1) * ROW * len(rows)


def deciles(name: str, title: str, words: str, rows: Sequence[Interval]) -> Plot:
    """Means with intervals over their places 1, 2, …, joined by a line."""

    def paint(axes: Axes) -> None:
        places = np.arange(1, len(rows) + 1)
        axes.vlines(
            places, [r.low for r in rows], [r.high for r in rows], color=MODEL, linewidth=2.5, alpha=0.75
        )
        axes.plot(places, [row.mean for row in rows], "o-", color=MODEL, markersize=7, linewidth=1)
        axes.set_xticks(places, [row.name for row in rows])
        axes.set_xlabel("decile of the score, lowest to highest")
        axes.set_ylabel("mean grade")

    return draw(name, title, words, 280, paint)


def shares(name: str, title: str, words: str, parts: Mapping[str, Sequence[float]]) -> Plot:
    """Stacked columns 1, 2, …: `parts` are shares by name, the lowest at the bottom, in the grades' colours."""

    def paint(axes: Axes) -> None:
        length = len(next(iter(parts.values())))
        places, bottom = np.arange(1, length + 1), np.zeros(length)
        for number, (part, heights) in enumerate(parts.items()):
            colour = GRADES[round(number / max(1, len(parts) - 1) * (len(GRADES) - 1))]
            axes.bar(places, heights, bottom=bottom, width=0.82, color=colour, label=part, edgecolor=PAPER)
            bottom += np.asarray(heights)
        axes.set_xticks(places)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(visible=False, axis="x")
        axes.set_xlabel("decile of the score, lowest to highest")
        axes.legend(
            title="grade",
            ncols=min(4, len(parts)),
            loc="lower center",
            bbox_to_anchor=(0.5, 1),
            labelcolor=SOFT,
        )

    return draw(name, title, words, 280, paint)


def history(
    name: str,
    title: str,
    words: str,
    values: Sequence[tuple[int, float, float]],
    default: float | None,
    axis: str,
) -> Plot:
    """Trials of a search, (number, value, best so far), with the default's value as a dashed line."""
    numbers, each, best = zip(*values, strict=True)

    def paint(axes: Axes) -> None:
        axes.plot(numbers, each, "o", color=OTHER, markersize=5, label="a trial")
        axes.step(numbers, best, where="post", color=MODEL, linewidth=2.2, label="best so far")
        if default is not None:
            axes.axhline(default, color=LOSS, linewidth=1.6, linestyle="--", label="default settings")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("trial")
        axes.set_ylabel(axis)
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.45, 1), labelcolor=SOFT, columnspacing=1)

    return draw(name, title, words, 260, paint)


def front(
    name: str,
    title: str,
    words: str,
    trials: Sequence[tuple[float, float]],
    best: Sequence[tuple[float, float]],
    axes_names: tuple[str, str],
) -> Plot:
    """Trials as (cost, value), and those that no other beats in both joined by a line."""

    def paint(axes: Axes) -> None:
        axes.plot(*zip(*trials, strict=True), "o", color=OTHER, markersize=5)
        axes.plot(*zip(*sorted(best), strict=True), "o-", color=MODEL, markersize=8, linewidth=1.2)
        axes.set_xlabel(axes_names[0])
        axes.set_ylabel(axes_names[1])

    return draw(name, title, words, 240, paint)


def curves(name: str, title: str, words: str, lines: Sequence[Curve], axes_names: tuple[str, str]) -> Plot:
    """Lines with bands over a share of 0 to 1; the first in the model's colour."""
    colours, marks = (MODEL, LOSS, OTHER, GAIN), "osD^"

    def paint(axes: Axes) -> None:
        for place, line in enumerate(lines):
            colour = colours[place % len(colours)]
            axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.18, linewidth=0)
            mark = marks[place % len(marks)]
            axes.plot(line.x, line.mean, f"{mark}-", color=colour, markersize=6, label=line.name)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel(axes_names[0])
        axes.set_ylabel(axes_names[1])
        axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1), labelcolor=SOFT)

    return draw(name, title, words, 260, paint)
