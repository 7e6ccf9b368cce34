"""Prices as people and programs write them: "$1,299.00", "1.299,00 €", "Rs. 1,499/-", "99¢", "12 - 15", "₹1.5 lakh".

One rule: a number is a price only if all that stands beside it is known: a currency, a small coin, a factor, a unit
behind "/" or one of a few words. All else ("2 for 5", "was 20 now 15", "call us") is null, for its reader to count.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

import polars as pl

from features.sources.parsing.numerals import (
    LONE,
    LONE_POINT,
    NUMBER,
    Mark,
    Printed,
    plain_digits,
    read_digits,
)
from features.sources.remarks import Said
from features.words.currencies import CURRENCY_OF, FACTORS, FAMILIES, MINOR, alike, alternatives

_LEAD = (
    "(?:from|only|now|just|our price|sale price|sale|price|starting at|starts at|as low as|mrp|rrp|ab|nur|jetzt|"
    "preis|uvp|dès|à partir de|desde|solo|da|vanaf|od|från|fra)[.:]?"
)
_LATIN = [word for word in FACTORS if word.isascii() and not word.endswith(".")]
_FACTOR = rf"{alternatives(_LATIN)}\b\.?|{alternatives(word for word in FACTORS if not word.isascii())}"
_TAX = (
    r"(?: ?[(,+] ?| )(?:incl?\.?|inkl\.?|excl?\.?|exkl\.?|zzgl\.?|plus|including|excluding)? ?(?:[0-9]{1,2} ?% ?)?"
    r"(?:vat|tax|taxes|gst|mwst\.?|ust\.?|btw|iva|moms|tva)\)?| (?:ttc|ht|iva incl(?:\.|uido|usa))| ?\(?税[込抜]\)?"
)
_UNIT = (
    r" ?/ ?(?:[0-9]+(?:[.,][0-9]+)? ?)?\p{L}[\p{L}. ]{0,15}[23]?|"
    r" (?:per \p{L}{1,12}|each|ea\.?|apiece|a piece|je stück|only)"
)
_DASH = r"[.,:](?:-{1,2}|–|—)|/[-–=]"  # "20,-" in Europe, "500/-" in India
_PACK = (
    r"[0-9]{1,3}[ -]?(?:pack|pk|pcs?|pieces?|pairs?|count|ct|units?|sets?|er[ -]?(?:pack|set)|stück|stk|x)"
    r"(?: of [0-9]{1,3})?[ :,@]+(?:for |from |at )?"
)
_ONE = (
    rf"^(?<open>\()? ?(?<pack>{_PACK})?(?:{_LEAD} ?)?(?<minus>[-–])? ?(?<before>{alternatives(CURRENCY_OF)})? ?"
    rf"(?<sign>[-–+])? ?(?<digits>{NUMBER}) ?(?<factor>{_FACTOR})?(?<dash>{_DASH})? ?(?<behind>-)? ?"
    rf"(?<after>{alternatives([*CURRENCY_OF, *MINOR])})?(?:{_TAX}|{_UNIT})?(?:{_TAX})?\.? ?(?<close>\))? ?\*{{0,3}}$"
)
_CURRENCY_AND_NUMBER = (
    r"^(?<before>[^0-9,()\-–+]*?) ?(?<digits>[0-9](?:[0-9.,]*[0-9])?) ?(?<after>[^0-9.,]*)$"
)
_TO = r"-|–|—|~|〜|～|\.{2,3}|…|\bto\b|\bbis\b|\buntil\b|\btill\b|\band\b|\bund\b|\bà\b|\ba\b|\btot\b|\btil\b"
_RANGE = (
    "^(?:between |from |zwischen |von |de |entre |van )?([^0-9]*[0-9](?:[^–—~〜～…]*?(?:[^-–.,/ ]|/-))??) ?"
    rf"(?:{_TO}) ?([^0-9]*[0-9].*)$"
)
_EURO_BETWEEN = r"^([0-9][0-9. ]*?) ?€ ?([0-9]{2})$"  # as French labels have it: "12€99"
_RUPEES = ("INR", "rs")
_LETTERS = ("m", "mn", "b")  # without a currency, metres


@dataclass(frozen=True)
class Prices:
    """One of each a row: the price in whole units, its currency (null where none is named), whether of a range."""

    values: pl.Series
    currency: pl.Series
    ranges: pl.Series
    said: tuple[Said, ...] = ()


def read_prices(
    column: pl.Series, printed: pl.Series, *, decimal: Mark | None = None, cents: bool = False
) -> Prices:
    """Prices of a column of text; of a range the lower bound.

    printed: the numbers of those that a program's form gives already, else null. decimal: the decimal mark, where it
    is known. cents: bare numbers are hundredths.
    """
    share = 100.0 if cents else 1.0
    unread = column.is_not_null() & (printed.is_null() | column.str.contains(LONE_POINT))
    if not unread.any():
        none = pl.repeat(None, len(column), dtype=pl.String, eager=True)
        return Prices(printed / share, none, pl.repeat(value=False, n=len(column), eager=True))
    others = Printed.among(column, unread)
    odd = column.filter(unread).unique(maintain_order=True)
    values, currency, ranges, said = _read_distinct(odd, others, decimal, share)
    found = pl.DataFrame({"text": odd, "value": values, "currency": currency, "range": ranges})
    rows = pl.DataFrame({"text": column.set(~unread, None), "printed": printed / share})
    joined = rows.join(found, on="text", how="left", maintain_order="left")
    value = pl.when(pl.col("text").is_null()).then(pl.col("printed")).otherwise(pl.col("value"))
    return Prices(
        joined.select(value.alias("price")).to_series(),
        joined["currency"],
        joined["range"].fill_null(value=False),
        said,
    )


def _read_distinct(
    odd: pl.Series, others: Printed, decimal: Mark | None, share: float
) -> tuple[pl.Series, pl.Series, pl.Series, tuple[Said, ...]]:
    tidy = plain_digits(_unescaped(odd)).str.replace(_EURO_BETWEEN, "$1,$2 €")
    one = _parts(tidy)
    halves = tidy.set(one["digits"].is_not_null(), None).str.extract_groups(_RANGE).struct.unnest()
    is_range = halves["1"].is_not_null()
    low = halves["1"].filter(is_range).str.strip_chars().str.extract_groups(_ONE).struct.unnest()
    high = halves["2"].filter(is_range).str.strip_chars().str.extract_groups(_ONE).struct.unnest()
    parts = pl.concat([one, low, high])
    amounts = _amounts(parts, others, decimal, share)
    single, ends = amounts.values[: len(odd)], amounts.values[len(odd) :]
    currency, end_currency = amounts.currency[: len(odd)], amounts.currency[len(odd) :]
    count = low.height
    bounds = pl.DataFrame(
        {
            "low": ends[:count],
            "high": ends[count:],
            "one": end_currency[:count],
            "other": end_currency[count:],
            "factor": low["factor"].is_null() & high["factor"].is_not_null(),
        }
    )
    fits = (pl.col("low") <= pl.col("high")) & ~pl.col("factor") & (pl.col("low") > 0)
    same = pl.col("one").is_null() | pl.col("other").is_null() | (pl.col("one") == pl.col("other"))
    lower = bounds.select(
        value=pl.when(fits & same).then(pl.col("low")), currency=pl.coalesce("one", "other")
    )
    at = is_range.arg_true()
    values = single.clone().scatter(at, lower["value"])
    return (
        values,
        currency.clone().scatter(at, lower["currency"]),
        is_range & values.is_not_null(),
        amounts.said,
    )


def _unescaped(texts: pl.Series) -> pl.Series:
    """Entities and quotes around, which exports leave, as what they stand for."""
    escaped = texts.filter(texts.str.contains("&[#A-Za-z]"))
    plain = pl.Series([html.unescape(text) for text in escaped], dtype=pl.String)
    return texts.replace(escaped, plain).str.replace(r"""^(?:["“”](.*)["“”]|'(.*))$""", "$1$2")


def _parts(tidy: pl.Series) -> pl.DataFrame:
    """The groups of `_ONE`; by a quicker expression where a price is no more than a currency and a number."""
    quick = tidy.str.extract_groups(_CURRENCY_AND_NUMBER).struct.unnest()
    known = quick.select(
        pl.col("before").is_in(["", *CURRENCY_OF]) & pl.col("after").is_in(["", *CURRENCY_OF, *MINOR])
    ).to_series()
    known = known.fill_null(value=False)
    full = tidy.set(known, None).str.extract_groups(_ONE).struct.unnest()
    quick = quick.select(pl.when(known).then(pl.all().replace("", None)))
    return full.with_columns(pl.coalesce(full[name], quick[name]).alias(name) for name in quick.columns)


def _amounts(parts: pl.DataFrame, others: Printed, decimal: Mark | None, share: float) -> Prices:
    """The parts of `_ONE` as prices; null where they contradict each other."""
    coin = parts["after"].is_in(MINOR) & parts["after"].is_not_null()
    before = parts["before"].replace_strict(CURRENCY_OF, default=None, return_dtype=pl.String)
    after = parts["after"].replace_strict(CURRENCY_OF, default=None, return_dtype=pl.String)
    currency = pl.select(pl.coalesce(before, after)).to_series()
    whole = parts["dash"].is_not_null() & parts["digits"].str.contains(LONE)  # "1.299,-" has no cents
    digits = parts["digits"].zip_with(~whole.fill_null(value=False), parts["digits"].str.replace("[.,]", ""))
    read = read_digits(digits, currency, printed=others, decimal=decimal, money=True)
    frame = parts.with_columns(
        value=read.values,
        times=parts["factor"]
        .str.strip_suffix(".")
        .replace_strict(FACTORS, default=None, return_dtype=pl.Float64),
        currency=currency,
        coin=coin.fill_null(value=False),
        against=_contradict(before, after),
    )
    factor, named = pl.col("factor"), pl.col("currency").is_not_null()
    doubtful = (
        pl.col("against")
        | (pl.col("pack").is_not_null() & ~named & ~pl.col("coin"))
        | (factor.is_in(_LETTERS) & ~named)
        | (factor.is_in(["cr", "cr."]) & ~pl.col("currency").is_in(_RUPEES).fill_null(value=False))
        | (factor.is_not_null() & pl.col("coin"))
        | (pl.col("before").is_not_null() & pl.col("coin"))  # "£0.99p", "€12 p/st"
        | (pl.col("open").is_null() != pl.col("close").is_null())
    ).fill_null(value=False)
    minus = pl.any_horizontal(
        pl.col("open").is_not_null(), pl.col("minus").is_not_null(), pl.col("behind").is_not_null()
    ) | pl.col("sign").is_in(["-", "–"]).fill_null(value=False)
    times = pl.col("times").fill_null(1.0) * pl.when(minus).then(-1.0).otherwise(1.0)
    value = pl.col("value") * times / pl.when("coin").then(100.0).otherwise(share)
    values = frame.select(pl.when(~doubtful).then(value)).to_series()
    return Prices(values, currency, coin, read.said)


def _contradict(before: pl.Series, after: pl.Series) -> pl.Series:
    """Which have two currencies that cannot be one ("€ 12 USD")."""
    both = pl.DataFrame({"one": before, "other": after}).drop_nulls().unique()
    apart = [one + other for one, other in both.rows() if not alike(one, other)]
    return (before + after).is_in(apart).fill_null(value=False)


@dataclass(frozen=True)
class OneCurrency:
    """Which of several currencies a column is taken to be in, which rows are in another, and what was decided."""

    currency: str | None
    others: pl.Series
    said: tuple[Said, ...] = ()


def one_currency(currency: pl.Series, wanted: str | None = None) -> OneCurrency:
    """The wanted currency, else the most frequent one; rows that name none are taken to be in it.

    A sign of several currencies is the one that the column names beside it ("$" beside USD).
    """
    counts = currency.drop_nulls().value_counts(sort=True, name="rows").rows()
    named = sorted(counts, key=lambda one: (-one[1], one[0]))
    main = wanted.upper() if wanted else named[0][0] if named else None
    same = _same([name for name, _ in named], main) if main else []
    others = (currency.is_not_null() & ~currency.is_in(same)).fill_null(value=False)
    if not others.any():
        return OneCurrency(main, others)
    shown = ", ".join(f"{rows:,} in {name}" for name, rows in named[:5])
    evidence = (
        f"prices in several currencies ({shown}): only those in {main} are read, and those that name none"
    )
    cure = "set {section}.currency to the one to keep, or convert the others"
    return OneCurrency(main, others, (Said("WARN", evidence, cure),))


def _same(named: list[str], main: str) -> list[str]:
    """The main currency, and the signs or the one code that it goes by beside; `named`: most frequent first."""
    beside = [name for name in named if name != main and alike(name, main)]
    return [main, *(beside[:1] if main in FAMILIES else beside)]
