"""Grades: numbers, or names that the config gives numbers; one a pair, or one a rater, whose agreement is measured."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.errors import InputError
from features.sources.columns import Source
from features.sources.ledger import Ledger, shorten
from features.sources.parsing import values
from features.sources.parsing.numerals import Reading
from features.sources.remarks import Said

_RELIABLE = 0.667  # Krippendorff's own limit for tentative conclusions
_A_NAME = 0.01  # a word in this share of a column of numbers is a grade's name, not a slip
_NUMBER = r"-?\d+(?:\.\d+)?"
_SEVERAL = (
    rf"^\s*(?:\[.*,.*\]|\(.*,.*\)|{_NUMBER}(?:\s*[;|]\s*{_NUMBER})+|{_NUMBER}(?:\s*,\s*{_NUMBER}){{2,}})\s*$"
)
_SEVERAL_OR_ONE = rf"^\s*[\[(]?\s*(?:{_NUMBER}(?:\s*[;|,]\s*{_NUMBER})*)?\s*[\])]?\s*$"
_TRUTHS = dict.fromkeys(("yes", "on", "y", "true"), "true") | dict.fromkeys(
    ("no", "off", "n", "false"), "false"
)


def read_grades(source: Source, names: Mapping[str, float | None] | None) -> list[pl.Series]:
    """The grades as Float64, one column a rater; null where there is none.

    Raises InputError naming the values that have no number in `names`, or a word that is often where numbers are.
    """
    columns = source.named("grade")
    if not columns:
        source.require("grade", "data.judgements.columns.grade")
    setting = "data.judgements.columns.grade"
    mend = "give each of its values a number in data.judgements.grades"
    grades = []
    for column in columns:
        raw = source.require(column, setting)
        where = f"{source.path}, column {column!r}"
        if names:
            named = _by_names(raw, names, where)
            source.remark(named.said, column)
            grades.append(named.values)
        else:
            several = _listed(raw)
            if several:
                evidence = (
                    f"each field holds several grades, such as {shorten(raw.drop_nulls()[0])}: one a rater"
                )
                source.remark([Said("PASS", evidence)], column)
                grades += several
                continue
            grades.append(source.readable(column, source.as_numbers(), "number", setting, mend))
            _refuse_words(raw, grades[-1], where)
            source.remark(_commas(raw, grades[-1]), column)
    return grades


def _listed(raw: pl.Series) -> list[pl.Series]:
    """The grades of each rater, where one field holds several: a list, "[2, 1]", "2;1", "2|1" or "2,1,2"; else none."""
    if isinstance(raw.dtype, pl.List | pl.Array):
        lists = raw.cast(pl.List(pl.Float64), strict=False)
    else:
        if raw.dtype != pl.String:
            return []
        present = raw.set(values.missing(raw), None)
        if not (present.str.contains(_SEVERAL).any() and present.str.contains(_SEVERAL_OR_ONE).all()):
            return []
        lists = present.str.extract_all(_NUMBER).cast(pl.List(pl.Float64))
    most = max(lists.list.len().drop_nulls(), default=0)
    return [lists.list.get(rater, null_on_oob=True) for rater in range(most)]


def _commas(raw: pl.Series, grades: pl.Series) -> list[Said]:
    """Two raters' "2,1" cannot be told from two and a tenth."""
    if raw.dtype != pl.String:
        return []
    commas = (raw.str.contains(r"^\s*\d,\d\s*$") & grades.is_not_null()).fill_null(value=False)
    if not commas.any():
        return []
    evidence = f"read {raw.filter(commas)[0]!r} as {grades.filter(commas)[0]:g}: a decimal comma"
    return [Said("WARN", evidence, "if these are two raters' grades, write them as 2;1")]


def _by_names(raw: pl.Series, names: Mapping[str, float | None], where: str) -> Reading:
    """The number of each name; names in other forms (see `_folded`), and YAML's yes and no, are found too, and said."""
    written = values.identifiers(raw)
    missing = values.missing(raw) & ~written.is_in(list(names)).fill_null(value=False)
    distinct = written.set(missing, None).drop_nulls().unique(maintain_order=True).to_list()
    folded = {_folded(name): name for name in names}
    found = {value: _found(value, names, folded) for value in distinct}
    unknown = [value for value, name in found.items() if name is None]
    if unknown:
        rows = int(written.is_in(unknown).sum())
        raise InputError(
            where=where,
            expected=f"the grades named in data.judgements.grades ({', '.join(map(shorten, names))})",
            got=f"{', '.join(map(shorten, unknown[:5]))} in {rows:,} of {len(raw):,} rows",
            cure="give each a number there, or null to leave its judgements out (in YAML, quote yes, no, on and off)",
        )
    said = tuple(
        Said("PASS", f"read the grade {value!r} as {name!r} of data.judgements.grades")
        for value, name in found.items()
        if name is not None and value != name
    )
    numbers = {value: names[name] for value, name in found.items() if name is not None}
    grade = written.replace_strict(numbers, default=None, return_dtype=pl.Float64)
    return Reading(grade.set(missing, None), said)


def _found(value: str, names: Mapping[str, float | None], folded: Mapping[str, str]) -> str | None:
    key = _folded(value)
    if value in names:
        return value
    return folded.get(key) or folded.get(_TRUTHS.get(key, key))


def _folded(name: str) -> str:
    """A name without capitals, unseen signs and blanks around, in one Unicode form; a number as a program writes it."""
    plain = re.sub(r"[\u00ad\u200b-\u200f\u2060\ufeff]", "", unicodedata.normalize("NFKC", name))
    plain = " ".join(plain.split()).casefold()
    return f"{float(plain):.17g}" if re.fullmatch(r"-?\d+(\.\d+)?", plain) else plain


def _refuse_words(raw: pl.Series, grades: pl.Series, where: str) -> None:
    unread = raw.filter(~values.missing(raw) & grades.is_null())
    if not len(unread):
        return
    word, rows = unread.value_counts(sort=True, name="rows").row(0)
    if rows > max(1, _A_NAME * len(raw)):
        raise InputError(
            where=where,
            expected="numbers",
            got=f"{shorten(word)} in {rows:,} of {len(raw):,} rows",
            cure="give each of the column's values a number in data.judgements.grades",
        )


def by_rater(frame: pl.DataFrame, grades: Sequence[pl.Series], ledger: Ledger) -> pl.DataFrame:
    """The frame with a `grade`: a row for each rater's, or one without where no rater gave any."""
    if len(grades) == 1:
        return frame.with_columns(grade=grades[0])
    raters = pl.DataFrame([grade.alias(f"rater {number}") for number, grade in enumerate(grades, start=1)])
    given = raters.select(pl.concat_list(pl.all()).list.drop_nulls().alias("grade"))
    ledger.remark([_agreement(raters)], "judgements: raters", "data.judgements")
    return frame.with_columns(given).explode("grade", empty_as_null=True)


@dataclass(frozen=True)
class Agreement:
    """How far raters agree: on the pairs graded by two or more, of all; the share of them graded alike.

    alpha: Krippendorff's, of grades taken as an interval scale (Content Analysis, 2004, chapter 11); 1: no doubt, 0: as
    by chance. alike and alpha are None where no pair has two grades.
    """

    raters: int
    pairs: int
    of_pairs: int
    alike: float | None
    alpha: float | None


def agreement(raters: pl.DataFrame) -> Agreement:
    """Of a frame with a column of grades a rater, a row a pair; null where one gave none."""
    lists = raters.select(pl.concat_list(pl.all()).list.drop_nulls().alias("grade")).with_row_index("unit")
    rows = lists.filter(pl.col("grade").list.len() > 1).explode("grade")
    units = rows.group_by("unit").agg(
        count=pl.len(), spread=pl.col("grade").var(ddof=0), same=pl.col("grade").n_unique() == 1
    )
    if not units.height:
        return Agreement(raters.width, 0, raters.height, None, None)
    count = rows.height
    within = (
        units.select((2 * pl.col("count") ** 2 * pl.col("spread") / (pl.col("count") - 1)).sum()).item()
        / count
    )
    between = 2 * count * rows["grade"].var(ddof=0) / (count - 1)  # type: ignore[operator]
    alpha = 1 - within / between if between else 1.0
    alike = int(units["same"].sum()) / units.height
    return Agreement(raters.width, units.height, raters.height, alike, alpha)


def _agreement(raters: pl.DataFrame) -> Said:
    found = agreement(raters)
    shown = f"{found.raters} raters, {found.pairs:,} of {found.of_pairs:,} pairs graded by two or more"
    if found.alpha is None:
        return Said("WARN", shown, "let some pairs be graded twice, to see how far grades can be trusted")
    evidence = f"{shown}, {found.alike:.0%} of them alike; Krippendorff's alpha {found.alpha:.2f}"
    cure = "settle with the raters what each grade means, and grade again what they differ on"
    return Said("PASS" if found.alpha >= _RELIABLE else "WARN", evidence, cure)
