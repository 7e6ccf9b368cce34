"""How languages other than English say a price limit: one row of words a language, for `price_limits`.

Such a word alone says nothing ("size bis 50", "ab 100 ml"): only a currency beside the number, or a word of prices,
makes it a limit.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple


class LimitWords(NamedTuple):
    """One language's words, each parted by "|", as they stand before the number if not said otherwise.

    cheaper and dearer are of prices alone, so they need no currency; with `negation` before them, words of one bound
    say the other. between: "first … second", the first may be empty ("10 bis 20").
    """

    at_most: str
    at_least: str
    cheaper: str = ""
    dearer: str = ""
    negation: str = ""
    at_most_behind: str = ""
    at_least_behind: str = ""
    between: str = ""
    price: str = ""


LANGUAGES = {
    "German": LimitWords(
        at_most="unter|bis zu|bis maximal|bis max.|bis|höchstens|maximal|weniger als|kleiner als|unterhalb von",
        at_least="über|ab|mindestens|mehr als|oberhalb von",
        cheaper="günstiger als|billiger als",
        dearer="teurer als",
        negation="nicht",
        at_most_behind="oder weniger|oder günstiger|und weniger|höchstens|maximal|nicht überschreiten",
        at_least_behind="oder mehr|und mehr|mindestens|aufwärts|und aufwärts",
        between="zwischen…und|zwischen…bis|von…bis|ab…bis|…bis",
        price="preis|preislimit|höchstpreis",
    ),
    "French": LimitWords(
        at_most="moins de|en dessous de|au dessous de|au-dessous de|sous|jusqu'à|jusqua|jusque|au maximum|au plus|"
        "inférieur à|inférieure à|inférieurs à|maximum de|maximum",
        at_least="plus de|au dessus de|au-dessus de|à partir de|dès|au moins|au minimum|supérieur à|supérieure à",
        cheaper="moins cher que|moins chère que|moins chères que|moins chers que",
        dearer="plus cher que|plus chère que",
        negation="pas",
        at_most_behind="ou moins|et moins|au maximum|au plus|maxi",
        at_least_behind="ou plus|et plus|au minimum|au moins|mini",
        between="entre…et|de…à|…à",
        price="prix",
    ),
    "Spanish": LimitWords(
        at_most="menos de|hasta|por debajo de|debajo de|bajo|inferior a|como máximo|máximo|máx.|máximo de",
        at_least="más de|desde|a partir de|por encima de|encima de|superior a|como mínimo|mínimo|al menos",
        cheaper="más barato que|más barata que|más baratos que|más baratas que",
        dearer="más caro que|más cara que",
        negation="no",
        at_most_behind="o menos|como máximo|máximo",
        at_least_behind="o más|como mínimo|mínimo|en adelante",
        between="entre…y|entre…a|de…a|desde…hasta|…a",
        price="precio",
    ),
    "Portuguese": LimitWords(
        at_most="até|ate|abaixo de|por menos de|inferior a|no máximo|máximo",
        at_least="mais de|acima de|a partir de|no mínimo|pelo menos",
        cheaper="mais barato que|mais barato do que|mais barata que",
        dearer="mais caro que|mais caro do que",
        negation="não|nao",
        at_most_behind="ou menos|no máximo",
        at_least_behind="ou mais|no mínimo",
        between="entre…e|de…até|…até",
        price="preço",
    ),
    "Italian": LimitWords(
        at_most="sotto i|sotto ai|sotto gli|sotto|meno di|fino a|fino ai|al di sotto di|al di sotto dei|entro i|entro|"
        "inferiore a|massimo|al massimo",
        at_least="sopra i|sopra|oltre i|oltre|più di|a partire da|almeno|minimo|superiore a",
        cheaper="più economico di|più economica di",
        dearer="più caro di|più cara di",
        negation="non",
        at_most_behind="o meno|al massimo|massimo",
        at_least_behind="o più|in su|minimo",
        between="tra…e|fra…e|da…a|dai…ai",
        price="prezzo",
    ),
    "Dutch": LimitWords(
        at_most="onder de|onder|tot en met|tot|minder dan|maximaal|hoogstens|beneden de",
        at_least="boven de|boven|vanaf|meer dan|minimaal|minstens",
        cheaper="goedkoper dan",
        dearer="duurder dan",
        negation="niet",
        at_most_behind="of minder|maximaal",
        at_least_behind="of meer|minimaal",
        between="tussen de…en|tussen…en|van…tot|vanaf…tot|…tot",
        price="prijs",
    ),
    "Swedish, Danish, Norwegian": LimitWords(
        at_most="högst|mindre än|mindre end|mindre enn|upp till|op til|opp til|maks|maks.|max|upptill|til|till|"
        "højst|høyst|inte över|ikke over",
        at_least="från|fra|mer än|mere end|mer enn|minst|mindst|över|inte under|ikke under",
        cheaper="billigare än|billigere end|billigere enn",
        dearer="dyrare än|dyrere end|dyrere enn",
        negation="inte|ikke",
        at_most_behind="eller mindre|eller billigare",
        at_least_behind="eller mer|eller mere|och uppåt|og opp",
        between="mellan…och|mellem…og|mellom…og|från…till|fra…til|…till|…til",
        price="pris",
    ),
    "Finnish": LimitWords("enintään|korkeintaan", "yli|vähintään", "halvempi kuin", "kalliimpi kuin"),
    "Polish": LimitWords(
        at_most="do|poniżej|mniej niż|maksymalnie|maks.|nie więcej niż|nie drożej niż",
        at_least="od|powyżej|więcej niż|co najmniej|minimum",
        cheaper="tańsze niż|tańszy niż|tańsza niż|taniej niż",
        dearer="droższe niż|droższy niż|drożej niż",
        negation="nie",
        at_most_behind="lub mniej",
        at_least_behind="lub więcej|i więcej",
        between="od…do|między…a|między…i|pomiędzy…a|…do",
        price="cena",
    ),
    "Czech, Slovak": LimitWords(
        at_most="méně než|menej ako|pod|nejvýše|maximálně",
        at_least="nad|více než|viac ako|minimálně",
        cheaper="levnější než|lacnejšie ako",
        dearer="dražší než",
        between="mezi…a|medzi…a",
    ),
    "Romanian": LimitWords(
        "sub|până la|mai puțin de|maxim", "peste|mai mult de|minim", between="între…și|de la…la"
    ),
    "Russian, Ukrainian, Bulgarian": LimitWords(
        at_most="до|менее|меньше|менше|ниже|не дороже|не более|не больше|под|максимум",
        at_least="от|від|более|больше|більше|выше|свыше|понад|над|не менее|не меньше|не дешевле|минимум",
        cheaper="дешевле|дешевше|дешевле чем",
        dearer="дороже|дорожче|дороже чем",
        negation="не",
        at_most_behind="и меньше|или меньше|и дешевле|или дешевле",
        at_least_behind="и больше|или больше|и выше|и дороже",
        between="от…до|від…до|между…и|між…і|…до",
        price="цена|цене|ціна",
    ),
    "Hungarian": LimitWords(
        "legfeljebb|maximum",
        "legalább",
        "olcsóbb mint",
        "drágább mint",
        "",
        "alatt|alatti|-ig",
        "felett|fölött|feletti",
    ),
    "Greek": LimitWords(
        "έως|μέχρι|κάτω από|λιγότερο από",
        "πάνω από|περισσότερο από",
        "φθηνότερο από",
        between="μεταξύ…και|από…έως",
    ),
    "Turkish": LimitWords(
        at_most="en fazla|maksimum",
        at_least="en az|minimum",
        at_most_behind="altı|altında|altındaki|kadar|den az|dan az|den ucuz|dan ucuz",
        at_least_behind="üstü|üstünde|üzeri|üzerinde|den fazla|dan fazla|den pahalı|dan pahalı",
        between="…ile",
    ),
    "Indonesian, Malay": LimitWords(
        at_most="di bawah|dibawah|bawah|kurang dari|maksimal|hingga|sampai",
        at_least="di atas|diatas|lebih dari|mulai dari|mulai|minimal",
        cheaper="lebih murah dari",
        dearer="lebih mahal dari",
        negation="tidak",
        between="antara…dan|antara…hingga|dari…sampai|…sampai|…hingga",
    ),
    "Vietnamese": LimitWords(
        "dưới|không quá|tối đa|ít hơn|đến",
        "trên|từ|hơn|nhiều hơn|tối thiểu",
        "rẻ hơn",
        between="từ…đến|từ…tới|…đến",
    ),
    "Arabic, Persian": LimitWords(
        at_most="أقل من|اقل من|تحت|حتى|لا يزيد عن|لا تزيد عن|لا يتجاوز|زیر|کمتر از|تا",
        at_least="أكثر من|اكثر من|فوق|ابتداء من|بیشتر از|بالای",
        cheaper="أرخص من|ارزان تر از",
        dearer="أغلى من",
        negation="لا|ليس",
        between="بين…و|من…إلى|من…الى|بین…و|از…تا",
    ),
    "Hebrew": LimitWords("עד|מתחת ל|פחות מ", "מעל|יותר מ|החל מ", "זול מ", between="בין…ל"),
    "Hindi": LimitWords(
        at_most="अधिकतम",
        at_least="न्यूनतम",
        at_most_behind="से कम|से नीचे|तक|के अंदर|के भीतर|के नीचे",
        at_least_behind="से ज्यादा|से ज़्यादा|से अधिक|से ऊपर",
        between="…से",
    ),
    "Thai": LimitWords(
        "ไม่เกิน|ต่ำกว่า|น้อยกว่า|ไม่ถึง", "มากกว่า|สูงกว่า|ตั้งแต่|เกิน", "ถูกกว่า", "แพงกว่า", "ไม่", between="…ถึง"
    ),
    "Chinese": LimitWords(
        at_most="低于|低於|少于|少於|小于|小於|不到|不足|不超过|不超過|不高于|最多|最高",
        at_least="高于|高於|超过|超過|大于|大於|多于|多於|至少|最低|不低于|不少于",
        negation="不",
        at_most_behind="以下|以内|以內|之内|之內|之下|内",
        at_least_behind="以上|之上|起",
        between="…到|…至",
        price="价格|價格|价钱|预算",
    ),
    "Japanese": LimitWords(
        at_most="最大|上限",
        at_least="最低|下限",
        at_most_behind="以下|以内|未満|まで|より安い|より下",
        at_least_behind="以上|から|より高い|より上",
        between="…から",
        price="価格|値段|予算",
    ),
    "Korean": LimitWords(
        at_most="최대",
        at_least="최소",
        at_most_behind="이하|미만|이내|까지|아래|보다 싼",
        at_least_behind="이상|초과|부터|보다 비싼",
        between="…에서|…부터",
        price="가격|예산",
    ),
}

_TO = r"-|–|~|〜|\.\.\.?"
# "für unter 50 €", "à moins de 50 €", and the article of "sotto i 50", "onder de 50"
_LEAD = r"(?:(?<!\w)(?:für|pour|por|per|voor|för|for|za|за|à|a)\s+)?"
_BLANKLESS = "\u0e00-\u0eff\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af"
_SUFFIX = r"(?:\s*'\s?\w+)?"  # Turkish: "50 tl'nin altında"


def _several(words: str) -> list[str]:
    return [word for word in words.split("|") if word]


def _of_all(field: str) -> list[str]:
    words = {word for language in LANGUAGES.values() for word in _several(getattr(language, field))}
    return sorted(words, key=lambda word: (-len(word), word))


def written(word: str) -> str:
    """A regular expression for a word as it is typed: with or without its accents, any apostrophe and any blanks.

    In scripts that part words by blanks it stands alone.
    """
    word = unicodedata.normalize("NFKC", word)
    forms = [re.escape(form).replace(r"\ ", r"\s+").replace("'", "['’]") for form in _forms(word)]
    either = "|".join(forms)
    parted = not re.match(f"[{_BLANKLESS}]", word)
    prefix = len(word.split()[-1]) == 1 and re.search("[\u0590-\u06ff]$", word)  # "ל-50", "و100"
    before = r"(?<!\w)" if parted else ""
    after = "-?" if prefix else r"(?!\w)" if parted else ""
    return f"{before}(?:{either}){after}"


def _forms(word: str) -> list[str]:
    """A word, and the same without its accents or umlauts where it is long enough to stay itself ("dès", not "des")."""
    word = unicodedata.normalize("NFKC", word)
    bare = "".join(sign for sign in unicodedata.normalize("NFD", word) if not "\u0300" <= sign <= "\u036f")
    german = word.replace("ü", "ue").replace("ö", "oe").replace("ä", "ae")
    return list(dict.fromkeys((word, bare, german))) if len(word) > 3 else [word]


def _any(words: list[str]) -> str:
    return "(?:" + "|".join(map(written, words)) + ")"


def _without_negation(words: str) -> str:
    """The words where no negation of any language stands before them, which would turn them round."""
    signs = [unicodedata.normalize("NFKC", word) for word in _of_all("negation")]
    blanks = ["" if re.match(f"[{_BLANKLESS}]", word) else " " for word in signs]
    return "".join(rf"(?<!{word}{blank})" for word, blank in zip(signs, blanks, strict=True)) + words


def _negated(field: str) -> str:
    parts = [
        rf"{_any(_several(language.negation))}\s*{_any(_several(getattr(language, field)))}"
        for language in LANGUAGES.values()
        if language.negation and getattr(language, field)
    ]
    return f"(?:{'|'.join(parts)})"


def _bound(one: str, other: str) -> str:
    """What stands before a number of one bound: its own words, or the other's words negated."""
    return f"{_LEAD}(?:{_negated(other)}|{_without_negation(_any(_of_all(one)))})"


_OF_PRICES = [
    form for field in ("price", "cheaper", "dearer") for word in _of_all(field) for form in _forms(word)
]


def says_price(text: str) -> bool:
    """Whether any word of prices may stand in a text: quick, and sometimes wrongly True."""
    text = " ".join(text.lower().split())
    return any(word in text for word in _OF_PRICES)


AT_MOST, AT_LEAST = _bound("at_most", "at_least"), _bound("at_least", "at_most")
CHEAPER, DEARER = _bound("cheaper", "dearer"), _bound("dearer", "cheaper")
PRICE = _any(_of_all("price"))
"""Words that say what the number behind them is: "preis bis 50"."""
AT_MOST_BEHIND = rf"{_SUFFIX}\s*'?{_any(_of_all('at_most_behind'))}[の的]?"
AT_LEAST_BEHIND = rf"{_SUFFIX}\s*'?{_any(_of_all('at_least_behind'))}[の的]?"


def ranges() -> list[tuple[str, str]]:
    """For each way to name both bounds: words without which it says none; a pattern, {a} and {b} for the numbers."""
    pairs = {pair for language in LANGUAGES.values() for pair in _several(language.between)}
    by_first: dict[str, list[str]] = {}
    for pair in sorted(
        pairs, key=lambda pair: (pair.startswith("…"), -len(pair), pair)
    ):  # "ab 10 bis 20" before "10 bis 20"
        first, second = pair.split("…")
        by_first.setdefault(first, []).append(second)
    behind = r"(?:\s*(?:arası|arasında|之间|之間|の間|まで|까지|사이|के बीच)[の的]?)?"
    found = []
    for first, seconds in by_first.items():
        between = f"(?:{_any(seconds)}|{_TO})"
        pattern = f"{_LEAD + written(first) if first else ''}\\s*{{a}}\\s*{between}\\s*{{b}}{behind}"
        found.append((written(first) if first else between, pattern))
    return found
