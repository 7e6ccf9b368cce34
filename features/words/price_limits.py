"""A price limit said in a query: "under 1500", "below rs 800", "20 dollars or less", "between 10 and 20".

A number with a currency is a price by any wording; a bare number only by an English one or a word of prices
("günstiger als 50"), and only where nothing says that it counts or measures something else ("10 to 20 ft", "air max
90", "women over 50"). Other languages' words are in `limit_words`.
Which currency is not read: the limit is taken to be in the catalogue's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from features.words import limit_words
from features.words.currencies import CURRENCY_OF, FACTORS, THREE_DECIMALS, alternatives
from features.words.measures import UNIT

# A point or a comma before three digits parts thousands, in whatever country: nobody limits to a tenth of a cent.
_PARTED = (
    r"\d{1,3}(?:[ ']\d{3})+(?:[.,]\d{1,2})?|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?|"
    r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d{1,2})?|\d+,\d{1,2}|\d+(?:\.\d+)?|\.\d+"
)
# The group is atomic, or "100 ft" would be tried again as the price 10 followed by "0 ft".
_WORDS_BEHIND = [word for word in FACTORS if len(word) > 1 and word[-1] != "."]
_SIGNS_BEHIND = "[" + "".join(word for word in FACTORS if len(word) == 1 and not word.isascii()) + "]"
# Scripts whose words may touch a number: Hebrew, Arabic, Thai, Lao, Chinese, Japanese, Korean.
_TOUCHING = "\u0590-\u065f\u0670-\u06ef\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# "1万5千" is one number of two, which is not read.
_ALONE = rf"(?<![\d/])(?:(?<!\w)|(?<=[{_TOUCHING}])|(?<=\b(?:usd|eur|gbp|inr|chf|pln|aed)))(?<!\d[.,٫٬])"
_NUMBER = (
    rf"{_ALONE}(?<!\d{_SIGNS_BEHIND})(?>(?:{_PARTED})"
    rf"(?:\s?(?:{alternatives(_WORDS_BEHIND)}|k)\b\.?|m\b|\s?{_SIGNS_BEHIND})?)(?!/\w|\d|[.,٫٬]\d)"
)
# Of the currencies' codes and words those that mean nothing else in a query ("all", "top", "pen", "20 pounds").
_SAFE = """
    usd eur gbp inr jpy cny rmb chf sek nok dkk pln czk huf bgn uah aud cad nzd sgd hkd twd krw thb vnd idr myr php pkr
    bdt lkr npr aed qar kwd bhd omr jod egp ils zar kes ngn ghs tnd brl mxn clp cop kr kr. kd kč zł rs rs. rupee rupees
    dollar dollars bucks euro euros yen yuan dirham dirhams dinar dinars riyal riyals krona kronor kroner baht rupiah
    ringgit taka zloty forint rand sterling quid zl złoty złotych pln tl lira liras reais pesos soles lei kn rp rp.
    dh dhs fr. sfr sfr. euroa francs franken toman đồng евро руб руб. рубль рубля рублей рублів р р. грн грн. гривен
    гривень лв лв. лева
    ευρώ ευρω يورو دولار دولارات ريال دينار درهم جنيه تومان یورو دلار שח ש"ח שקל שקלים אירו रुपये रुपए रुपया रु रु. đ vnđ
"""
# In scripts whose words touch; behind a number only.
_TOUCHING_CURRENCIES = (
    "元 人民币 人民幣 块钱 块 塊 円 원 달러 유로 엔 บาท 美元 美金 欧元 歐元 日元 ドル ユーロ 日圓 港币 港幣"
)

_SIGNS = [written for written in CURRENCY_OF if not written[0].isalpha()]
_DOLLARS = [written for written in CURRENCY_OF if written[0].isalpha() and written.endswith(("$", "¥"))]
_BY_WORD, _BY_SIGN = alternatives([*_SAFE.split(), *_DOLLARS]), alternatives(_SIGNS)
_BEHIND = alternatives(_TOUCHING_CURRENCIES.split())
_COIN = r"(?:cents?|pence|paise|paisa)\b|¢"
_DASH = r"(?:\s*/-|[,.:](?:--?|–)(?!\d))"  # "500/-", "20,-"
_CURRENCY_BEFORE = rf"(?:(?:\b{_BY_WORD}|{_BY_SIGN})\s*)"
_CURRENCY_AFTER = rf"(?:{_DASH}?\s*(?:{_BY_WORD}(?!\w)|{_BY_SIGN}|{_BEHIND}|{_COIN})|{_DASH})"
_ANY_CURRENCY = re.compile(rf"{_BY_WORD}|{_BY_SIGN}|{_BEHIND}|{_COIN}|{_DASH}", re.IGNORECASE)
_COUNTED = (
    r"p|c|adults?|books?|calories|cards?|carats?|colou?rs?|cubic|cups?|floors?|games?|gen|grit|holes?|karats?|kids|"
    r"layers?|lights?|miles?|mph|pages?|people|persons?|players?|ply|points?|ports?|seats?|sheets?|sizes?|speeds?|"
    r"square|stars?|steps?|stud(?:s|ded)?|threads?|tiers?|times|tons?|weeks?|wheels?|x|"
    r"k?cals?|carbs?|celsius|db|decibels?|fahrenheit|fps|[kmg]b(?:ps|it)s?|k?joules?|kelvin|km(?:/?h)?|kilomet(?:er|re)s?|"
    r"kph|knots?|lux|mpg|nits|nm|ohms?|ppi|[kmg]?pa|bars?|rounds?|grams?|episodes?|films?|movies?|songs?|words?|"
    r"ingredients?|questions?|minutes?|seconds?|secs?|reps?|watts?|volts?|°[cf]?|lm|ah|wh|kwh|dpi|inches"
)
_NAMES_A_NUMBER = r"(?:age[ds]?|air|grade|level|model|no|number|rated|sizes?|version|windows)"
_HAS_AN_AGE = (
    r"(?:adults?|bab(?:y|ies)|boys?|child(?:ren)?|girls?|kids?|ladies|m[ae]n|seniors?|teens?|toddlers?|"
    r"wom[ae]n)"
)
_AFTER_A_NAME = re.compile(rf"\b{_NAMES_A_NUMBER}\W*$", re.IGNORECASE)
_AFTER_A_PERSON = re.compile(rf"\b{_HAS_AN_AGE}\W*$", re.IGNORECASE)
_LONGEST_WORD = 20
_OLDEST = 99
_MARKS = {"٫": ".", "٬": ","}
_NO_PRICE = 1e12  # such numbers are codes

_FOR = r"(?:\b(?:for|price[ds]?|costs?|costing)\s+)?"
_LESS = r"less|under|below|cheaper|lower"
_MORE = r"more|up|over|above|higher"
_AT_MOST = (
    r"(?:\b(?:(?<!no )(?<!not )(?:under|below|(?:less|lower|cheaper)\s+than)|(?:no|not)\s+more\s+than|"
    r"not\s+(?:over|above|exceeding)|at\s+most|up\s?to|maximum(?:\s+of)?|budget(?:\s+of)?|"
    r"max(?:imum)?\s+(?:price|budget)|price\s+(?:limit|max(?:imum)?))\b|[<≤]=?|=<)"
)
_AT_LEAST = (
    r"(?:\b(?:over|above|(?:more|greater|higher)\s+than|(?:no|not)\s+less\s+than|not\s+(?:under|below)|"
    r"at\s+least|minimum(?:\s+of)?|starting\s+(?:at|from)|min(?:imum)?\s+price|price\s+min(?:imum)?)\b|[>≥]=?)"
)


@dataclass(frozen=True)
class PricedText:
    """A query's text without the words of its price limit, and the limit; None where it says none."""

    rest: str
    low: float | None = None
    high: float | None = None


class _Rule(NamedTuple):
    """A wording: which bound its amount `a` is (or both, with `b`), and whether it needs a currency.

    by_word: it needs one of other languages' words of prices. hint: words that it has, if not said otherwise. Patterns
    take half a tenth of a second to compile, three score of them: each is compiled by the first text that may need it.
    """

    bound: Literal["low", "high", "range"]
    needs_currency: bool
    by_word: bool
    hint: str
    pattern: str

    def may_be_in(self, text: str, *, has_currency: bool, has_word: bool) -> bool:
        if (self.needs_currency and not has_currency) or (self.by_word and not has_word):
            return False
        return _compiled(self.hint).search(text) is not None


def split_price_limit(text: str) -> PricedText:
    """The price limit in a query, and the text without it: "red tee under 1500" → "red tee", high 1500.

    Of several limits the tightest holds; bounds given the wrong way round are put right.
    """
    rest = " ".join(unicodedata.normalize("NFKC", text).split())
    if not rest.isascii():
        rest = "".join(str(int(sign)) if sign.isdecimal() else _MARKS.get(sign, sign) for sign in rest)
    low: float | None = None
    high: float | None = None
    if not re.search(r"\d", rest):
        return PricedText(rest)
    has_currency, has_word = _ANY_CURRENCY.search(rest) is not None, limit_words.says_price(rest)
    for rule in _RULES:
        if not rule.may_be_in(rest, has_currency=has_currency, has_word=has_word):
            continue
        for match in reversed(list(_compiled(rule.pattern).finditer(rest))):
            if not _is_price(rule, match):
                continue
            amounts = sorted(_value(match, name) for name in _names(match))
            if rule.bound != "high":
                low = max(amounts[0], low or 0.0)
            if rule.bound != "low":
                high = min(amounts[-1], high or amounts[-1])
            rest = f"{rest[: match.start()]} {rest[match.end() :]}"
    return PricedText(" ".join(rest.split()), low, high)


def _is_price(rule: _Rule, match: re.Match[str]) -> bool:
    amounts = [_value(match, name) for name in _names(match)]
    if min(amounts) <= 0 or max(amounts) >= _NO_PRICE or any(_glued(match, name) for name in _names(match)):
        return False
    if any(match[f"{name}_before"] or match[f"{name}_after"] for name in _names(match)):
        return True
    if any(match[name][-1] in "mM" for name in _names(match)):
        return False
    if rule.needs_currency or any(match[f"{name}_unit"] for name in _names(match)):
        return False
    before = match.string[max(0, match.start() - _LONGEST_WORD) : match.start()]
    an_age = _AFTER_A_PERSON.search(before) is not None and max(amounts) <= _OLDEST
    return not an_age and _AFTER_A_NAME.search(before) is None


def _names(match: re.Match[str]) -> list[str]:
    return [name for name in ("a", "b") if name in match.re.groupindex]


def _glued(match: re.Match[str], name: str) -> bool:
    """Whether a letter touches the number that is no factor, currency or part of the wording ("$20x")."""
    end = match.end(name)
    return end == match.end() and match.string[end : end + 1].isalpha() and not match[f"{name}_after"]


def _value(match: re.Match[str], name: str) -> float:
    """The amount in whole units of its currency."""
    number = match[name].lower().rstrip(".")
    factor = number.lstrip("0123456789.,' ")
    digits = number.removesuffix(factor).rstrip()
    before, after = ((match[f"{name}_{side}"] or "").strip().lower() for side in ("before", "after"))
    coin = 100 if re.fullmatch(_COIN, after) else 1
    dinars = (CURRENCY_OF.get(before) or CURRENCY_OF.get(after)) in THREE_DECIMALS
    return _number(digits, dinars=dinars) * FACTORS.get(factor, 1.0) / coin


def _number(digits: str, *, dinars: bool) -> float:
    digits = re.sub("[ ']", "", digits)
    lone = re.fullmatch(r"\d{1,3}[.,]\d{3}", digits)
    if (lone and dinars) or re.fullmatch(r"(?:\d{1,3}(?:\.\d{3})+|\d+),\d{1,2}", digits):
        whole, _, decimals = digits.replace(",", ".").rpartition(".")
        return float(f"{whole.replace('.', '')}.{decimals}")
    if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", digits):
        return float(digits.replace(".", ""))
    return float(digits.replace(",", ""))


def _amount(name: str) -> str:
    """A number: group NAME; NAME_before or NAME_after is its currency; NAME_unit, what it counts.

    "in" before a word is the preposition, and "pack of 2" is a measure of its own.
    """
    counted = rf"[a-z]|\s?-?\s?(?!in\s+[a-z]|pack\s+of)(?:{UNIT}|(?:{_COUNTED})\b)"
    return (
        rf"(?P<{name}_before>{_CURRENCY_BEFORE})?(?P<{name}>{_NUMBER})(?P<{name}_after>{_CURRENCY_AFTER})?"
        rf"(?=(?P<{name}_unit>{counted})?)"
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _rule(
    bound: Literal["low", "high", "range"],
    pattern: str,
    *,
    needs_currency: bool = False,
    by_word: bool = False,
    hint: str = "",
) -> _Rule:
    amounts = {name: _amount(name) for name in ("a", "b")}
    return _Rule(bound, needs_currency, by_word, hint, pattern.format(**amounts))


def _foreign(bound: Literal["low", "high"], words: str, *, behind: bool = False) -> _Rule:
    """Words of other languages before or behind a number with a currency."""
    pattern = "{a}" + words if behind else words + r"\s*{a}"
    return _rule(bound, pattern, needs_currency=True, hint=words)


# Longer wordings first: what one rule takes, the next does not see.
_RULES = (
    *(_rule("range", pattern, needs_currency=True, hint=hint) for hint, pattern in limit_words.ranges()),
    _rule("range", _FOR + r"\bbetween\s+{a}\s*(?:and|to|&|-|–)\s*{b}", hint="between"),
    _rule("range", _FOR + r"\bfrom\s+{a}\s*(?:to|till|until|-|–)\s*{b}", hint="from"),
    _rule("range", _FOR + r"{a}\s*(?:to|-|–)\s*{b}", needs_currency=True),
    _rule("high", limit_words.CHEAPER + r"\s*{a}", by_word=True),
    _rule("low", limit_words.DEARER + r"\s*{a}", by_word=True),
    _rule("high", rf"{limit_words.PRICE}\s*:?\s*{limit_words.AT_MOST}\s*{{a}}", by_word=True),
    _rule("low", rf"{limit_words.PRICE}\s*:?\s*{limit_words.AT_LEAST}\s*{{a}}", by_word=True),
    _foreign("high", limit_words.AT_MOST),
    _foreign("low", limit_words.AT_LEAST),
    _foreign("high", limit_words.AT_MOST_BEHIND, behind=True),
    _foreign("low", limit_words.AT_LEAST_BEHIND, behind=True),
    _rule("high", _FOR + _AT_MOST + r"\s*{a}", hint=_AT_MOST),
    _rule("low", _FOR + _AT_LEAST + r"\s*{a}", hint=_AT_LEAST),
    _rule("high", _FOR + rf"{{a}}\s*or\s+(?:{_LESS})\b", hint=r"or\s"),
    _rule(
        "high",
        _FOR + rf"{{a}}\s*(?:(?:and|&)\s+(?:{_LESS})|max(?:imum)?|tops|at\s+most)\b",
        needs_currency=True,
    ),
    _rule(
        "low", _FOR + rf"{{a}}\s*(?:(?:(?:or|and|&)\s+(?:{_MORE})|min(?:imum)?)\b|\+)", needs_currency=True
    ),
    _rule("high", r"\b(?:max\.?|within|budget(?:\s+(?:of|is))?)\s*:?\s*{a}", needs_currency=True),
    _rule("low", r"\b(?:min\.?|from)\s*{a}", needs_currency=True),
)
