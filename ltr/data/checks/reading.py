"""The data doctor on how the files were read: every guess, and what was left out, unreadable or odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from features.sources.ledger import Step
from features.sources.load import Collection
from features.words.tokens import BLANKLESS
from ltr.data.doctor import NOTABLE, Finding, Findings, Level, finding

LOST = 0.5  # share of a table's rows without which the rest may stand for something else
FIRST_YEAR = 1990
_HARMLESS = ("identical row", "the same grade", "a later line of the same query")
_TABLES = ("products", "queries", "judgements", "events")


def examine_reading(collection: Collection) -> Findings:
    """A finding for each remark of the reader's, and for the shares of rows and values that it could not use."""
    return Findings(
        [
            *(finding(one.level, one.check, one.evidence, one.cure) for one in collection.remarks),
            *_check_rejected(collection),
            *_check_left_out(collection),
            *_check_unreadable(collection),
            *_check_titles(collection),
            *_check_dates(collection),
            *_check_scripts(collection),
        ]
    )


def mostly_lost(steps: Sequence[Step]) -> list[str]:
    """What concerns more than half of the rows that it looked at, all that is left out together or a step by itself."""
    lost = [step for step in steps if step.lost and not step.step.startswith(_HARMLESS)]
    count, rows = sum(step.lost for step in lost), max((step.rows for step in steps), default=0)
    if len(lost) > 1 and count > LOST * rows:
        named = "; ".join(_reasons(lost))
        return [f"{count:,} of {rows:,} rows are left out: {named}"]
    noted = [step for step in steps if step.action == "reported"]
    return [
        f"{step.affected:,} of {step.rows:,} rows: {step.step}"
        for step in (*lost, *noted)
        if step.affected > LOST * step.rows
    ]


def _reasons(lost: Sequence[Step]) -> list[str]:
    """The three that cost most."""
    return [f"{step.affected:,} {step.step}" for step in sorted(lost, key=lambda s: -s.affected)[:3]]


def _check_left_out(collection: Collection) -> Iterator[Finding]:
    """Rows with which nothing is wrong, and which are of no use."""
    for step in collection.steps:
        if step.action == "left out" and step.affected > LOST * step.rows:
            yield finding(
                "WARN",
                f"most rows of {step.table} are of no use",
                f"{step.affected:,} of {step.rows:,}: {step.step}",
                f"if they are, name them under data.{step.table}; else leave them out of the file",
            )


def _check_rejected(collection: Collection) -> Iterator[Finding]:
    for table in _TABLES:
        steps = [step for step in collection.steps if step.table == table]
        rows = max((step.rows for step in steps), default=0)
        lost = [
            step
            for step in steps
            if step.action == "rejected" and step.affected and not step.step.startswith(_HARMLESS)
        ]
        if not rows:
            continue
        count = sum(step.affected for step in lost)
        level: Level = "FAIL" if count > LOST * rows else "WARN" if count > NOTABLE * rows else "PASS"
        reasons = "; ".join(
            f"{step.affected:,} {step.step} ({step.example})"
            for step in sorted(lost, key=lambda s: -s.affected)[:3]
        )
        yield finding(
            level,
            f"{table} left out",
            f"{count:,} of {rows:,} rows ({count / rows:.1%})" + f": {reasons}" * bool(lost),
            f"mend them, or data.{table}.columns; the first of each kind is shown",
        )


def _check_unreadable(collection: Collection) -> Iterator[Finding]:
    notable = [
        f"{step.table}: {step.step}: {step.affected:,} of {step.rows:,} ({step.example})"
        for step in collection.steps
        if step.action == "changed"
        and step.step.endswith("set to null")
        and not step.step.startswith("empty text")
        and step.affected > NOTABLE * step.rows
    ]
    cut = [step for step in collection.steps if step.step.startswith("text cut") and step.affected]
    if collection.steps:
        yield finding(
            "WARN" if notable else "PASS",
            "values that cannot be read",
            "; ".join(notable) or f"none, or fewer than {NOTABLE:.0%} of a column",
            "mend them where the table is made: what is missing is seldom missing by chance",
        )
    for step in cut:
        yield finding(
            "WARN",
            "texts cut",
            f"{step.table}: {step.step}: {step.affected:,} of {step.rows:,}",
            "shorten them",
        )


def _check_titles(collection: Collection) -> Iterator[Finding]:
    products = collection.products
    if collection.given is not None or not products.height or "title" not in products.columns:
        return
    without = products["title"].null_count()
    yield finding(
        "WARN" if without > NOTABLE * products.height else "PASS",
        "products without title",
        f"{without:,} of {products.height:,} ({without / products.height:.1%})",
        "check data.products.columns.title, or name what a product's variants share in .group",
    )


def _check_dates(collection: Collection) -> Iterator[Finding]:
    first, last = datetime(FIRST_YEAR, 1, 1), datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    places = [("products", "listed_at", collection.products), ("queries", "at", collection.queries)]
    if collection.events is not None:
        times = (collection.events.shown["shown_at"], collection.events.actions["acted_at"])
        places.append(("events", "at", pl.DataFrame({"at": pl.concat(times).dt.replace_time_zone(None)})))
    for table, column, frame in places:
        if column not in frame.columns or not frame[column].count():
            continue
        at = frame[column].cast(pl.Datetime("us"))
        odd = (at < first) | (at > last)
        count = int(odd.sum())
        example = f", such as {at.filter(odd).cast(pl.String)[0]}" if count else ""
        yield finding(
            "WARN" if count else "PASS",
            f"dates of {table}",
            f"{count:,} of {at.count():,} before {FIRST_YEAR} or in the future{example}",
            f"check what data.{table}.columns.{column} counts in, and from when",
        )


def _check_scripts(collection: Collection) -> Iterator[Finding]:
    texts = ((collection.products, "title", "titles"), (collection.queries, "text", "queries"))
    for frame, column, name in texts:
        if column not in frame.columns or not frame.height:
            continue
        count = int(frame[column].cast(pl.String).str.contains(BLANKLESS).sum())
        if count > NOTABLE * frame.height:
            yield finding(
                "WARN",
                f"{name} without blanks between words",
                f"{count:,} of {frame.height:,} in scripts such as Chinese, Japanese or Thai: read by pairs of signs, "
                "which finds parts of other words too",
                "name a text encoder that knows the language under encoders",
            )
