"""What stands among a table's rows and is none: its header again, a second header, `sep=;`, sums and other footers."""

from __future__ import annotations

import math
import re
from pathlib import Path

import polars as pl

from features.errors import InputError
from features.sources.formats.column_names import JUDGEMENT, PRODUCT, QUERY, fold
from features.sources.parsing.values import numbers

MOJIBAKE_MARK = "ï»¿"
"""A byte-order mark read as Latin-1 and written again."""
AROUND = " \t\u00a0\ufeff"
_ENOUGH = 4  # rows, to tell what a column holds
_MOSTLY = 0.5

_SUMS = (
    r"(?:grand |sub[- ]?|overall )?totals?|sum|count|average|avg|mean|min|max|[∑Σ]|number|anzahl|"
    r"(?:gesamt|zwischen)?summe|gesamt|insgesamt|durchschnitt|"
    r"total (?:général|general|generale|geral)|totale|totaal|somme|suma|somma|summa|razem|celkem|toplam|"
    r"yhteensä|итого|всего|合計|合计|总计|總計|합계"
)
_THINGS = (
    r"rows?|row\(s\)|records?|lines?|entries|items?|products?|results?|zeilen?|datensätze|artikel|produkte|lignes?|"
    "produits|filas|registros|productos|righe|prodotti|rijen|producten|linhas|строк|行|件"
)
_OF_WHAT = (
    rf" (?:of )?(?:{_THINGS}|amount|count|prices?|values?|eur|usd|gbp|chf|incl\.? (?:vat|tax)|inkl\.? mwst\.?|"
    r"\([^()]*\))"
)
_SUM = rf"(?:{_SUMS})(?:{_OF_WHAT})*\s*[:=]?\s*(?:[0-9][0-9.,' ]*(?: (?:{_THINGS}))?)?"
_END = (
    r"(?:end|ende|fin|fine|eof|koniec|конец)(?: (?:of|der|des|du|de|del|de la|dell')(?: the)?)?"
    r"(?: (?:file|export|report|data|list|table|feed|document|records|datei|exports?|liste|daten|fichier|rapport|"
    r"archivo|lista|документа))?"
)
_COUNT = (
    rf"[0-9][0-9.,' ]* (?:{_THINGS})(?: (?:selected|affected|returned|exported|found|total|in set|in total))?"
    r"(?: \([^()]*\))?"
)
_MADE = (
    r"(?:this (?:file|report) was )?(?:generated|created|exported|printed|erstellt|exportiert|gedruckt|généré|exporté|"
    r"generado|exportado|creato|esportato)(?: (?:on|at|by|am|um|von|mit|le|par|el|por|il|da)\b| ?:).*"
)
_FRAME = r"[-=*#_/<>~.+|\s\[\]()]"
_FOOTER = (
    rf"(?i)^{_FRAME}*(?:{_SUM}|{_END}|{_COUNT}|{_MADE}){_FRAME}*$|^{_FRAME}{{3,}}$|^(?:#+|//|--+) .* .*$"
)
_DASHES = r"^\s*:?[-=_*]{2,}:?\s*$"
_NO_WORD = rf"^[^\p{{L}}]*(?:\p{{Sc}}|[A-Z]{{3}}|kr)?[^\p{{L}}]*$|^[0-9][0-9.,' ]* (?i:{_THINGS})$"
_LONGEST_FOOTER = 20  # rows
_NAMES = frozenset(
    name for table in (PRODUCT, QUERY, JUDGEMENT) for names in table.values() for name in names
)
_SEPARATOR_LINE = r'(?i)^"?sep= ?\S?"?$'


def other_rows(frame: pl.DataFrame, path: Path) -> pl.Series:
    """Why a row is none of the table's; null for those that are. `path` is for the error.

    Raises InputError for a header again that has other columns, or the same in another order.
    """
    why = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    texts = frame.select(pl.selectors.string())
    if frame.width < 2 or not texts.width or not frame.height:
        return why
    first = texts.select(pl.coalesce(pl.all())).to_series().str.strip_chars(AROUND)
    alone = frame.select(pl.sum_horizontal(pl.all().is_not_null()) == 1).to_series()
    why = why.set(_footers(frame, first, alone), "a footer")
    why = why.set(_odd_end(frame, first), "a footer")
    why = why.set(
        alone & first.str.contains(_SEPARATOR_LINE).fill_null(value=False), "the separator's line again"
    )
    why = why.set(_dashes(texts, first) & ~alone, "a line of dashes")
    why = why.set(_headers_again(frame, first, path), "the header again")
    _refuse_other_columns(texts, why, path)
    maybe = why.is_null() | why.is_in(["the header again", "a line of dashes"])
    table, at_top = texts.filter(maybe), bool(maybe[0])
    return why.scatter(0, "a second header") if at_top and _header_below(table) else why


def _dashes(texts: pl.DataFrame, first: pl.Series) -> pl.Series:
    """Rows of dashes in each field, as databases and Markdown print below a header."""
    found = first.str.contains(_DASHES).fill_null(value=False)
    if not found.any():
        return found
    only = pl.all_horizontal(pl.all().is_null() | pl.all().str.contains(_DASHES))
    return found & texts.select(only).to_series()


def _footers(frame: pl.DataFrame, first: pl.Series, alone: pl.Series) -> pl.Series:
    """Rows that hold nothing but a footer's words, or those of a sum and numbers, where other rows hold more."""
    footer = first.str.contains(_FOOTER).fill_null(value=False)
    if not footer.any():
        return footer
    rows = frame.with_columns(__first=first, __alone=alone, __row=pl.int_range(pl.len())).filter(footer)
    filled = [name for name in frame.columns if frame[name].count() > _MOSTLY * frame.height]
    words = [
        pl.col(name).is_null()
        | (pl.col(name).str.strip_chars(AROUND) == pl.col("__first"))
        | pl.col(name).str.contains(_NO_WORD)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    ]
    a_sum = pl.col("__first").str.contains(rf"(?i)^{_FRAME}*{_SUM}{_FRAME}*$") & pl.all_horizontal(words)
    lacks = pl.any_horizontal(pl.col(filled).is_null()) | (
        a_sum & (pl.col("__row") == frame.height - 1) & _adds_up(frame)
    )
    found = rows.filter(lacks & (pl.col("__alone") | a_sum))["__row"]
    return pl.repeat(value=False, n=frame.height, eager=True).scatter(found, values=True)


def _odd_end(frame: pl.DataFrame, first: pl.Series) -> pl.Series:
    """The last rows, of one cell each where others have more, if what they hold is written as no other row's is."""
    none = pl.repeat(value=False, n=frame.height, eager=True)
    filled = frame.select(pl.sum_horizontal(pl.all().is_not_null())).to_series()
    end = frame.height
    while end > max(0, frame.height - _LONGEST_FOOTER) and filled[end - 1] < 2:
        end -= 1
    if end == frame.height or end < _ENOUGH or (filled[:end] > 1).mean() <= _MOSTLY:  # type: ignore[operator]
        return none
    shape = pl.concat_str(
        pl.lit(first).str.contains(sign).cast(pl.String) for sign in (" ", r"\d", r"\p{L}", r"[:.©*]")
    )
    shapes = pl.select(shape).to_series()
    odd = (~shapes.is_in(shapes[:end].unique().implode())).fill_null(value=False)
    return none.scatter(pl.arange(end, frame.height, eager=True), odd[end:])


def _adds_up(frame: pl.DataFrame) -> bool:
    """Whether the last row has the sum of a column."""
    if frame.height <= _ENOUGH:
        return False
    for column in frame:
        number = numbers(column).values
        above, last = number[:-1], number[-1]
        if last and above.count() == len(above) and math.isclose(above.sum(), last, rel_tol=1e-6):
            return True
    return False


def _headers_again(frame: pl.DataFrame, first: pl.Series, path: Path) -> pl.Series:
    """Rows that hold only names of columns, two at least, as of files joined."""
    names = pl.select(_plain(pl.lit(pl.Series(frame.columns)))).to_series().implode()
    known = pl.select(_plain(pl.lit(first)).is_in(names)).to_series().fill_null(value=False)
    if not known.any():
        return known
    named = [
        _plain(pl.col(name)).is_in(names) if dtype == pl.String else pl.lit(value=False)
        for name, dtype in frame.schema.items()
    ]
    only = [
        pl.col(name).is_null() | name_again for name, name_again in zip(frame.columns, named, strict=True)
    ]
    again = (
        known
        & frame.select(pl.all_horizontal(only) & (pl.sum_horizontal(pl.all().is_not_null()) > 1)).to_series()
    )
    _refuse_other_order(frame.filter(again), path)
    return again


def _plain(name: pl.Expr) -> pl.Expr:
    return name.str.strip_prefix(MOJIBAKE_MARK).str.strip_chars(AROUND).str.to_lowercase()


def _refuse_other_order(headers: pl.DataFrame, path: Path) -> None:
    for row in headers.rows():
        moved = [
            (name, cell)
            for name, cell in zip(headers.columns, row, strict=True)
            if cell is not None and pl.select(_plain(pl.lit(name)) != _plain(pl.lit(cell))).item()
        ]
        if moved:
            raise InputError(
                where=path,
                expected="one order of columns throughout",
                got=f"a second header that has {moved[0][1]!r} where the first has {moved[0][0]!r}",
                cure="write each part into a file of its own, or put their columns in one order",
            )


def _refuse_other_columns(texts: pl.DataFrame, why: pl.Series, path: Path) -> None:
    """Raise InputError for a row of names of columns: its own, and others that tables have."""
    own = pl.any_horizontal(pl.col(name) == name for name in texts.columns)
    for row in texts.filter(texts.select(own).to_series().fill_null(value=False) & why.is_null()).rows():
        cells = [(name, cell) for name, cell in zip(texts.columns, row, strict=True) if cell is not None]
        named = sum(name == cell or fold(cell) in _NAMES for name, cell in cells)
        if named > 1 and not any(re.search(r"\d", cell) for _, cell in cells):
            raise InputError(
                where=path,
                expected="one header",
                got=f"a second one with other columns ({', '.join(cell for _, cell in cells)})",
                cure="write each table into a file of its own",
            )


def _header_below(texts: pl.DataFrame) -> bool:
    """Whether the first row has words (types, units, dashes, names) in two columns where all others have digits."""
    if texts.height < _ENOUGH:
        return False
    words = [name for name in texts.columns if (cell := texts[name][0]) and not re.search(r"\d", cell)]
    if len(words) < 2:
        return False
    others = texts[1:].select(
        pl.col(words).str.contains(r"\d").fill_null(value=True).all() & (pl.col(words).count() >= _ENOUGH - 1)
    )
    return sum(others.row(0)) >= 2
