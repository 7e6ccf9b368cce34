"""Texts of strangers in Markdown: letter by letter, in one cell, whatever they hold."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from features.errors import visible
from ltr.reporting.pages import as_markdown, code

SIGNS = st.text(st.sampled_from("ab |`*_<>[](){}\\!&;#~:/@1\n\x1b"), max_size=25)
READER = MarkdownIt("commonmark").enable("table")


def _flat(tokens: list[Token]) -> list[Token]:
    return [inner for token in tokens for inner in (token, *_flat(token.children or []))]


@given(text=SIGNS.map(str.strip))
@example("a|b")
@example("[x](https://evil.example)")
@example("![x](y)")
@example("<img src=x onerror=y>")
@example("`code` **bold**")
@example("<https://evil.example>")
@example("\\|")
@example("[x]: y")
def test_a_cell_holds_its_text_and_nothing_else(text: str) -> None:
    tokens = _flat(READER.parse(f"| a | b |\n|---|---|\n| {as_markdown(text)} | end |\n"))
    assert [token.type for token in tokens].count("td_open") == 2
    odd = {"html_inline", "html_block", "link_open", "image", "code_inline", "strong_open"}
    assert not odd & {token.type for token in tokens}
    if "&" not in text and "_" not in text:
        first = next(at for at, token in enumerate(tokens) if token.type == "td_open")
        children = tokens[first + 1].children or []
        assert "".join(token.content for token in children) == visible(text).strip()


@given(text=st.text(st.sampled_from("ab `|<*"), min_size=1, max_size=20))
def test_code_holds_its_text(text: str) -> None:
    (inline,) = [token for token in READER.parse(f"x {code(text)} y") if token.type == "inline"]
    kinds = [token.type for token in inline.children or []]
    assert kinds == ["text", "code_inline", "text"]
