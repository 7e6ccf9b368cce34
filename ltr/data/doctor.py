"""The data doctor: what in a table of judged pairs, or in its split, would spoil training or flatter its measurement.

Each check gives one finding: PASS, WARN or FAIL, its evidence, and a cure for all but PASS.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl

from features.errors import InputError
from features.feature_schema import NOT_FEATURES
from ltr.data.limits import Limits
from ltr.data.splits import (
    Fold,
    looks,
)

Level = Literal["PASS", "WARN", "FAIL"]
_SEVERITY: dict[Level, int] = {"PASS": 0, "WARN": 1, "FAIL": 2}

THEIRS = ("extra", "given")  # groups of features that are columns of the user's
FEW_ROWS = 3  # median rows per query
NOTABLE = 0.01  # share of queries below which an oddity is noise in the data, not a fault of it
MOSTLY_NULL = 0.95
LEAK = 0.98  # |Spearman| with the grade that no honest feature reaches
LEAK_ROWS = 20  # fewer rows correlate by chance
# A feature that correlates by less than LEAK - LEAK_MARGIN in so many rows, of which LEAK_VARIED at least have
# another grade than the commonest, is off by dozens of standard errors: the other rows are not looked at.
LEAK_SAMPLE, LEAK_VARIED, LEAK_MARGIN = 50_000, 1_000, 0.05
FEW_QUERIES = 100
PAIRED_SD = 0.2  # usual standard deviation over queries of the difference of two rankers' nDCG@10
POWER = 2.8  # z(0.975) + z(0.8): found in 8 of 10 experiments at the 5 % level
LOOKS = ["words", "photo"]


@dataclass(frozen=True)
class Finding:
    """PASS: as it should be; WARN: survivable; FAIL: a model made of this would mislead."""

    level: Level
    check: str
    evidence: str
    cure: str = ""


class Findings(list[Finding]):
    """What a look at data found, in the order of the checks; in a notebook a table."""

    def _repr_html_(self) -> str:
        with pl.Config(tbl_rows=-1, fmt_str_lengths=1_000):
            return to_frame(self)._repr_html_()


def finding(level: Level, check: str, evidence: str, cure: str) -> Finding:
    """A finding that keeps its cure only where there is something to cure."""
    return Finding(level, check, evidence, "" if level == "PASS" else cure)


def feature_finding(
    check: str, names: Iterable[str], total: int, cure: str, level: Level = "WARN"
) -> Finding:
    """PASS where no feature is named, else `level` with the first five as evidence."""
    found = list(names)
    shown = ": " + ", ".join(found[:5]) + " …" * (len(found) > 5) if found else ""
    return finding(level if found else "PASS", check, f"{len(found)} of {total} features{shown}", cure)


def worst(findings: Sequence[Finding]) -> Level:
    """The gravest level among the findings; PASS where there are none."""
    return max((finding.level for finding in findings), key=_SEVERITY.__getitem__, default="PASS")


def to_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """One row a finding: level, check, evidence, cure."""
    schema = dict.fromkeys(Finding.__annotations__, pl.String())
    return pl.DataFrame([asdict(finding) for finding in findings], schema=schema)


def to_text(findings: Sequence[Finding], *, passed: bool = False) -> str:
    """What matters first, the gravest before: a line per finding, its cure below it; then how many checks passed.

    Of those that passed, the reader's guesses ("read `1.299` as 1299, because …") always have a line: they are to be
    seen, not believed. passed: with a line for each of the others too.
    """
    shown = sorted(findings, key=lambda one: -_SEVERITY[one.level])
    shown = shown if passed else [one for one in shown if one.level != "PASS" or _is_guess(one)]
    width = max((len(finding.check) for finding in shown), default=0)
    lines = []
    for one in shown:
        level = "READ" if one.level == "PASS" and _is_guess(one) else one.level
        lines.append(f"{level}  {one.check:<{width}}  {one.evidence}")
        if one.cure:
            lines.append(f"{'':{width + 6}}  cure: {one.cure}")
    count = sum(one.level == "PASS" for one in findings)
    return "\n".join([*lines, f"{count} checks passed"])


def _is_guess(one: Finding) -> bool:
    return one.evidence.startswith("read ")


def stop_on_failure(findings: Sequence[Finding]) -> None:
    """Raise InputError for the first FAIL: a model trained on such data would mislead."""
    failed = [finding for finding in findings if finding.level == "FAIL"]
    if failed:
        more = f" (and {len(failed) - 1} more failed checks)" if len(failed) > 1 else ""
        raise InputError(
            where="data doctor",
            expected=f"{failed[0].check!r} to pass",
            got=failed[0].evidence + more,
            cure=failed[0].cure,
        )


def examine_features(pairs: pl.DataFrame) -> Findings:
    """Features (…) of judged pairs (query_id, product_id, grade): what a user can change of them."""
    return Findings(_check_features(pairs.drop(NOT_FEATURES, strict=False), pairs["grade"]))


def examine(
    pairs: pl.DataFrame,
    queries: pl.DataFrame | None = None,
    folds: Sequence[Fold] = (),
    *,
    relevant_from: float = 1.0,
    limits: Mapping[str, Limits] | None = None,
) -> list[Finding]:
    """`examine_pairs` and `examine_features` of a table that has both."""
    found = examine_pairs(pairs, queries, folds, relevant_from=relevant_from, limits=limits)
    return found if pairs.is_empty() else Findings([*found, *examine_features(pairs)])


def examine_pairs(
    pairs: pl.DataFrame,
    queries: pl.DataFrame | None = None,
    folds: Sequence[Fold] = (),
    *,
    relevant_from: float = 1.0,
    limits: Mapping[str, Limits] | None = None,
) -> list[Finding]:
    """Check pairs (query_id, product_id, grade, …) in the order in which they came.

    queries: query_id, and text and image (bytes or a path) where there are. folds: without any, the
    checks between parts are left out. limits: of the rankers that are to train, by name.
    """
    if pairs.is_empty():
        return Findings(
            [
                finding(
                    "FAIL", "rows per query", "no judged pairs", "check the judgements and the rejected rows"
                )
            ]
        )
    return Findings(
        [
            *_check_lists(pairs, relevant_from),
            *_check_grades(pairs["grade"].cast(pl.Float64)),
            *_check_limits(pairs, limits or {}),
            *check_splits(pairs, queries, folds),
        ]
    )


def _check_lists(pairs: pl.DataFrame, relevant_from: float) -> Iterator[Finding]:
    grade = pl.col("grade")
    lists = pairs.group_by("query_id").agg(
        rows=pl.len(), grades=grade.n_unique(), relevant=(grade >= relevant_from).sum()
    )
    rows = lists["rows"]
    yield _check_rows(rows.to_numpy())
    yield _check_order(pairs["query_id"], lists.height)
    cure = "they teach no order: judge more candidates of them, some of them worse"
    yield _check_share("queries with one item", rows == 1, cure)
    yield _check_share("queries with one grade", (rows > 1) & (lists["grades"] == 1), cure)
    yield _check_share(
        "queries without relevant item",
        lists["relevant"] == 0,
        f"no grade of {relevant_from:g} or more: check evaluation.relevant_from and .empty_queries",
    )
    yield _check_duplicates(pairs)


def _check_rows(rows: np.ndarray) -> Finding:
    middle = float(np.median(rows))
    return finding(
        "WARN" if middle < FEW_ROWS else "PASS",
        "rows per query",
        f"min {rows.min()}, median {middle:g}, max {rows.max()}",
        "judge more candidates of each query",
    )


def _check_order(query_ids: pl.Series, distinct: int) -> Finding:
    runs = query_ids.rle_id().n_unique()
    return finding(
        "WARN" if runs > distinct else "PASS",
        "rows grouped by query",
        f"{distinct:,} queries in {runs:,} runs of rows",
        "none needed here, where pairs are sorted first; sort by query before using a booster directly",
    )


def _check_share(check: str, hit: pl.Series, cure: str) -> Finding:
    count = int(hit.sum())
    level: Level = "FAIL" if count == len(hit) else "WARN" if count > NOTABLE * len(hit) else "PASS"
    return finding(level, check, f"{count:,} of {len(hit):,} ({count / len(hit):.1%})", cure)


def _check_duplicates(pairs: pl.DataFrame) -> Finding:
    keys = ["query_id", "product_id"]
    counts = pairs.group_by(keys).agg(rows=pl.len(), grades=pl.col("grade").n_unique())
    copies = counts.filter(pl.col("rows") > 1)
    conflicts = copies.filter(pl.col("grades") > 1).height
    return finding(
        "FAIL" if copies.height else "PASS",
        "duplicate pairs",
        f"{copies.height:,} pairs more than once, {conflicts:,} of them with different grades",
        "keep one row per query_id and product_id",
    )


def _check_grades(grades: pl.Series) -> Iterator[Finding]:
    bad = int((~grades.is_finite() | (grades < 0)).fill_null(value=True).sum())
    yield finding(
        "FAIL" if bad else "PASS",
        "grades missing or negative",
        f"{bad:,} of {len(grades):,}, not finite ones included",
        "drop unjudged pairs or grade them 0; raise negative grades to 0",
    )


def _check_limits(pairs: pl.DataFrame, limits: Mapping[str, Limits]) -> Iterator[Finding]:
    grades = pairs["grade"].cast(pl.Float64)
    known = grades.filter(grades.is_finite()).to_numpy()
    longest = int(pairs["query_id"].value_counts()["count"].to_numpy().max())
    for ranker, its in limits.items():
        if len(known):
            yield _check_labels(ranker, its, known)
        yield _check_longest(ranker, its, longest)


def _check_labels(ranker: str, limits: Limits, grades: np.ndarray) -> Finding:
    """Rankers hand over gains in place of grades, so no label is refused; a high one drowns the rest."""
    top, fractional = float(grades.max()), bool((grades != np.floor(grades)).any())
    takes = "any label" if limits.label is None else f"{'whole ' * limits.whole}labels up to {limits.label}"
    refused = limits.label is not None and (top > limits.label or (fractional and limits.whole))
    handed = ", so it is handed gains in place of grades" * refused
    return finding(
        "WARN" if limits.label is not None and top > limits.label else "PASS",
        f"labels for {ranker}",
        f"highest grade {top:g}{', some fractional' * fractional}; {ranker} takes {takes}{handed}",
        "2^grade lets the highest grade drown the rest: set ranker.gain and evaluation.gain to linear",
    )


def _check_longest(ranker: str, limits: Limits, longest: int) -> Finding:
    over = limits.rows is not None and longest > limits.rows
    level: Level = "PASS" if not over else "WARN" if limits.only_on else "FAIL"
    limit = "no limit" if limits.rows is None else f"limit {limits.rows:,}{limits.only_on}"
    return finding(
        level,
        f"longest query for {ranker}",
        f"{longest:,} rows, {limit}",
        "keep fewer candidates of that query, or choose another ranker",
    )


def _check_features(features: pl.DataFrame, grade: pl.Series) -> Iterator[Finding]:
    # What a user brought and can leave out; ours are what the columns and encoders make.
    theirs = features.select(
        name for name in features.columns if "." not in name or name.partition(".")[0] in THEIRS
    )
    total = theirs.width
    nulls = {column.name: column.null_count() / len(column) for column in theirs}
    sparse = (f"{name} ({share:.1%})" for name, share in nulls.items() if share > MOSTLY_NULL)
    cure = "check the column each is made from, or leave them out"
    yield feature_finding(f"null share over {MOSTLY_NULL:.0%}", sparse, total, cure)
    filled = theirs.select(name for name, share in nulls.items() if share < 1)
    broken = (c.name for c in features if c.dtype.is_float() and not c.is_finite().all())
    cure = "make those values null, which is how a missing one is told"
    yield feature_finding("NaN or infinite values", broken, features.width, cure, "FAIL")
    constant = (c.name for c in filled if not c.null_count() and c.min() == c.max())
    yield feature_finding("constant features", constant, total, "leave them out: they can split nothing")
    yield feature_finding("equal features", _twins(filled), total, "leave one of each two out")
    cure = f"|Spearman| above {LEAK}: leave out what was made from the answer"
    yield feature_finding(
        "features that tell the grade", _leaks(features, grade), features.width, cure, "FAIL"
    )


def _twins(features: pl.DataFrame) -> Iterator[str]:
    seen: dict[bytes, str] = {}
    for column in features:
        values = column.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy()
        first = seen.setdefault(hashlib.sha256(values.tobytes()).digest(), column.name)
        if first != column.name:
            yield f"{column.name} = {first}"


def _leaks(features: pl.DataFrame, grade: pl.Series) -> Iterator[str]:
    """Features that, where known, put the pairs in the order of their grades, or in its reverse."""
    random = np.random.default_rng(0)
    graded = grade.is_not_null()
    for column in features:
        known = column.is_not_null() & graded
        rows = int(known.sum())
        if isinstance(column.dtype, pl.Enum) or rows < LEAK_ROWS:
            continue
        values, grades = (both if rows == len(both) else both.filter(known) for both in (column, grade))
        if rows > LEAK_SAMPLE:
            drawn = random.integers(0, rows, LEAK_SAMPLE)
            few = grades.gather(drawn)
            varied = LEAK_SAMPLE - int(np.unique(few.to_numpy(), return_counts=True)[1].max())
            far = _spearman(values.gather(drawn), few) < LEAK - LEAK_MARGIN
            if varied >= LEAK_VARIED and far:
                continue
        if _spearman(values, grades) > LEAK:
            yield column.name


def _spearman(values: pl.Series, grades: pl.Series) -> float:
    """|Spearman| of two columns without nulls; NaN, which is not above anything, for a constant or NaN values."""
    ranks = pl.DataFrame({"feature": values.cast(pl.Float64).rank(), "grade": grades.rank()})
    return abs(float(ranks.select(pl.corr("feature", "grade").fill_null(0)).item()))


# Of the split: enough queries in each part, and none that looks like one in another


def check_splits(
    pairs: pl.DataFrame, queries: pl.DataFrame | None, folds: Sequence[Fold]
) -> Iterator[Finding]:
    """Findings on judged pairs (query_id, product_id, …) and the looks of their queries (text, image)."""
    judged = set(pairs["query_id"].unique())
    tested = {query for fold in folds for query in fold.test} & judged if folds else judged
    yield _check_power(len(tested), all_tested=tested == judged)
    if folds:
        yield _check_parts(folds, judged)
        keys = pairs.select("query_id", "product_id")
        known = looks(keys.select("query_id").unique() if queries is None else queries)
        seen = keys.join(known, on="query_id", how="left", maintain_order="left")
        yield from _check_leakage(seen, folds)


def _check_power(count: int, *, all_tested: bool) -> Finding:
    least = (
        "below about " + f"{POWER * PAIRED_SD / count**0.5:.3f}".removeprefix("0") if count else "of any size"
    )
    return finding(
        "WARN" if count < FEW_QUERIES else "PASS",
        "queries to test on",
        f"{count:,}: a difference in nDCG@10 {least} passes for chance",
        "judge more queries" + ("" if all_tested else ", or test on all of them in turn (split.kind: folds)"),
    )


def _check_parts(folds: Sequence[Fold], judged: set[str]) -> Finding:
    counts = {
        "train": min(len(judged.intersection(fold.train)) for fold in folds),
        "validation": min(len(judged.intersection(fold.validation)) for fold in folds),
        "test": min(len(judged.intersection(fold.test)) for fold in folds),
    }
    empty = [part for part, count in counts.items() if not count]
    if empty == ["validation"] and not any(fold.validation for fold in folds):
        empty = []  # none was asked for: the model trains for its full number of trees
    level: Level = "PASS" if not empty else "WARN" if empty == ["validation"] else "FAIL"
    listed = ", ".join(f"{part} {count:,}" for part, count in counts.items())
    return finding(
        level,
        "parts of the split",
        f"judged queries in the least of {len(folds)} folds: {listed}",
        f"give {' and '.join(empty)} judged queries (section split)",
    )


def _check_leakage(pairs: pl.DataFrame, folds: Sequence[Fold]) -> Iterator[Finding]:
    """Over all folds, what of the test part training or validation has seen under other query ids."""
    texts = photos = same = known = tested = 0
    for fold in folds:
        test = _of(pairs, fold.test)
        seen = _of(pairs, [*fold.train, *fold.validation])
        has_text, has_photo = pl.col("words").is_not_null(), pl.col("photo").is_not_null()
        texts += _seen(test.filter(has_text), seen, LOOKS)["query_id"].n_unique()
        photos += _seen(test.filter(has_photo), seen, ["photo"])["query_id"].n_unique()
        same += _seen(test.filter(has_text | has_photo), seen, [*LOOKS, "product_id"]).height
        known += _seen(test, seen, ["product_id"]).height
        tested += test.height
    share = f"{known / max(tested, 1):.0%} of {tested:,} test pairs have a product seen in training"
    yield _leak(
        "query text in two parts", f"{texts:,} test queries whose text (and photo) also trains", texts
    )
    yield _leak("query photo in two parts", f"{photos:,} test queries whose photo also trains", photos)
    yield _leak("product in two parts", f"{share}, {same:,} of them for the same text and photo", same)


def _of(pairs: pl.DataFrame, query_ids: Sequence[str]) -> pl.DataFrame:
    return pairs.filter(pl.col("query_id").is_in(query_ids))


def _seen(test: pl.DataFrame, seen: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    return test.join(seen.select(on).unique(), on=on, how="semi", nulls_equal=True)


def _leak(check: str, evidence: str, count: int) -> Finding:
    cure = "keep queries that look alike in one part, or give them one query_id"
    return finding("WARN" if count else "PASS", check, evidence, cure)
