"""What the page of an A/B test shows."""

from __future__ import annotations

from collections.abc import Sequence

from ltr.experiments.ab_test.arms import Arms
from ltr.experiments.ab_test.comparison import Compared
from ltr.experiments.estimates import Difference
from ltr.experiments.looks import Looks
from ltr.experiments.outcome import Bar, Table


def metric_table(
    arms: Arms,
    deciding: Sequence[Compared],
    others: Sequence[Compared],
    p_holm: Sequence[float],
    looks: Looks,
) -> Table:
    units = ", ".join(f"{name} {count:,}" for name, count in arms.counts().items())
    rows = [_metric_row(c, "decides", c.reading.p_value) for c in deciding]
    rows += [_metric_row(c, "Holm", p) for c, p in zip(others, p_holm, strict=True)]
    return Table(
        f"Metrics against {arms.names[0]}",
        ["metric", "arm", "control", "treatment", "difference", "interval", "lift", "p", "correction", ""],
        rows,
        f"Units: {units}. Read at {looks.in_words}. p of the metrics that do not decide is Holm's over all of them.",
    )


def _metric_row(c: Compared, correction: str, p: float) -> list[object]:
    return [
        c.metric.name,
        c.arm,
        c.difference.a.value,
        c.difference.b.value,
        c.difference.value,
        f"{c.reading.low:.4g} to {c.reading.high:.4g}",
        f"{c.difference.lift:+.2%}",
        round(p, 4),
        correction,
        c.says,
    ]


def versions_table(compared: Sequence[Compared]) -> Table:
    """Raw, capped and adjusted, side by side."""
    rows: list[list[object]] = []
    for c in compared:
        rows.append(_version_row(c, "raw", c.raw, ""))
        if c.capped:
            rows.append(_version_row(c, "capped", c.capped, ""))
        if c.adjusted:
            fell = f"{c.adjusted.fell:.1%} (correlation {c.adjusted.correlation:.2f})"
            rows.append(_version_row(c, c.version, c.adjusted.difference, fell))
    return Table(
        "The same, raw, capped and adjusted",
        ["metric", "arm", "version", "difference", "interval, one look", "p", "variance fell by"],
        rows,
        "Capped: values beyond a high quantile of both arms count as that quantile, which hides effects in the tail. "
        "CUPED: what a covariate from before exposure explains is taken out.",
    )


def _version_row(c: Compared, version: str, found: Difference, fell: str) -> list[object]:
    low, high = found.interval()
    return [
        c.metric.name,
        c.arm,
        version,
        found.value,
        f"{low:.4g} to {high:.4g}",
        round(found.p_value, 4),
        fell,
    ]


def segment_table(
    segments: Sequence[tuple[str, str, Compared]], p_holm: Sequence[float], level: float
) -> Table:
    rows = []
    for (column, name, c), p in zip(segments, p_holm, strict=True):
        says = c.says if c.check.state == "FAIL" or p < level else "no difference seen"
        rows.append(
            [
                f"{column}: {name}",
                c.arm,
                c.difference.a.units + c.difference.b.units,
                c.difference.value,
                f"{c.reading.low:.4g} to {c.reading.high:.4g}",
                round(p, 4),
                says,
            ]
        )
    return Table(
        "The deciding metric by segment",
        ["segment", "arm", "units", "difference", "interval", "p (Holm)", ""],
        rows,
        "Explored, not decided: p is Holm's over all segments.",
    )


def bars(compared: Sequence[Compared]) -> list[Bar]:
    """Relative lifts in per cent, of comparisons that are known."""
    found = []
    for c in compared:
        base = abs(c.difference.a.value)
        if c.difference.known and base and c.check.state != "FAIL":
            low, high = c.reading.low, c.reading.high
            parts = (100 * value / base for value in (c.difference.value, low, high))
            found.append(Bar(f"{c.metric.name}, {c.arm}", *parts))
    return found
