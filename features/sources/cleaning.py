"""Cleaning of the canonical tables: each function takes a table and the ledger, and counts what it does.

Missing stays null; nothing is invented. Rows are rejected only where they cannot be used (no key, no grade);
a bad value in a good row becomes null.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import polars as pl

from features.media.files import hashes_of
from features.sources.ledger import Ledger
from features.sources.parsing.ids import nearly_known
from features.sources.remarks import Said
from features.sources.schema import Schema, separate

# Tags by name, so that "size <b" or "<large>" in plain text stays.
_TAGS = (
    "a|abbr|article|b|big|blockquote|body|br|button|center|code|dd|del|details|div|dl|dt|em|figure|font|footer|form|"
    "h[1-6]|head|header|hr|html|i|iframe|img|input|ins|label|li|link|main|mark|meta|nav|ol|option|p|pre|q|s|"
    "section|select|small|span|strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|video|wbr"
)
_HTML = (
    r"(?is)<(?:script|style)\b.*?</(?:script|style)\s*>|<!--.*?-->|<!doctype[^<>]*>"
    rf"|</?(?:{_TAGS})(?:\s[^<>]*)?/?>"
)
_ENTITY = r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]+);"
# Controls but white space, soft hyphens, zero-width spaces, direction marks and byte-order marks (also "ï»¿",
# one read as Latin-1). Zero-width joiners stay: emoji and several scripts need them.
_CONTROLS = (
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
    r"|ï»¿"
)

_BY_WINDOWS = frozenset(bytes(byte for byte in range(0x80, 0xA0)).decode("cp1252", errors="ignore"))
_SECOND = rf"[\x80-¿{''.join(sorted(_BY_WINDOWS))}]"  # any but the first byte of a sign in UTF-8
# What no language writes: "ß“" and "é–" are written.
_TWICE = rf"[ÃÂ]{_SECOND}|â[€‚„\x80\x82\x84]|(?:[ÄÅÐÑ]{_SECOND}.*){{2}}|(?:[ä-í]{_SECOND}{{2}}){{2}}"
ABSURD_FACTOR = 1000
_ENOUGH_PRICES = 20
_NAMES = ("title", "brand")
AS_TEXT = "export both tables by one program, with the ids as text"


LONGEST_TEXT = 50_000  # characters, HTML included: some 8,000 words, more than an encoder or a searcher reads


def clean_text(frame: pl.DataFrame, table: str, columns: Sequence[str], ledger: Ledger) -> pl.DataFrame:
    """HTML and control characters out, white space collapsed, empty text → null, long text cut at `LONGEST_TEXT`."""
    if not columns:
        return frame
    stages = (
        (f"text cut at {LONGEST_TEXT:,} characters", _cut),
        ("UTF-8 read as Latin-1 and written again, mended", _read_again),
        ("HTML tags and entities removed", _without_html),
        ("control characters removed", lambda column: column.str.replace_all(_CONTROLS, "")),
        ("white space tidied", lambda column: column.str.replace_all(r"\s+", " ").str.strip_chars()),
        ("empty text set to null", lambda column: column.replace("", None)),
    )
    for step, stage in stages:
        before = frame.select(columns)
        after = ledger.note_changes(table, step, before, pl.DataFrame([stage(column) for column in before]))
        frame = frame.with_columns(after)
    return frame


def _read_again(column: pl.Series) -> pl.Series:
    """ "CafÃ©" → "Café", where all of a text's bytes are UTF-8 once they are taken back."""
    odd = column.filter(column.str.contains(_TWICE)).unique()
    return column.replace(odd, pl.Series(map(_once, odd), dtype=pl.String)) if len(odd) else column


def _once(text: str) -> str:
    try:
        return b"".join(sign.encode("cp1252" if sign in _BY_WINDOWS else "latin-1") for sign in text).decode()
    except UnicodeError:
        return text


def _cut(column: pl.Series) -> pl.Series:
    long = column.str.len_bytes() > LONGEST_TEXT  # bytes are counted already; characters are never more
    return column.str.head(LONGEST_TEXT) if long.any() else column


def _without_html(column: pl.Series) -> pl.Series:
    escaped = column.filter(column.str.contains(_ENTITY)).unique()
    plain = pl.Series([unescaped(value) for value in escaped], dtype=pl.String)
    return column.replace(escaped, plain).str.replace_all(_HTML, " ")


# "&amp;amp;" and "&#38;#38;": an ampersand escaped many times is one; a number too long for any character is none.
_ZEROS = re.compile(r"&#(x?)0+(?=[0-9a-f])", re.IGNORECASE)
_AMPERSANDS = re.compile(r"&(?:(?:amp|#38|#x26);)+", re.IGNORECASE)
_NO_CHARACTER = re.compile(r"&#(?:\d{8,}|x[0-9a-f]{7,});?", re.IGNORECASE)
_ESCAPED = re.compile("&[#A-Za-z]")
_ESCAPES = 10


def unescaped(text: str) -> str:
    """Entities resolved until none is left, as feeds escape twice ("&amp;nbsp;"); in time linear in the text."""
    for _ in range(_ESCAPES):
        plain = _AMPERSANDS.sub("&", _ZEROS.sub(r"&#\1", text))
        plain = html.unescape(_NO_CHARACTER.sub("\ufffd", plain))
        if plain == text or not _ESCAPED.search(plain):
            return plain
        text = plain
    return re.sub(_ENTITY, " ", text)


def clean_numbers(frame: pl.DataFrame, table: str, ledger: Ledger) -> pl.DataFrame:
    """NaN and infinite numbers → null."""
    before = frame.select(pl.selectors.float())
    finite = before.with_columns(pl.when(pl.all().is_finite()).then(pl.all()))
    return frame.with_columns(ledger.note_changes(table, "NaN or infinite set to null", before, finite))


def clean_prices(products: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """Prices of 0 or below, and absurd ones, → null; the product stays.

    Absurd is more than 1000 times the 99th percentile of its column, where there are 20 prices or more.
    """
    before = products.select("price", "list_price")
    positive = before.with_columns(pl.when(pl.all() > 0).then(pl.all()))
    ledger.note_changes("products", "price of 0 or below set to null", before, positive)
    step = f"price above {ABSURD_FACTOR} × the 99th percentile set to null"
    limit = ABSURD_FACTOR * pl.all().quantile(0.99, interpolation="lower")
    highest = pl.when(pl.all().count() >= _ENOUGH_PRICES).then(limit).otherwise(float("inf"))
    sane = positive.with_columns(pl.when(pl.all() <= highest).then(pl.all()))
    return products.with_columns(ledger.note_changes("products", step, positive, sane))


def reject_broken(frame: pl.DataFrame, table: str, schema: Schema, ledger: Ledger) -> pl.DataFrame:
    """Set apart the rows that break the schema's rules, one counted step a reason."""
    good, bad = separate(schema, frame)
    for (reason,), rows in bad.group_by("reason", maintain_order=True):
        ledger.note(table, str(reason), frame, rows, "rejected")
    ledger.keep_rejected(table, bad)
    return good


def deduplicate(frame: pl.DataFrame, table: str, key: str, ledger: Ledger) -> pl.DataFrame:
    """Keep the first row of each key; identical and conflicting copies are counted apart."""
    copy_of_row = ~pl.struct(pl.all()).is_first_distinct()
    frame = ledger.reject(table, frame, copy_of_row, f"identical row of the same {key}")
    conflict = ~pl.col(key).is_first_distinct()
    return ledger.reject(table, frame, conflict, f"other values for the same {key} (the first row is kept)")


def resolve_judgements(judgements: pl.DataFrame, ledger: Ledger) -> pl.DataFrame:
    """One row a pair, in order of first appearance.

    Conflicting grades resolve to their lower median: one stray rater cannot move it, and unlike a mean it
    is always a grade that somebody gave, so an integer scale stays one. The weight is the mean of theirs, where
    there are weights, the source that of the first.
    """
    pair = ["query_id", "product_id"]
    differs = pl.col("grade").n_unique().over(pair) > 1
    again = ~pl.struct(pair).is_first_distinct() & ~differs
    judgements = ledger.reject("judgements", judgements, again, "the same grade for the same pair again")
    step = "conflicting grades of a pair resolved to their lower median"
    ledger.note("judgements", step, judgements, judgements.filter(differs), "changed")
    grade = pl.col("grade").quantile(0.5, interpolation="lower")
    return judgements.group_by(pair, maintain_order=True).agg(
        grade, pl.col("^weight$").mean(), pl.col("^source$").first()
    )


def remark_nearly_known(ids: pl.Series, known: pl.Series, table: str, key: str, ledger: Ledger) -> str:
    """Say where ids are unknown only for the way they are written; the same in few words, "" where they are not."""
    unknown = ids.drop_nulls().unique(maintain_order=True)
    unknown = unknown.filter(~unknown.is_in(known.implode()))
    count, way = nearly_known(unknown, known) if len(unknown) else (0, "")
    if not count:
        return ""
    share = f"{count:,} of {len(unknown):,} unknown values of {key}"
    evidence = f"{share} would be known {way} (such as {unknown[0]!r})"
    said = Said("WARN", evidence, AS_TEXT)
    if said.of(f"{table}: {key}", f"data.{table}") not in ledger.remarks:
        ledger.remark([said], f"{table}: {key}", f"data.{table}")
    return f"{count:,} of {len(unknown):,} such ids would be {way}"


def reject_unknown(
    frame: pl.DataFrame, table: str, key: str, known: pl.Series, ledger: Ledger
) -> pl.DataFrame:
    """Set apart rows whose key is not in the table it points to."""
    reason = f"{key} not among the {'products' if key == 'product_id' else 'queries'}"
    return ledger.reject(table, frame, ~pl.col(key).is_in(known.implode()), reason)


def report_near_duplicates(products: pl.DataFrame, ledger: Ledger) -> None:
    """Count products that repeat an earlier one's normalised title, brand and price, or its photo's bytes."""
    plain = [
        pl.col(c).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars() for c in _NAMES
    ]
    twins = pl.when(pl.col("title").is_not_null()).then(pl.struct(*plain, "price"))
    _report_twins(products.select("product_id", "title", twin=twins), "same title, brand and price", ledger)
    alike = products.select("product_id", "title", twin=hashes_of(products, "image"))
    _report_twins(alike, "same photo", ledger)


def _report_twins(products: pl.DataFrame, what: str, ledger: Ledger) -> None:
    later = products.filter(pl.col("twin").is_not_null()).with_columns(
        like=pl.col("product_id").first().over("twin")
    )
    later = later.filter(pl.col("product_id") != pl.col("like")).select("product_id", "like", "title")
    ledger.note("products", f"{what} as an earlier product", products, later, "reported")
