"""Tokens: what is folded together and what stays apart."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.words.tokens import query_terms, tokenise


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Red SHOE", ["red", "shoe"]),
        ("Café Ｔｅｅ", ["cafe", "tee"]),
        ("men's Levi’s o'neill", ["men", "levi", "oneill"]),
        ("dresses dresse dress", ["dress"] * 3),
        ("watches watch", ["watch"] * 2),
        ("batteries battery", ["battery"] * 2),
        ("shoes shoe", ["shoe"] * 2),
        ("bus gas glass corpus", ["bus", "gas", "glass", "corpus"]),
        ("t-shirt tshirt V-neck", ["tshirt", "tshirt", "vneck"]),
        ("wi-fi TN-2110", ["wi", "fi", "tn", "2110"]),
        ("13.3 inch", ["13.3", "inch"]),
        ("İstanbul ß", ["istanbul", "ss"]),
        ("Smørrebrød Łódź Œuvre Æther Þór đồng", ["smorrebrod", "lodz", "oeuvre", "aether", "thor", "dong"]),
        ("红色鞋 XL", ["红", "色", "鞋", "红色", "色鞋", "xl"]),
        ("T恤男", ["t", "恤", "男", "恤男"]),
        ("スニーカー", ["スニ", "ニー", "ーカ", "カー"]),
        ("ผ้าไหม", ["ผ้า", "าไ", "ไห", "หม"]),
        ("가방 검정", ["가방", "검정"]),
        ("靴 नीला", ["靴", "नीला"]),
        ("🙂 … --", []),
        ("", []),
        (None, None),
    ],
)
def test_text_is_cut_into_folded_words(text: str | None, tokens: list[str] | None) -> None:
    assert tokenise(pl.Series([text], dtype=pl.String)).to_list() == [tokens]


def test_repeated_texts_keep_their_rows() -> None:
    texts = ["red", None, "blue shoe", "red"]
    assert tokenise(pl.Series(texts)).to_list() == [["red"], None, ["blue", "shoe"], ["red"]]


def test_stop_words_are_not_searched_for_unless_alone() -> None:
    assert query_terms(["shoe", "for", "the", "men"]) == ["shoe", "men"]
    assert query_terms(["to", "be", "or", "not"]) == ["to", "be", "or", "not"]
    assert query_terms([]) == []


@pytest.mark.parametrize(
    "script", ["红色蓝绿黑白鞋帽", "あいうえおかきく", "アイウエオカキク", "กขคงจฉชซ", "កខគឃងចឆជ", "ကခဂဃငစဆဇ"]
)
@given(data=st.data())
def test_a_word_within_a_text_without_blanks_is_found_by_its_tokens(script: str, data: st.DataObject) -> None:
    letters = st.text(alphabet=script, min_size=2, max_size=6)
    word, before, after = data.draw(letters), data.draw(letters), data.draw(letters)
    tokens = tokenise(pl.Series([word, before + word + after]))
    assert set(tokens[0]) <= set(tokens[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "strasse"),
        ("Fußball", "FUSSBALL"),
        ("øre", "ore"),
        ("cœur", "coeur"),
        ("Đà", "da"),
        ("ﬁlm", "film"),
    ],
)
def test_letters_that_unicode_keeps_whole_meet_their_plain_spelling(one: str, other: str) -> None:
    tokens = tokenise(pl.Series([one, other])).to_list()
    assert tokens[0] == tokens[1]


UNSEEN = "\u00ad\u200b\u200d\u2060\ufeff\u200e\u200f\u202d\u2066\ufe0f"
HYPHENS = "\u2010\u2011\u2012\u2013\u2212\uff0d\ufe63"
APOSTROPHES = "\u2018\u2019\u02bc\u02bb\u00b4\u201b\uff07\u2032`"
DIGITS = [
    "٠١٢٣٤٥٦٧٨٩",
    "۰۱۲۳۴۵۶۷۸۹",
    "०१२३४५६७८९",
    "০১২৩৪৫৬৭৮৯",
    "๐๑๒๓๔๕๖๗๘๙",
    "０１２３４５６７８９",
    "၀၁၂၃၄၅၆၇၈၉",
]


def _meet(one: str, other: str) -> bool:
    tokens = tokenise(pl.Series([one, other])).to_list()
    return tokens[0] == tokens[1]


@given(word=st.text("abcéñ日नш", min_size=2, max_size=6), sign=st.sampled_from(UNSEEN), at=st.integers(1, 5))
def test_unseen_signs_part_no_word(word: str, sign: str, at: int) -> None:
    assert _meet(word[:at] + sign + word[at:], word)


@pytest.mark.parametrize("hyphen", HYPHENS)
@pytest.mark.parametrize(
    "text", ["T-shirt", "v-neck tee", "x-ray", "wi-fi", "TN-2110", "7-1/2 inch", "3-in-1"]
)
def test_hyphens_are_one(text: str, hyphen: str) -> None:
    assert _meet(text.replace("-", hyphen), text)


@pytest.mark.parametrize("apostrophe", APOSTROPHES)
@pytest.mark.parametrize("text", ["men's", "o'neill", "l'oréal", "rock'n'roll", "levi's 501"])
def test_apostrophes_are_one(text: str, apostrophe: str) -> None:
    assert _meet(text.replace("'", apostrophe), text)


@pytest.mark.parametrize("digits", DIGITS)
@given(number=st.integers(0, 10**9))
def test_digits_of_all_scripts_are_one(digits: str, number: int) -> None:
    assert _meet(f"size {number} gb".translate(str.maketrans("0123456789", digits)), f"size {number} gb")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("١٢٫٥ سم", "12.5 سم"),
        ("ﬁlm ﬂoor oﬃce ﬆone ĳs", "film floor office stone ijs"),
        ("नमस्\u200dते", "नमस्ते"),
        ("می\u200cخواهم", "می خواهم"),  # as Persian is written with and without the joiner's key
        ("❤\ufe0f shoe", "❤ shoe"),
        ("20\u202fcm", "20 cm"),
        ("Nike™ Ⓡ ShopMark℠", "nike ⓡ shopmark"),
        ("𝐍𝐢𝐤𝐞 Ⓝike", "nike nike"),
        ("שָׁלוֹם", "שלום"),
        ("كِتَاب", "كتاب"),
        ("سـلام", "سلام"),
        ("5′ 7″", "5' 7\""),
    ],
)
def test_other_signs_meet_the_plain_ones(one: str, other: str) -> None:
    assert _meet(one, other)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        *((alef, "ا") for alef in "أإآٱ"),
        *((yeh, "ي") for yeh in "ىی"),
        ("ک", "ك"),
        *((heh, "ه") for heh in "ةہ"),
    ],
)
@given(before=st.text("بتجدرسعملن", max_size=4), behind=st.text("بتجدرسعملن", max_size=4))
def test_arabic_letters_that_writers_mix_are_one(written: str, plain: str, before: str, behind: str) -> None:
    assert _meet(before + written + behind, before + plain + behind)
    assert not _meet(before + "ب" + behind, before + plain + behind)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("हिन्दी", "हिंदी"),
        ("चम्पा", "चंपा"),
        ("अङ्गूठी", "अंगूठी"),
        ("चाँद", "चांद"),
        ("ज़री", "जरी"),
        ("क़लम", "कलम"),
        ("न\u0e49ำหอม".replace("न", "น"), "น\u0e4d\u0e49าหอม"),
        ("10×15", "10x15"),
        ("10 × 15", "10 x 15"),
    ],
)
def test_two_spellings_are_one(one: str, other: str) -> None:
    assert _meet(one, other)


@pytest.mark.parametrize(("one", "other"), [("कल", "कर"), ("मन", "मं"), ("นำ", "นา")])
def test_other_letters_stay_apart(one: str, other: str) -> None:
    assert not _meet(one, other)


@given(words=st.lists(st.text("カキクケコサシスセソ", min_size=2, max_size=5), min_size=2, max_size=4))
def test_a_middle_dot_parts_words_as_a_blank_does(words: list[str]) -> None:
    assert _meet("・".join(words), " ".join(words))
