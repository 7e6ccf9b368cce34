"""Dates as people write them → ISO text: 31.05.2024, 5/31/2024 3:45 PM, 1. Mai 2024, May 1st, 2024, Wed, 01 May 2024.

Whether day or month comes first is decided per column and mark ("/", "." or "-"): a number above 12 can be no month.
Where no value tells, dates with points begin with the day; for other marks the order cannot be told, and that is said.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from features.sources.parsing.numerals import Reading
from features.sources.remarks import Level, Said

# A month's names and short forms in many languages; a word that means two months in two languages is left out.
_MONTHS = """
    jan january januar januari janvier janv enero ene gennaio gen janeiro januar jänner jän stycznia styczeń ledna leden
        января январь янв ocak oca tammikuuta
    feb february februar februari février févr fév fevrier febrero febbraio fevereiro fev lutego luty února únor
        февраля февраль фев şubat şub helmikuuta
    mar march märz maerz mär mrz maart mrt mars marzo março marca marzec března březen марта март mart maaliskuuta
    apr april avril avr abril abr aprile kwietnia kwiecień dubna duben апреля апрель апр nisan nis huhtikuuta
    may mai mei maj mayo maggio mag maio maja května květen мая май mayıs toukokuuta
    jun june juni juin junio giugno giu junho czerwca czerwiec июня июнь июн haziran haz kesäkuuta
    jul july juli juillet juil julio luglio lug julho lipca lipiec июля июль июл temmuz tem heinäkuuta
    aug august augustus augusti août aout agosto ago sierpnia sierpień srpna srpen августа август авг ağustos elokuuta
    sep sept september septembre septiembre setiembre settembre sett setembro września wrzesień září сентября сентябрь
        сен сент eylül eyl syyskuuta
    oct okt october oktober octobre octubre ottobre ott outubro out października październik října říjen октября октябрь
        окт ekim eki lokakuuta
    nov november novembre noviembre novembro ноября ноябрь ноя kasım kas marraskuuta
    dec dez december dezember décembre decembre déc diciembre dic dicembre dezembro des desember grudnia grudzień
        prosince prosinec декабря декабрь дек aralık ara joulukuuta
"""
_ROW = "\n    "  # what is set further in continues a month's row
_MONTH_OF = {
    word: f"{number:02}"
    for number, row in enumerate(_MONTHS.replace(_ROW + " " * 4, " ").strip().split(_ROW), start=1)
    for word in row.split()
}
_WEEKDAYS = (
    "(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|(?:lune|marte|"
    "mercole|giove|vener)dì|sabato|domenica|(?:maan|dins|woens|donder|vrij|zater|zon)dag|(?:segunda|terça|quarta|quinta|"
    "sexta)-feira|(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mo|di|mi|do|fr|sa|so)|"
    "(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend"
)
_ZONES = {
    "est": "-05",
    "edt": "-04",
    "cst": "-06",
    "cdt": "-05",
    "mst": "-07",
    "mdt": "-06",
    "pst": "-08",
    "pdt": "-07",
}
# The American ones as mail has them (RFC 5322); the European ones are nobody else's.
_ZONES |= {
    "cet": "+01",
    "cest": "+02",
    "mez": "+01",
    "mesz": "+02",
    "wet": "+00",
    "west": "+01",
    "eet": "+02",
    "eest": "+03",
}
ZONED = (
    r"(?i)(?::[0-9]{2}|[t_ ][0-9]{2,6})(?:[.,][0-9]+)?\s?(?:[ap]\.?m\.?)?\s?"
    rf"(?:z|(?:utc|gmt)?[-+−][0-9]{{2}}(?::?[0-9]{{2}})?|utc|gmt|{'|'.join(_ZONES)})(?:\s[a-z]{{3,4}}|\s?\([^()]*\)|\[[^\]]*\]|\s[0-9]{{4}})?\s*$"
)
"""A regular expression for a time that names its zone."""
_CLOCK = (
    r"(?<hour>[0-9]{1,2})[:.h](?<minute>[0-9]{2})(?:[:.](?<second>[0-9]{2})(?:[.,](?<fraction>[0-9]+))?)?"
    r" ?(?<half>[ap])?\.?(?:m\.?)?(?: ?(?:uhr|h))?"
)
_ZONE = r"(?<zone>z|(?:utc|gmt)?[-+−][0-9]{2}:?[0-9]{2}|utc|gmt|[a-z]{3,4})"
_TIME = rf"(?:(?:,? |t|:)(?:um |at |à |kl\.? |- )?{_CLOCK}(?: ?{_ZONE})?(?: [a-z]{{3,4}}|(?: \([^()]*\)))?)?$"
_NAME = r"(?<name>\p{L}{3,}(?:'\p{L}+)?)\.?"
_NUMBERS = (
    rf"^(?<one>[0-9]{{1,4}})(?<mark>[./-]) ?(?<two>[0-9]{{1,2}})(?<again>[./-]) ?(?<three>[0-9]{{1,4}})(?:\.| г\.?)?"
    rf"{_TIME}"
)
_NAMED = (
    rf"^(?<day>[0-9]{{1,2}})(?:st|nd|rd|th|er|º|ª|\.)?[ -/]*(?:de |of )?{_NAME}[ -/,]*(?:de |del )?"
    rf"(?<year>[0-9]{{4}}|'?[0-9]{{2}})(?: ?г\.?)?{_TIME}",
    rf"^{_NAME}[ -/]*(?<day>[0-9]{{1,2}})(?:st|nd|rd|th)?[ -/,]+(?<year>[0-9]{{4}}){_TIME}",
    rf"^(?<year>[0-9]{{4}})[ -/,]*{_NAME}[ -/]*(?<day>[0-9]{{1,2}})(?:st|nd|rd|th)?{_TIME}",
    rf"^{_NAME} (?<day>[0-9]{{1,2}}) {_CLOCK} (?:{_ZONE} )?(?<year>[0-9]{{4}})$",  # as Unix prints it
)
_PARTS = ("year", "month", "day", "hour", "minute", "second", "fraction", "half", "zone")


class _Order(NamedTuple):
    """Where day, month and year stand."""

    name: str
    day: str
    month: str
    year: str


class _Decision(NamedTuple):
    """Which of the orders a column has (None: cannot be told), why, and how sure that is."""

    order: int | None
    why: str
    level: Level = "PASS"


_CLEARLY = 9  # times as many values as show another order
_FEWER = 4  # times fewer different years than days
_ORDERS = (
    _Order("day, month, year", "one", "two", "three"),
    _Order("month, day, year", "two", "one", "three"),
    _Order("year, month, day", "three", "two", "one"),
)
_CURE = "write dates as 2024-05-31"


def iso_of(texts: pl.Series) -> Reading:
    """ISO text of dates in the forms above (in lower case); null for what is none of them."""
    text = (
        texts.str.strip_prefix("'").str.replace_all("[‐‑–]", "-").str.replace(rf"^(?:{_WEEKDAYS})[.,]* ", "")
    )
    numbers, said = _in_numbers(text)
    found = [numbers]
    text = text.set(numbers.is_not_null(), None)
    for form in _NAMED if text.count() else ():
        parts = text.str.extract_groups(form).struct.unnest()
        name = pl.col("name").replace_strict(_MONTH_OF, default=None, return_dtype=pl.String)
        found.append(parts.with_columns(month=name).select(_written()).to_series())
    return Reading(pl.select(pl.coalesce(found)).to_series(), tuple(said))


def _in_numbers(text: pl.Series) -> tuple[pl.Series, list[Said]]:
    parts = text.str.extract_groups(_NUMBERS).struct.unnest().with_columns(text=text)
    of_mark = {mark: (pl.col("mark") == mark) & (pl.col("again") == mark) for mark in "./-"}
    said: list[Said] = []
    found = [pl.lit(None, dtype=pl.String)]
    for mark, mine in of_mark.items():
        rows = parts.select(pl.when(mine).then(pl.all()))
        if rows["text"].count():
            found.append(pl.lit(_of_one_mark(rows, mark, said)))
    return pl.select(pl.coalesce(found)).to_series(), said


def _of_one_mark(rows: pl.DataFrame, mark: str, said: list[Said]) -> pl.Series:
    """Each date by the only order in which it is one, or by the only one in which all of them are."""
    written = [rows.select(_day_of(order)).to_series() for order in _ORDERS]
    _without_odd_years(rows, written)
    possible = pl.DataFrame(
        [dates.is_not_null().alias(order.name) for order, dates in zip(_ORDERS, written, strict=True)]
    )
    readings = pl.select(pl.concat_list(written).list.drop_nulls().list.n_unique()).to_series()
    doubtful = readings > 1  # 03/03/2024 is one day in both orders
    dates = pl.select(pl.coalesce(written)).to_series()
    if not doubtful.any():
        return dates
    orders = possible.select(pl.sum_horizontal(pl.all())).to_series()
    decided = _decided(possible.filter(orders == 1), possible.filter(orders > 0), mark)
    shown = rows["text"].filter(doubtful)[0]
    if decided.order is None:
        some = f"{shown!r} ({int(doubtful.sum()):,} such dates) set to null"
        evidence = f"{some}: what comes first, day, month or year, {decided.why}"
        said.append(Said("WARN", evidence, _CURE))
        return dates.set(doubtful, None)
    by_order = written[decided.order]
    evidence = f"read {shown!r} as {by_order.filter(doubtful)[0][:10]} ({_ORDERS[decided.order].name}): {decided.why}"
    said.append(Said(decided.level, evidence, _CURE))
    return dates.zip_with(~doubtful, by_order)


def _without_odd_years(rows: pl.DataFrame, written: list[pl.Series]) -> None:
    """Of years of two digits, first or last: days are many, years are few."""
    last = written[0].is_not_null() | written[1].is_not_null()
    both = last & written[2].is_not_null()
    first_ones, last_ones = rows.filter(both).select(pl.col("one", "three").n_unique()).row(0)
    if first_ones >= _FEWER * last_ones:
        written[2] = written[2].set(both, None)
    elif last_ones >= _FEWER * first_ones:
        written[:2] = [dates.set(both, None) for dates in written[:2]]


def _decided(sure: pl.DataFrame, present: pl.DataFrame, mark: str) -> _Decision:
    """sure: by which order those are dates that have one only; present: by which orders all dates are."""
    fitting = [number for number, order in enumerate(_ORDERS) if present[order.name].all()]
    telling = [int(sure[order.name].sum()) for order in _ORDERS]
    most = max(range(len(_ORDERS)), key=telling.__getitem__)
    others = sum(telling) - telling[most]
    if telling[most] and len(fitting) == 1:
        return _Decision(most, f"{telling[most]:,} other values of the column can only be so")
    if telling[most] and telling[most] >= _CLEARLY * others:
        why = f"{telling[most]:,} other values of the column can only be so, {others:,} only otherwise"
        return _Decision(most, why, "WARN" if others else "PASS")
    if any(telling):
        return _Decision(None, "the column's other dates have several orders")
    if mark == "." and 0 in fitting:  # so nearly all who part dates by points write them
        return _Decision(0, "with points, the day comes first", "WARN")
    return _Decision(None, "no other value of the column tells")


def _day_of(order: _Order) -> pl.Expr:
    """ISO text of the dates that are one in this order."""
    year = pl.col(order.year)
    whole = year.str.len_chars().is_in([2, 4]) & pl.all_horizontal(
        pl.col(name).str.len_chars() <= 2 for name in (order.day, order.month)
    )
    named = {"year": year, "month": pl.col(order.month).str.zfill(2), "day": pl.col(order.day)}
    return pl.when(whole).then(_written(**named))


def _written(**named: pl.Expr) -> pl.Expr:
    """The parts as ISO text; null where they are no day or no time."""
    part = {name: named.get(name, pl.col(name)) for name in _PARTS}
    year = part["year"].str.strip_prefix("'")
    year = (
        pl.when(year.str.len_chars() == 2)
        .then(pl.when(year < "69").then("20" + year).otherwise("19" + year))
        .otherwise(year)
    )
    day = pl.concat_str([year, part["month"], part["day"].str.zfill(2)], separator="-")
    real = day.str.to_date("%Y-%m-%d", strict=False).is_not_null()
    hour = part["hour"].cast(pl.Int32)
    noon = pl.when(part["half"] == "p").then(12).otherwise(0)
    in_day = pl.when(part["half"].is_null()).then(hour).when(hour.is_between(1, 12)).then(hour % 12 + noon)
    clock = pl.format(
        "{}:{}:{}.{}",
        in_day.cast(pl.String).str.zfill(2),
        part["minute"],
        part["second"].fill_null("00"),
        part["fraction"].fill_null("0"),
    )
    zone = part["zone"].str.replace("^(?:utc|gmt)(.)", "$1")
    named_zone = zone.str.contains("^[a-z]{2,}$") & ~zone.is_in(["utc", "gmt"])
    zone = (
        pl.when(named_zone)
        .then(zone.replace_strict(_ZONES, default=None, return_dtype=pl.String))
        .otherwise(zone)
    )
    at = pl.concat_str([day, pl.lit(" "), clock, zone.fill_null("")])
    known = ~named_zone.fill_null(value=False) | zone.is_not_null()
    return pl.when(real & known).then(pl.when(hour.is_null()).then(day).otherwise(at)).str.to_uppercase()
