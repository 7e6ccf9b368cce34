"""Ratings, and how many there are, as shops show them: "4.5/5", "4,5 von 5", "★★★★☆", "90%"; "1.2K", "24 reviews".

A rating that names its scale is brought to the one that most of its column name; one that names none is taken to be
on it only where the column's own values reach as far. What cannot be told is null, and said.
"""

from __future__ import annotations

import polars as pl

from features.sources.parsing.numerals import (
    LONE_POINT,
    NUMBER,
    Mark,
    Printed,
    Reading,
    numbers_in,
    plain_digits,
    read_digits,
)
from features.sources.remarks import Level, Said
from features.words.currencies import FACTORS, alternatives

_ROUNDED = FACTORS | {"mil": 1e3, "rb": 1e3, "tis.": 1e3, "jt": 1e6, "w": 1e4}
"""What counts are rounded to; behind a price, some of these would be something else."""

_KINDS = """
    customer|global|product|user|verified|verified customer|total|globale|globales|clients|de clientes
"""
# In many languages: what is counted.
_COUNTED = """
    review reviews rating ratings vote votes
    bewertung bewertungen kundenbewertung kundenbewertungen rezension rezensionen kundenrezensionen sternebewertungen
    avis évaluation évaluations commentaire commentaires
    reseña reseñas opinión opiniones valoración valoraciones calificación calificaciones evaluaciones
    recensione recensioni valutazione valutazioni voti opinioni
    avaliação avaliações opiniões classificações comentários
    beoordeling beoordelingen recensie recensies
    omdöme omdömen recensioner betyg anmeldelse anmeldelser bedømmelser vurdering vurderinger omtaler
    opinia opinie opinii ocena oceny ocen recenzja recenzje recenzji hodnocení recenze recenzí
    отзыв отзыва отзывов оценка оценки оценок değerlendirme yorum arvostelu arvostelua arvio arviota
    件 件の評価 件のレビュー 個の評価 レビュー グローバル評価 条评论 條評論 条评价 則評價 个评价 评论 评价
    개 건 리뷰 개의_리뷰 건의_리뷰 상품평
"""
_NONE = "no|zero|keine|aucun|aucune|sin|nessuna|sem|geen|inga|ingen|brak|нет"
_WORDS = alternatives(word.replace("_", " ") for word in _COUNTED.split())
_OF_WHOM = alternatives(_KINDS.strip().split("|"))
_COUNTED_THINGS = rf"(?:(?:{_OF_WHOM}) )?{_WORDS}(?: (?:{_OF_WHOM}))?"
_ABOUT = (
    r"(?:over|more than|about|approx\.?|circa|ca\.?|über|mehr als|rund|etwa|plus de|más de|oltre|mais de|meer dan|"
    r"[~≈>])"
)
_FACTOR = alternatives(_ROUNDED)
_COUNT = (
    rf"(?:{_COUNTED_THINGS}(?: ?:)? ?)?(?<open>\()? ?(?:{_ABOUT} ?)?(?<digits>{NUMBER}) ?(?<factor>{_FACTOR})?\.? ?\+?"
    rf" ?(?:{_COUNTED_THINGS})? ?(?<close>\))?\.?"
)
_NO_COUNT = rf"^(?:{_NONE}) {_COUNTED_THINGS}(?: yet)?$"

_OF = r"/|out of|of|von|sur|su|de|van|av|af|ud af|z|ze|из"
_STARS = (
    "stars?|sternen?|sterne|étoiles?|estrellas?|stelle|estrelas?|sterren|stjärnor|stjerner|gwiazdek|gwiazdki|hvězdiček|"
    "звезд|звезды|звёзд|yıldız|tähteä|points?|punkte?|punkten|つ星|颗星|점|点|分|[★⭐]+"
)
_LEAD = r"(?:rated|rating|score|average|bewertung|note|ø|[★⭐]) ?:?"
_VALUE = r"[0-9]{1,3}(?:[.,][0-9]+)?|[.,][0-9]+"
_SCALE = r"[1-9][0-9]{0,2}(?:[.,]0+)?"
_RATED = (
    rf"(?<lead>{_LEAD} ?)?(?<value>{_VALUE})[ -]?(?<stars>{_STARS})?"
    rf"(?: ?(?:{_OF}) ?(?<scale>{_SCALE})| ?(?<percent>%)(?: positive?)?)? ?(?<behind>{_STARS})?"
)
# Such as 4.5 (24), or 4.5 stars, 24 ratings.
_TWO = r"^(?<rating>.+?)(?: ?\((?<inside>[^()]+)\)|(?: ?[;|·•] ?|, | based on )(?<behind>.+\p{L}.*))$"
_SCALE_FIRST = (
    rf"^(?:별 )?(?<scale>{_SCALE}) ?(?:つ星のうち|点満点中|üzerinden|점 만점에|점 만점 중|개 중) ?(?<value>{_VALUE})"
    rf" ?(?:{_STARS}|개)?$"
)
_SIGNS = r"^(?<full>[★⭐🌟⭑✭]*)(?<half>[½⯨⯪]?)(?<none>[☆✩⭒]*)$"
_THIRDS = r"^[0-9]{1,2}[.,][0-9]{3}$"
_USUAL = (1, 5, 10)  # where scales end
_CLEARLY = 9  # times as many ratings
_CURE = "write all ratings of a column on one scale"
_HALVES = (("½", ".5"), ("¼", ".25"), ("¾", ".75"))


def read_counts(column: pl.Series, printed: pl.Series, *, decimal: Mark | None = None) -> Reading:
    """Float64 of counts; of "4.5 (24)" what stands in parentheses. `printed`: what a program's form gives already."""
    unread = column.is_not_null() & (printed.is_null() | column.str.contains(LONE_POINT))
    if not unread.any():
        return Reading(printed)
    odd = column.filter(unread).unique(maintain_order=True)
    plain = _plain(odd)
    two = _two(plain)
    rated = _rated(two["rating"])
    a_rating = rated.select(
        pl.col("value").is_not_null() & (pl.col("scale").is_not_null() | (pl.col("value") <= 10))
    )
    parts = _groups(
        plain.zip_with(~a_rating.to_series().fill_null(value=False), two["count"]), rf"^{_COUNT}$"
    )
    factor = parts["factor"].replace_strict(_ROUNDED, default=None, return_dtype=pl.Float64)
    digits = parts["digits"].set(parts["open"].is_null() != parts["close"].is_null(), None)
    none = pl.repeat(None, len(odd), dtype=pl.String, eager=True)
    others = Printed.among(column, unread)
    exact = read_digits(
        digits.set(factor.is_not_null(), None), none, printed=others, decimal=decimal, whole=True
    )
    rounded = read_digits(digits.set(factor.is_null(), None), none, printed=Printed(), decimal=decimal)
    value = pl.select(pl.coalesce(exact.values, (rounded.values * factor).round())).to_series()
    value = value.set((value % 1 != 0).fill_null(value=False), None)
    value = value.set(plain.str.contains(_NO_COUNT).fill_null(value=False), 0.0)
    said = list(exact.said + rounded.said)
    shown = rounded.values.is_not_null()
    if shown.any():
        evidence = f"read {odd.filter(shown)[0]!r} as {value.filter(shown)[0]:.15g}: a rounded count"
        said.append(Said("PASS", evidence))
    found = column.filter(unread).replace_strict(odd, value, return_dtype=pl.Float64)
    return Reading(printed.clone().scatter(unread.arg_true(), found), tuple(said))


def read_ratings(column: pl.Series | None, printed: pl.Series, *, decimal: Mark | None = None) -> Reading:
    """Float64 of ratings, all on one scale; `printed`: what a program's form gives already; no column: nothing else."""
    read = Reading(printed) if column is None else _read_text(*_with_thirds(column, printed), decimal)
    below = (read.values < 0) & read.values.is_finite()  # -1: of what nobody rated
    rating = read.values.set(below.fill_null(value=False), None)
    return Reading(rating, (*read.said, *_above_the_others(rating)))


def _with_thirds(column: pl.Series, printed: pl.Series) -> tuple[pl.Series, pl.Series]:
    """ "4,667" and "4.667" as programs print them, out of the column: no rating has thousands."""
    thirds = column.str.contains(_THIRDS).fill_null(value=False)
    number = column.set(~thirds, None).str.replace(",", ".").cast(pl.Float64)
    return column.set(thirds, None), printed.zip_with(~thirds, number)


def _above_the_others(rating: pl.Series) -> list[Said]:
    """Nearly all on a usual scale, and some at twice its end: of another scale, or without their decimal mark."""
    finite = rating.filter(rating.is_finite() & (rating > 0))  # 0: mostly of what nobody rated
    for end in _USUAL:
        above = finite > 2 * end
        inside = int((finite <= end).sum())
        if above.any() and inside >= _CLEARLY * (len(finite) - inside):
            count = f"{int(above.sum()):,} ratings are far above the others"
            evidence = f"{count} (such as {finite.filter(above)[0]:g}; {inside:,} are up to {end})"
            return [Said("WARN", evidence, _CURE)]
    return []


def _read_text(column: pl.Series, printed: pl.Series, decimal: Mark | None) -> Reading:
    unread = column.is_not_null() & printed.is_null()
    if not unread.any():
        return numbers_in(column, printed, decimal=decimal)
    odd = column.filter(unread).unique(maintain_order=True)
    plain = _plain(odd)
    two = _two(plain)
    counted = _groups(two["count"], rf"^{_COUNT}$")["digits"].is_not_null()
    read = _rated(plain.zip_with(~counted, two["rating"])).with_columns(text=odd)
    # A number alone is read as the column's other numbers are.
    read = read.filter(pl.col("value").is_not_null() & ~odd.str.contains(r"^[0-9.,]+$"))
    mine = column.is_in(read["text"].implode()).fill_null(value=False)
    bare = numbers_in(column.set(mine, None), printed, decimal=decimal)
    rows = pl.DataFrame({"text": column.set(~mine, None), "bare": bare.values})
    rows = rows.join(read, on="text", how="left", maintain_order="left")
    rows = rows.select("text", "scale", value=pl.coalesce("value", "bare"))
    return _on_one_scale(rows, list(bare.said))


def _plain(text: pl.Series) -> pl.Series:
    """As `plain_digits`; halves, which it would take apart, as decimals."""
    text = text.str.replace_all("\ufe0f", "")
    for sign, decimals in _HALVES:
        text = text.str.replace(rf"([0-9]) ?{sign}", f"${{1}}{decimals}")
    return plain_digits(text.str.replace("½", "⯨", literal=True)).str.replace(r"^([0-9]) 1/2\b", "${1}.5")


def _two(plain: pl.Series) -> pl.DataFrame:
    """What may be a rating, and how many there are."""
    return _groups(plain, _TWO).select("rating", count=pl.coalesce("inside", "behind"))


def _rated(plain: pl.Series) -> pl.DataFrame:
    """value and scale (null: not named) of texts that are a rating; null where they are none, or beyond their scale."""
    signs = _groups(plain.set(plain == "", None), _SIGNS)
    full, half, none = (signs[name].str.len_chars().cast(pl.Float64) for name in ("full", "half", "none"))
    parts, scale_first = _groups(plain, rf"^{_RATED}\.?$"), _groups(plain, _SCALE_FIRST)
    written, of = (pl.coalesce(parts[name], scale_first[name]) for name in ("value", "scale"))
    scale = pl.coalesce(
        _number(of),
        pl.when(parts["percent"].is_not_null()).then(100.0),
        pl.when(none > 0).then(full + half + none),
    )
    found = pl.select(value=pl.coalesce(_number(written), full + half / 2), scale=scale)
    above = (pl.col("value") > pl.col("scale")).fill_null(value=False)
    return found.select(pl.when(~above).then(pl.all()))


def _on_one_scale(rows: pl.DataFrame, said: list[Said]) -> Reading:
    """text, value, scale → values on the scale that most rows name."""
    rows = _with_bare(rows, said)
    named = _named(rows["scale"])
    if not named:
        return Reading(rows["value"], tuple(said))
    main, count = named[0]
    first = rows.filter(pl.col("scale") == main, pl.col("text").is_not_null())
    evidence = f"read {first['text'][0]!r} as {first['value'][0]:g} of {main:g}"
    if len(named) == 1:
        return Reading(rows["value"], (*said, Said("PASS", evidence)))
    others = ", ".join(f"{rows_of:,} of {scale:g}" for scale, rows_of in named[1:5])
    other = rows.filter(pl.col("scale") != main)
    as_main = other["value"][0] * main / other["scale"][0]
    evidence = (
        f"ratings on several scales ({count:,} of {main:g}, {others}) are all brought to {main:g}: "
        f"{other['text'][0]!r} is read as {as_main:g}"
    )
    value = rows.select(pl.col("value") * main / pl.col("scale")).to_series()
    return Reading(value, (*said, Said("WARN", evidence, _CURE)))


def _with_bare(rows: pl.DataFrame, said: list[Said]) -> pl.DataFrame:
    """Ratings that name no scale are on the first of those named that they fill; else the fewer of both are null."""
    value, scale = rows["value"], rows["scale"]
    named = _named(scale)
    bare = value.is_not_null() & scale.is_null()
    if not named:
        return rows
    value = value.set((bare & (value < 0)).fill_null(value=False), None)
    bare = bare & value.is_not_null()
    top = value.filter(bare).max()
    if not isinstance(top, float) or top == 0:  # of what nobody rated, on any scale
        return rows.with_columns(value=value, scale=scale.set(bare, named[0][0]))
    having = scale.is_not_null()
    fewer = bare if having.sum() > bare.sum() else having
    # Where scales are mixed, nothing says which the few without one are on.
    scales = [of for of, _ in named if of / 2 < top <= of and (len(named) == 1 or fewer is having)]
    without = f"{int(bare.sum()):,} ratings without a scale (up to {top:g})"
    if scales:
        level: Level = "PASS" if len(named) == 1 else "WARN"
        said.append(
            Said(level, f"{without} are read as of {scales[0]:g}, as others of the column are", _CURE)
        )
        return rows.with_columns(value=value, scale=scale.set(bare, scales[0]))
    example = rows.filter(having)["text"][0]
    one, other = f"{int(having.sum()):,} such as {example!r}", without
    first, second = (other, one) if fewer is bare else (one, other)
    said.append(Said("WARN", f"{first} are set to null: beside {second} they may be on another scale", _CURE))
    return rows.with_columns(value=value.set(fewer, None), scale=scale.set(fewer, None))


def _named(scale: pl.Series) -> list[tuple[float, int]]:
    """The scales and how many rows name each, the most frequent first."""
    counts = scale.drop_nulls().value_counts(name="rows").rows()
    return sorted(counts, key=lambda one: (-one[1], one[0]))


def _number(text: pl.Expr) -> pl.Expr:
    return text.str.replace(",", ".", literal=True).cast(pl.Float64)


def _groups(text: pl.Series, pattern: str) -> pl.DataFrame:
    return text.str.extract_groups(pattern).struct.unnest()
