"""A source's ids as text, exactly as written, but for what other programs did to them.

Excel writes 4006381333900 as 4.00638E+12 and keeps zeros as ="00123"; pandas makes a column of whole numbers float when
one is missing; a Mac writes "é" as two characters. What can be undone is; where digits are lost, the column is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from features.errors import InputError
from features.sources.parsing import values
from features.sources.parsing.numerals import Reading
from features.sources.remarks import Said

_EXACT = 2.0**53  # from here on floats skip whole numbers
_FEW = 0.01
_SCIENTIFIC = r"^[+-]?\d(?:[.,]\d+)?[Ee]\+\d{1,3}$"
_ODD = r"""[^\x20-\x7e]|^[='"+]|\.0$|[Ee]\+"""  # any of what is mended below
_FORMULA = r'^="?([^"]*)"?$'
_INVISIBLE = r"[\u00ad\u200b-\u200f\u2060\ufeff]"
_JOINT = "/"


def read_ids(column: pl.Series, where: str) -> Reading:
    """Ids as text, null where missing; InputError (at `where`) for a column in which digits were lost."""
    if column.dtype.is_float():
        _refuse_inexact(column, where)
        return Reading(values.identifiers(column))
    ids = values.identifiers(column)
    if not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return Reading(ids)
    said: list[Said] = []
    if not ids.str.contains(_ODD).any():
        return Reading(ids)
    if ids.str.contains(r"[^\x20-\x7e]").any():
        ids = ids.str.normalize("NFC").str.replace_all(_INVISIBLE, "").str.strip_chars()
    for pattern, why in (
        (_FORMULA, "spreadsheets keep its zeros so"),
        (r"^'(\d[^']*)'?$", "Excel marks text so"),
    ):
        written = ids.str.contains(pattern).fill_null(value=False)
        if written.any():
            plain = ids.str.replace(pattern, "$1")
            said.append(_said(ids, plain, written, why))
            ids = plain
    return _without_point(*_without_scientific(ids, said, where), where)


def _refuse_inexact(column: pl.Series, where: str) -> None:
    large = column.filter(column.is_finite() & (column.abs() >= _EXACT)).drop_nulls()
    if len(large):
        raise InputError(
            where=where,
            expected="ids as text or whole numbers",
            got=f"{large[0]:.0f} in a column of floats, which hold no exact whole number from 2^53 on "
            f"({len(large):,} such ids have lost digits)",
            cure="write the column as text where it is made (in pandas: dtype=str, or Int64)",
        )


def _without_scientific(ids: pl.Series, said: list[Said], where: str) -> tuple[pl.Series, list[Said]]:
    rounded = ids.str.contains(_SCIENTIFIC).fill_null(value=False)
    count = int(rounded.sum())
    if not count:
        return ids, said
    got = f"{ids.filter(rounded)[0]!r}, as Excel shortens long numbers ({count:,} of {len(ids):,} ids have lost digits)"
    cure = "export the table again with this column formatted as text, without opening it in Excel"
    if count > _FEW * len(ids):
        raise InputError(where=where, expected="whole ids", got=got, cure=cure)
    return ids.set(rounded, None), [*said, Said("WARN", f"{got}: these rows are left out", cure)]


def _without_point(ids: pl.Series, said: list[Said], where: str) -> Reading:
    """ "7.0" → "7" where all are written so: a program took whole numbers for floats."""
    pointed = ids.str.contains(r"^\d+\.0$")
    if not (ids.count() and pointed.all()):
        return Reading(ids, tuple(said))
    _refuse_inexact(ids.cast(pl.Float64), where)
    plain = ids.str.strip_suffix(".0")
    said.append(_said(ids, plain, pointed.fill_null(value=False), "all are written as floats"))
    return Reading(plain, tuple(said))


def _said(before: pl.Series, after: pl.Series, hit: pl.Series, why: str) -> Said:
    evidence = f"read {before.filter(hit)[0]!r} as {after.filter(hit)[0]!r} ({int(hit.sum()):,} ids): {why}"
    return Said("PASS", evidence)


def joint_ids(columns: Sequence[pl.Series], where: str) -> pl.Series:
    """Several ids as one, "a/b"; null where one is missing. InputError where two rows would meet in one id."""
    frame = pl.DataFrame([column.alias(str(i)) for i, column in enumerate(columns)])
    joint = frame.select(pl.concat_str(pl.all(), separator=_JOINT)).to_series()
    whole = frame.filter(joint.is_not_null())
    if whole.n_unique() > joint.drop_nulls().n_unique():
        raise InputError(
            where=where,
            expected=f"ids that stay apart when joined by {_JOINT!r}",
            got="two pairs that give the same",
            cure="name one column of ids",
        )
    return joint


FOLDS = {
    "in other capitals": lambda ids: ids.str.to_lowercase(),
    "without leading zeros": lambda ids: ids.str.strip_chars_start("0"),
    "without '.0'": lambda ids: ids.str.strip_suffix(".0"),
    "without blanks and dashes": lambda ids: ids.str.replace_all(r"[\s\-_./]", ""),
}
"""Ways in which one program's ids come to differ from another's."""


def nearly_known(ids: pl.Series, known: pl.Series) -> tuple[int, str]:
    """How many ids would be among the known if both were written alike, and how: the way that finds most."""
    best = (0, "")
    for way, fold in FOLDS.items():
        folded = fold(known)
        alike = int(fold(ids).is_in(folded.implode()).sum())
        best = max(best, (alike, way)) if alike else best
    return best
