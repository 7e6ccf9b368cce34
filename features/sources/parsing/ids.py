"""A source's ids as text, exactly as written, but for what other programs did to them.

Excel writes 4006381333900 as 4.00638E+12 and keeps zeros as ="00123"; pandas makes a column of whole numbers float when
one is missing; a Mac writes "é" as two characters. What can be undone is; where digits are lost, the column is refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import polars as pl

from features.errors import InputError
from features.sources.parsing import values
from features.sources.parsing.numerals import Reading
from features.sources.remarks import Said

_FEW = 0.01
_SCIENTIFIC = r"^[+-]?\d(?:[.,]\d+[Ee]\+?|[Ee]\+)\d{1,3}$"
_PLACEHOLDER = r"^##+$|^=.*\("  # a narrow column, a formula
_NO_VALUE = r"^(?i:nan|none|null|<na>|\\n|#(?:n/a|ref!|value!|name\?|div/0!|null!|num!|spill!|error!))$"
# Any of what is mended below.
_ODD = r"""[^\x20-\x7e]|^['"=+#`<\\]|^(?i:nan|none|null)$|[.,]00?$|^\d{1,3}[, ']\d|\d[Ee]\+?\d"""
_WRAPPED = (
    (r'^[=+]\s*(?:[A-Z]+\()?\s*"([^"]*)"\s*\)?$|^=(\d[^"()]*)$', "spreadsheets keep its zeros so"),
    (r'^=HYPERLINK\(.*"([^"]*)"\s*\)$', "a spreadsheet shows it so"),
    (r"^['‘’`](.+?)'?$", "Excel marks text so"),
    (r'^["“”](.+)["“”]$', "the quotes are around it"),
)
_INVISIBLE = r"[\x00-\x1f\x7f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]"
_FULL_WIDTH = {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}
_HYPHENS = dict.fromkeys("‐‑−﹣", "-")
_MANY = 6  # zeros where digits should be
_JOINT = "/"


def read_ids(column: pl.Series, where: str) -> Reading:
    """Ids as text, null where missing; InputError (at `where`) for a column in which digits were lost."""
    if column.dtype.is_float():
        _refuse_inexact(column, where)
        return Reading(values.identifiers(column))
    column = _one_each(column, where)
    ids = values.identifiers(column)
    if not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return Reading(ids)
    said: list[Said] = []
    said += _rounded(ids)
    if not ids.str.contains(_ODD).any():
        return Reading(ids, tuple(said))
    if ids.str.contains(r"[^\x20-\x7e]").any():
        ids = ids.str.normalize("NFC").str.replace_all(_INVISIBLE, "").str.replace_all(r"\p{Zs}", " ")
        plain = _FULL_WIDTH | _HYPHENS
        ids = ids.str.replace_many(list(plain), list(plain.values())).str.strip_chars()
    for pattern, why in _WRAPPED:
        written = ids.str.contains(pattern).fill_null(value=False)
        if written.any():
            plain_ids = ids.str.replace(pattern, "$1$2")
            said.append(_said(ids, plain_ids, written, why))
            ids = plain_ids
    nothing = ids.str.contains(_NO_VALUE).fill_null(value=False)
    if nothing.any():
        said.append(
            Said("WARN", f"{int(nothing.sum()):,} ids say {ids.filter(nothing)[0]!r}, as programs write none")
        )
        ids = ids.set(nothing, None)
    return _without_point(*_without_scientific(ids, said, where), where)


def _rounded(ids: pl.Series) -> list[Said]:
    """Spreadsheets keep 15 digits and write 0 for the others."""
    long = ids.filter(ids.str.contains(r"^\d{16,}$")).unique(maintain_order=True)
    behind = long.str.slice(15)
    if behind.str.len_chars().sum() < _MANY or behind.str.contains("[^0]").any():
        return []
    evidence = (
        f"all ids of over 15 digits end in zeros, such as {long[0]}: a spreadsheet may have lost their digits"
    )
    return [Said("WARN", evidence, "export the table again with this column as text")]


def _one_each(column: pl.Series, where: str) -> pl.Series:
    """Lists of one id as that id, decimals of whole numbers as these; InputError for lists of several."""
    if isinstance(column.dtype, pl.List | pl.Array):
        if isinstance(column.dtype.inner, pl.Struct):
            fields = ", ".join(field.name for field in column.dtype.inner.fields)
            cure = "write a row for each, with its id in a column"
            raise InputError(
                where=where, expected="one id a row", got=f"lists of objects ({fields})", cure=cure
            )
        lists = column.cast(pl.List(column.dtype.inner))
        several = (lists.list.len() > 1).fill_null(value=False)
        if several.any():
            raise InputError(
                where=where,
                expected="one id a row",
                got=f"a list of {lists.filter(several).list.len()[0]}",
                cure="write a row for each",
            )
        column = lists.list.get(0, null_on_oob=True)
    if isinstance(column.dtype, pl.Decimal) and ((column % 1) == 0).all():
        column = column.cast(pl.Int128)
    return column


def _refuse_inexact(column: pl.Series, where: str) -> None:
    exact = 2.0 ** (24 if column.dtype == pl.Float32 else 53)  # from here on floats skip whole numbers
    large = column.filter(column.is_finite() & (column.abs() >= exact)).drop_nulls()
    if len(large):
        raise InputError(
            where=where,
            expected="ids as text or whole numbers",
            got=f"{large[0]:.0f} in a column of floats, which hold no exact whole number from 2^{math.log2(exact):.0f} "
            f"on ({len(large):,} such ids have lost digits)",
            cure="write the column as text where it is made (in pandas: dtype=str, or Int64)",
        )


def _without_scientific(ids: pl.Series, said: list[Said], where: str) -> tuple[pl.Series, list[Said]]:
    rounded = ids.str.contains(_SCIENTIFIC).fill_null(value=False)
    if rounded.any():
        written = ids.filter(rounded).unique()
        whole = ids.replace(written, pl.Series(map(_whole, written), dtype=pl.String))
        kept = rounded & ~whole.str.contains(_SCIENTIFIC)
        if kept.any():
            said.append(_said(ids, whole, kept, "all of its digits are there"))
        ids, rounded = whole, rounded & ~kept
    rounded = rounded | ids.str.contains(_PLACEHOLDER).fill_null(value=False)
    count = int(rounded.sum())
    if not count:
        return ids, said
    got = f"{ids.filter(rounded)[0]!r}, as Excel shows long numbers ({count:,} of {len(ids):,} ids have lost digits)"
    cure = "export the table again with this column formatted as text, without opening it in Excel"
    if count > _FEW * len(ids):
        raise InputError(where=where, expected="whole ids", got=got, cure=cure)
    return ids.set(rounded, None), [*said, Said("WARN", f"{got}: these rows are left out", cure)]


def _whole(written: str) -> str:
    """ "4.006381333906E+12" → "4006381333906"; as it is where digits are missing."""
    number = Decimal(written.replace(",", "."))
    exponent = cast("int", number.as_tuple().exponent)
    return f"{number:f}" if exponent == 0 else written


def _without_point(ids: pl.Series, said: list[Said], where: str) -> Reading:
    """ "7.0" → "7", "1,234" → "1234" where all are written so: a program took them for numbers."""
    parted = ids.str.contains(r"^\d{1,3}(?:,\d{3})*$|^\d{1,3}(?: \d{3})*$|^\d{1,3}(?:'\d{3})*$").all()
    if ids.count() and parted and ids.str.contains("[, ']").any():
        plain = ids.str.replace_all("[, ']", "")
        said.append(_said(ids, plain, ids.ne_missing(plain), "all are written as numbers with thousands"))
        return Reading(plain, tuple(said))
    pointed = ids.str.contains(r"^\d+[.,]00?$")
    if not (ids.count() and pointed.all()):
        return Reading(ids, tuple(said))
    _refuse_inexact(ids.str.replace(",", ".", literal=True).cast(pl.Float64), where)
    plain = ids.str.replace("[.,]00?$", "")
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


BARE_NUMBER = "without what stands before their last number"
FOLDS = {
    "in other capitals": lambda ids: ids.str.to_lowercase(),
    "without leading zeros": lambda ids: ids.str.strip_chars_start("0"),
    "without '.0'": lambda ids: ids.str.strip_suffix(".0"),
    "without blanks and dashes": lambda ids: ids.str.replace_all(r"[^\p{L}\p{N}]", ""),
    "by their first 15 digits, which spreadsheets keep": lambda ids: ids.str.replace(r"^(\d{15})\d+$", "$1…"),
    BARE_NUMBER: lambda ids: ids.str.replace(r"^.*?(\d+)$", "$1"),
}
"""Ways in which one program's ids come to differ from another's."""


def written_near(one: str, known: pl.Series) -> str:
    """The first known id that would be this one if both were written alike, and how; "" where there is none."""
    for way, fold in FOLDS.items():
        folded = fold(known)
        if way == BARE_NUMBER and folded.n_unique() < known.n_unique():
            continue
        alike = known.filter(folded == fold(pl.Series([one], dtype=pl.String))[0])
        if len(alike):
            return f"{alike[0]!r} is alike {way}"
    return ""


def nearly_known(ids: pl.Series, known: pl.Series) -> tuple[int, str]:
    """How many ids would be among the known if both were written alike, and how: the way that finds most."""
    best = (0, "")
    for way, fold in FOLDS.items():
        folded = fold(known)
        if way == BARE_NUMBER and folded.n_unique() < known.n_unique():  # hat-12 and shoe-12 are two
            continue
        alike = int(fold(ids).is_in(folded.implode()).sum())
        best = (alike, way) if alike > best[0] else best
    return best
