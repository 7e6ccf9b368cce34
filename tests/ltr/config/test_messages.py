"""Texts of strangers on a terminal, in a report and in Markdown: shown letter by letter, never obeyed."""

from __future__ import annotations

import io
import json
import logging
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.errors import InputError, visible, visible_json
from features.progress import progress
from ltr.config import command_line, output
from ltr.reporting.pages import render
from ltr.reporting.product_page import Attribute

NASTY = [
    "Red shirt [/b]",
    "Tee [new]",
    "[link=https://evil.example]click[/link]",
    "[bold red]sale[/]",
    "[@click=app.bell]x[/]",
    ":shirt: :smile:",
    "\x1b[2J\x1b[31mred",
    "\x9b31m",
    "a\rb\x08c\x07",
    "\x1b]8;;https://evil.example\x1b\\text\x1b]8;;\x1b\\",
    "one\nerror: two",
    "\u202egnp.exe\u2066",
    "\udc80half",
    "tag\U000e0041",
    "{task.fields} {0}",
    "a | b ` c * d < e",
    "\\[x]",
    "[",
    "]",
    "[]",
    "[[a]]",
]
texts = st.text(max_size=40) | st.lists(st.sampled_from(NASTY), min_size=1, max_size=3).map("".join)


def unseen(text: str) -> list[str]:
    """Controls and marks that a terminal obeys."""
    bad = {"Cc", "Cs", "Zl", "Zp"}
    return [sign for sign in text if unicodedata.category(sign) in bad or sign in "\u202e\u2066\u200f\ufeff"]


class _Terminal(io.StringIO):
    """Knows colours and links."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [_Terminal, io.StringIO])
@pytest.mark.parametrize("text", NASTY)
def test_cells_titles_and_lines_are_text(
    text: str, terminal: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "5000")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(
        logging.root, "handlers", []
    )  # a half character in pytest's own record breaks its report
    written = terminal()
    monkeypatch.setattr("sys.stdout", written)
    output.say(text)
    output.show(text, [text, "n"], [(text, 1), (None, 2.5)])
    output.install()
    logging.getLogger("ltr.x").warning("%s", text)
    lines = [
        re.sub(r"\x1b\[[0-9;]*m", "", line) for line in written.getvalue().split("\n")
    ]  # a title is bold
    assert not unseen("".join(lines))
    assert sum(line.count(visible(text)) for line in lines) >= 5
    assert len(lines) == 7
    assert "\x1b]" not in written.getvalue()


@given(text=texts)
@example("\x1b\u2028")
def test_what_is_visible_is_one_line_and_what_was_so_stays(text: str) -> None:
    shown = visible(text)
    assert not unseen(shown)
    assert visible(shown) == shown
    if not unseen(text) and text.isascii():
        assert shown == text
    error = str(InputError(where=text, expected=text, got=text, cure=text))
    assert not unseen(error)


@given(value=st.recursive(st.text() | st.sampled_from(NASTY), lambda inner: st.lists(inner, max_size=3)))
def test_json_stays_the_same_json(value: object) -> None:
    for indent in (None, 1):
        shown = visible_json(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(shown) == value
        assert not unseen(shown.replace("\n", ""))


@pytest.mark.parametrize("text", NASTY)
def test_errors_of_every_kind_are_one_line_without_controls(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad_input(_: object) -> None:
        raise InputError(where=text, expected=text, got=text, cure=text)

    def bad_file(_: object) -> None:
        raise OSError(2, "gone", text)

    def bad_word(_: object) -> None:
        command_line.parser("x").parse_args(["--debug=" + text])

    for main in (bad_input, bad_file, bad_word):
        with pytest.raises(SystemExit):
            command_line.run(main, [])
        message = capsys.readouterr().err
        assert message.endswith("\n")
        assert not unseen(message[:-1])


def test_progress_takes_any_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])  # as above
    written = _Terminal()
    monkeypatch.setattr("sys.stderr", written)
    output.install()
    for text in NASTY:
        with progress(text, 2) as step:
            step()
    assert not unseen(re.sub(r"\r\x1b\[K|\n", "", written.getvalue()))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.data: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.data.append(data)


INJECTED = [
    *NASTY,
    "<script>alert(1)</script>",
    '" onerror="x',
    "'><img src=x>",
    "{{ 7*7 }}",
    "</title><b>",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("text", INJECTED)
def test_a_page_has_the_same_tags_whatever_a_shop_calls_things(text: str) -> None:
    def page(word: str) -> _Page:
        product = {"id": word, "title": word, "photo": "", "clips": []}
        alike = dict.fromkeys(("a", "b"), word) | {"overall": 0.5}
        lines = [Attribute(word, (word, word), differs=True)]
        values = {"products": [product, product], "lines": lines, "parts": ("overall",), "alike": [alike]}
        found = _Page()
        found.feed(render("compare.html", values))
        return found

    mine, plain = page(text), page("plain")
    assert [tag for tag, _ in mine.tags] == [tag for tag, _ in plain.tags]
    assert [[name for name, _ in attrs] for _, attrs in mine.tags] == [
        [name for name, _ in attrs] for _, attrs in plain.tags
    ]
    assert any(visible(text) in data for data in mine.data)
    assert not unseen("".join(mine.data).replace("\n", ""))
