"""The data doctor on judgements that repeat or contradict each other, under one query id or under several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from features.sources.ledger import Step
from ltr.data.doctor import LOOKS, NOTABLE, Finding, Findings, finding
from ltr.data.splits import looks

CONTRADICTING = (
    0.1  # share of rows or pairs: above, a grade is half chance; raters of one scale differ less often
)


def examine_repeats(queries: pl.DataFrame, judgements: pl.DataFrame, steps: Sequence[Step] = ()) -> Findings:
    """Queries that are copies of others, and grades of one query and product that differ.

    queries: query_id, and text and image where there are; judgements: query_id, product_id, grade, one row a pair;
    steps: of the cleaning that made it so.
    """
    seen = looks(queries).filter(pl.any_horizontal(pl.col(LOOKS).is_not_null()))
    judged = judgements.select("query_id", "product_id", "grade").join(seen, on="query_id", how="inner")
    return Findings([*_check_rows(steps), *_check_copies(judged), *_check_alike(judged)])


def _check_rows(steps: Sequence[Step]) -> Iterator[Finding]:
    for step in steps:
        if step.table == "judgements" and step.step.startswith("conflicting grades"):
            yield _contradicting(
                "rows that grade one pair differently", step.affected, step.rows, step.example
            )


def _check_copies(judged: pl.DataFrame) -> Iterator[Finding]:
    """Copies narrow every interval though nothing more was seen."""
    if judged.is_empty():
        return
    grades = pl.concat_str("product_id", "grade", separator="\x1f").sort().str.join("\x1e")
    lists = judged.group_by("query_id").agg(pl.col(LOOKS).first(), judged=grades).sort("query_id")
    copies = lists.filter(~pl.struct(*LOOKS, "judged").is_first_distinct())
    share = copies.height / lists.height
    yield finding(
        "WARN" if share > NOTABLE else "PASS",
        "queries that copy another",
        f"{copies.height:,} of {lists.height:,} ({share:.1%}) have the words, photo and grades of another id"
        + (f", such as {copies['query_id'][0]!r}" if copies.height else ""),
        "keep one of each: a copy counts once more in every mean, and intervals narrow as if more had been judged; "
        "split.kind: folds keeps copies in one part, other splits as the data say",
    )


def _check_alike(judged: pl.DataFrame) -> Iterator[Finding]:
    """Grades of one product for the same words and photo under several query ids."""
    pairs = judged.group_by(*LOOKS, "product_id").agg(rows=pl.len(), grades=pl.col("grade").n_unique())
    again = pairs.filter(pl.col("rows") > 1)
    if again.height:
        differ = again.filter(pl.col("grades") > 1).sort(*LOOKS, "product_id")
        first = f"{differ['words'][0]!r}, product {differ['product_id'][0]}" if differ.height else ""
        check = "pairs that alike queries grade differently"
        yield _contradicting(check, differ.height, pairs.height, first)


def _contradicting(check: str, count: int, total: int, example: str) -> Finding:
    share = count / max(total, 1)
    return finding(
        "WARN" if share > CONTRADICTING else "PASS",
        check,
        f"{count:,} of {total:,} ({share:.1%})" + (f", such as {example}" if count else ""),
        "agree on what each grade means and judge these again, or no ranker can be told from another by them; "
        "if they come of different markets or days, give them queries of their own words",
    )
