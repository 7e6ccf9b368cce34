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
