"""Currencies as people write them: signs, ISO codes and words, and the small coins of a hundredth.

A sign that several currencies share ("$", "¥", "kr") is a family of its own until something names the country.
"""

from __future__ import annotations

from collections.abc import Iterable

_CODES = """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf
    clp cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd hnl hrk
    htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd mad mdl
    mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron
    rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn syp szl thb tjs tmt tnd top try ttd twd tzs uah ugx
    usd uyu uzs ves vnd vuv wst xaf xcd xof xpf yer zar zmw
"""

# Code or family: how it is written in lower case, after Unicode's NFKC.
_WRITTEN = {
    "$": "$|dollar|dollars|bucks",
    "¥": "¥",
    "kr": "kr|kr.|krone|kroner|krona|kronor",
    "rs": "rs|rs.|rupee|rupees",
    "dinar": "dinar|dinars|دينار",
    "AED": "dh|dhs|dhs.|د.إ|dirham|dirhams|درهم",
    "AUD": "a$|au$",
    "BDT": "৳|tk|tk.|taka",
    "BGN": "лв|лв.",
    "BHD": "bd|bd.|د.ب|.د.ب",
    "BRL": "r$|real|reais",
    "CAD": "c$|ca$|cad$",
    "CHF": "fr|fr.|sfr|sfr.|francs",
    "CNY": "cn¥|rmb|元|yuan|人民币|块|块钱",
    "CRC": "₡",
    "CZK": "kč|kc|kc.",
    "BOB": "bs.",
    "DOP": "rd$",
    "EGP": "e£|l.e.|ج.م",
    "EUR": "€|euro|euros|eur.|евро|ευρώ|유로|ユーロ|欧元",
    "GBP": "£|sterling|gb£|quid",
    "GEL": "₾",
    "GHS": "₵|gh₵|gh¢",
    "HKD": "hk$",
    "HUF": "ft|ft.|forint",
    "IDR": "rp|rp.|rupiah",
    "ILS": "₪|שח|nis",
    "INR": "₹|inr.|रु|रु.|रुपये|रुपए",
    "IQD": "د.ع",
    "IRR": "ریال|rial|rials",
    "JOD": "jd|jd.|د.ا",
    "JPY": "jp¥|円|yen",
    "KES": "ksh|kshs|ksh.",
    "KHR": "៛",
    "KRW": "₩|원|won",
    "KWD": "kd|kd.|د.ك",
    "KZT": "₸|тг|тенге",
    "LAK": "₭",
    "LYD": "ل.د|ld",
    "JMD": "j$",
    "MKD": "ден|ден.",
    "MNT": "₮",
    "MXN": "mx$|mex$",
    "MYR": "rm|ringgit",
    "NGN": "₦",
    "NZD": "nz$",
    "OMR": "r.o.|ر.ع.",
    "PHP": "₱",
    "PAB": "b/.",
    "PEN": "s/|s/.",
    "PLN": "zł|zl|zł.|zloty|złoty|złotych",
    "PYG": "₲|gs.",
    "RON": "lei|leu",
    "RUB": "₽|руб|руб.|р.|р|рубль|рубля|рублей|ruble|rubles|rouble|roubles",
    "RSD": "дин|дин.|din.",
    "SAR": "ر.س|sr|riyal|riyals|ريال",
    "SGD": "s$|sg$",
    "THB": "฿|baht|บาท",
    "TND": "dt|د.ت",
    "TRY": "₺|tl",
    "toman": "toman|tomans|تومان",
    "TWD": "nt$",
    "UAH": "₴|грн|грн.|гривень",
    "USD": "us$|us $|usd$|美元|달러|ドル",
    "VND": "₫|đ|vnđ|dong|đồng",
    "ZAR": "r|rand",
}
CURRENCY_OF = {code: code.upper() for code in _CODES.split()} | {
    written: currency for currency, several in _WRITTEN.items() for written in several.split("|")
}
"""Each way to write a currency, in lower case: its ISO 4217 code, or the sign of its family."""

MINOR = (
    "¢",
    "c",
    "ct",
    "cts",
    "cent",
    "cents",
    "p",
    "pence",
    "penny",
    "paise",
    "paisa",
    "centimes",
    "céntimos",
    "cêntimos",
    "centavo",
    "centavos",
    "centesimi",
    "rappen",
    "groszy",
    "haléřů",
    "öre",
    "øre",
    "kuruş",
    "bani",
    "sen",
    "коп",
    "коп.",
    "копеек",
)
"""A hundredth of a currency."""

FACTORS = {
    **dict.fromkeys(("k", "tsd", "thousand", "千", "천", "ribu", "tys", "тыс", "тыс."), 1e3),
    **dict.fromkeys(("万", "萬", "만"), 1e4),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 1e5),
    **dict.fromkeys(("m", "mn", "mio", "million", "millions", "juta", "млн"), 1e6),
    **dict.fromkeys(("crore", "crores", "cr"), 1e7),
    **dict.fromkeys(("億", "亿", "억"), 1e8),
    **dict.fromkeys(("b", "bn", "mrd", "billion", "billions"), 1e9),
}
"""What the word behind a number multiplies it by."""

# Iraq's dinar has three by law and none in any price.
THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "LYD", "OMR", "TND", "dinar"))

# Of these, too, no price in a shop has decimals, whatever the law knows.
_WHOLE = "clp cop huf idr iqd irr isk jpy khr krw lak lbp mmk pyg rwf tzs ugx uzs vnd xaf xof xpf"
NO_DECIMALS = frozenset(("toman", *_WHOLE.upper().split()))

FAMILIES = {
    "$": ("USD", "AUD", "CAD", "NZD", "HKD", "SGD", "TWD", "MXN", "CLP", "COP", "ARS", "UYU", "BRL", "JMD"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "rs": ("INR", "PKR", "LKR", "NPR", "MUR", "SCR"),
    "dinar": ("KWD", "BHD", "JOD", "IQD", "LYD", "TND", "DZD", "RSD"),
}


def alike(one: str, other: str) -> bool:
    """Whether two may be the same currency: equal, or a family and its member."""
    return one == other or other in FAMILIES.get(one, ()) or one in FAMILIES.get(other, ())


def alternatives(words: Iterable[str]) -> str:
    """A regular expression (Python's and Rust's) for any of the words, the longest first."""
    longest_first = sorted(words, key=len, reverse=True)
    escaped = (word.replace("$", r"\$").replace(".", r"\.") for word in longest_first)
    return f"(?:{'|'.join(escaped)})"
