"""Tokens: what is folded together and what stays apart."""

import polars as pl
import pytest

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
        ("İstanbul ß", ["istanbul", "ß"]),
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
