"""One path a product: of several the first, of lists their items, however the export writes them."""

from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.parsing.categories import category_paths

LEVELS = st.lists(
    st.text(alphabet="abcdeé &'", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=4
)


def _path(levels: list[str]) -> str:
    return " > ".join(" ".join(level.split(" ")).strip() for level in levels)


@given(LEVELS, st.sampled_from(["list", "json", "python", "text"]))
def test_every_form_of_a_list_is_the_same_path(levels: list[str], form: str) -> None:
    column = {
        "list": lambda: pl.Series([levels]),
        "json": lambda: pl.Series([json.dumps(levels, ensure_ascii=False)]),
        "python": lambda: pl.Series([repr(levels)]),
        "text": lambda: pl.Series([">".join(levels)]),
    }[form]()
    assert category_paths([column], ">").values.to_list() == [_path(levels)]


@pytest.mark.parametrize("write", [repr, json.dumps])
def test_quotes_within_a_name_are_the_name_s(write: Callable[[list[str]], str]) -> None:
    levels = ["Men's", 'Pipe 5" wide', "a 'b' c"]
    assert category_paths([pl.Series([write(levels)])], ">").values.to_list() == [" > ".join(levels)]


@pytest.mark.parametrize("between", [", ", " | ", ";", "|"])
@pytest.mark.parametrize("separator", [">", "/", "::"])
def test_the_first_of_several_paths(between: str, separator: str) -> None:
    first, other = separator.join(["Garden", "Tools"]), separator.join(["Garden", "Gifts"])
    texts = [between.join([first, other]), between.join([first, "Garden"]), first]
    read = category_paths([pl.Series(texts)], separator)
    assert read.values.to_list() == ["Garden > Tools"] * 3
    assert [one.level for one in read.said] == ["PASS"]


@pytest.mark.parametrize(
    "text", ["Luggage > Bags, Cases", "Home, Garden > Tools, Hardware", "Nuts, Bolts", "Arts; Crafts > Wool"]
)
def test_a_level_may_hold_a_comma(text: str) -> None:
    read = category_paths([pl.Series([text, "Home, Garden > Pots"])], ">")
    assert read.values[0] == text


def test_what_may_be_two_paths_is_warned_of() -> None:
    read = category_paths([pl.Series(["A > B, C > D"])], ">")
    assert [one.level for one in read.said] == ["WARN"]


@pytest.mark.parametrize(
    ("column", "path"),
    [
        (pl.Series([[["A", "B"], ["C"]]]), "A > B"),
        (pl.Series(['[["A", "B"], ["C"]]']), "A > B"),
        (pl.Series(['["A > B", "C"]']), "A > B"),
        (pl.Series(["{A,B}"]), "A > B"),
        (pl.Series(['["A", 2]']), "A > 2"),
        (pl.Series(["('A', 'B')"]), "A > B"),
        (pl.Series(["['A' 'B']"]), "A > B"),
        (pl.Series(['[ "A" , null,\n "B" ]']), "A > B"),
        (pl.Series([r"[\"A\", \"B\"]"]), "A > B"),
        (pl.Series(["[“A”, “B”]"]), "A > B"),
        (pl.Series(["[A, B]"]), "A > B"),
        (pl.Series(['{"A, new",B}']), "A, new > B"),
        (pl.Series(['[{"id": 1, "name": "A"}, {"id": 2, "name": "B"}]']), "A > B"),
        (pl.Series(["[]"]), None),
        (pl.Series(["[{}]"]), "[{}]"),
        (pl.Series(["[x"]), "[x"),
        (pl.Series(["[new]"]), "[new]"),
        (pl.Series(["[" * 2000 + "]" * 2000]), "[" * 2000 + "]" * 2000),
        (pl.Series(["[" * 90_000]), "[" * 90_000),
    ],
)
def test_lists_of_other_shapes_and_what_only_looks_like_one(column: pl.Series, path: str) -> None:
    assert category_paths([column], ">").values.to_list() == [path]


@pytest.mark.parametrize("mark", [">", ">>", " » ", "›", "＞", "&gt;", " &raquo; ", "->", " → "])
def test_other_forms_of_the_usual_separator(mark: str) -> None:
    column = pl.Series([mark.join(["Garden", "Tools, Saws", "Hand"])])
    assert category_paths([column], ">").values.to_list() == ["Garden > Tools, Saws > Hand"]


@pytest.mark.parametrize("mark", ["/", " / ", "|", "\\", "::"])
def test_another_separator_is_doubted_not_guessed(mark: str) -> None:
    text = mark.join(["Garden", "Tools"])
    read = category_paths([pl.Series([text, text])], ">")
    assert read.values.to_list() == [text, text]
    assert ["category_separator" in one.cure for one in read.said] == [True]


TREE = [
    ["Garden", "Tools", "Saws"],
    ["Garden", "Tools", "Axes"],
    ["Garden", "Pots", "Clay & Stone"],
    ["Toys", "Cars", "Red"],
    ["Toys", "Cars", "Blue, small"],
]


@pytest.mark.parametrize(
    "mark",
    [
        ";;",
        " ;; ",
        "^",
        " ^ ",
        "::",
        " :: ",
        "|||",
        " ||| ",
        " / ",
        "/",
        "|",
        " | ",
        "\\",
        "▸",
        "‣",
        "⟶",
        "｜",
        "／",
        "~",
        " • ",
        " - ",
        ";",
    ],
)
def test_what_parts_a_tree_parts_its_levels(mark: str) -> None:
    texts = [mark.join(path) for path in TREE]
    for column in (texts, [*texts, "Garden", None], [mark.strip() + text for text in texts]):
        read = category_paths([pl.Series(column)], ">")
        assert read.values.to_list()[:5] == [" > ".join(path) for path in TREE]
        assert {said.level for said in read.said} <= {"PASS"}


@pytest.mark.parametrize("mark", [" / ", ";;", "^", "::", "|||"])
def test_two_levels_are_enough_where_names_hold_no_such_mark(mark: str) -> None:
    texts = [mark.join(path) for path in (["Clothing", "Shoes"], ["Clothing", "Hats"], ["Toys", "Cars"])]
    assert category_paths([pl.Series(texts)], ">").values.to_list() == [
        "Clothing > Shoes",
        "Clothing > Hats",
        "Toys > Cars",
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ["Salt / Pepper", "Oil / Vinegar", "Tea / Coffee"],
        ["Salt / Pepper", "Pepper / Salt", "Salt / Sugar"],
        ["Action|Comedy|Drama", "Action|Drama|War", "Comedy|Drama|Action"],
        ["new;;sale", "sale;;new", "shoe;;sale"],
        ["Men/Women", "Men/Kids", "TV/Audio"],
        ["T-Shirts - Men", "T-Shirts - Women", "Jeans - Men"],
        ["/", "//"],
        ["https://x.de/a/b", "https://x.de/a/c"],
        ["Shoes", "Hats / Caps", "Tees", "Hats / Hoods", "Socks"],
    ],
)
def test_names_and_tags_with_such_marks_are_no_paths(texts: list[str]) -> None:
    assert category_paths([pl.Series(texts)], ">").values.to_list() == texts


@pytest.mark.parametrize("between", [";;", "^", "::", "|||"])
def test_such_marks_may_part_whole_paths(between: str) -> None:
    texts = [f"Garden > Tools{between}Garden > Gifts", "Garden > Pots"]
    assert category_paths([pl.Series(texts)], ">").values.to_list() == ["Garden > Tools", "Garden > Pots"]


@pytest.mark.parametrize("text", [r"Garden > Nuts\, Bolts, Garden", '"Garden > Nuts, Bolts","Garden > Sale"'])
def test_a_comma_within_a_name_of_several_paths(text: str) -> None:
    assert category_paths([pl.Series([text, "Garden > Tools"])], ">").values[0] == "Garden > Nuts, Bolts"


PATHS = [
    ["Garden", "Tools", "Rakes"],
    ["Garden", "Tools", "Hoes"],
    ["Garden", "Pots", "Clay"],
    ["Pets", "Dogs", "Beds"],
]


@pytest.mark.parametrize("mark", ["/", " / ", "|", "//", "::"])
@pytest.mark.parametrize("behind", ["parent", "root", "other"])
def test_several_paths_parted_by_commas_whatever_parts_their_levels(mark: str, behind: str) -> None:
    others = {"parent": lambda path: path[:2], "root": lambda path: path[:1], "other": lambda _: PATHS[0]}
    texts = [f"{mark.join(path)},{mark.join(others[behind](path))}" for path in PATHS]
    texts[2] = mark.join(PATHS[2])
    read = category_paths([pl.Series(texts)], ">")
    assert read.values.to_list() == [" > ".join(path) for path in PATHS]
    assert "several paths" in read.said[0].evidence


@pytest.mark.parametrize(
    "mark", ["\n", "\t", "<br>", "<br/>", "<BR />", "</li><li>", "≫", "⇒", " ➤ ", " --> ", "==>"]
)
def test_marks_that_pages_and_labels_put_between_levels(mark: str) -> None:
    read = category_paths([pl.Series([mark.join(path) for path in PATHS])], ">")
    assert read.values.to_list() == [" > ".join(path) for path in PATHS]


@pytest.mark.parametrize("mark", [">", "&gt;", "»"])
@pytest.mark.parametrize("tag", ["a href='/c'", "b", "span class=x"])
def test_a_tag_parts_nothing(mark: str, tag: str) -> None:
    texts = [
        f" {mark} ".join(f"<{tag}>{name}</{tag.split(maxsplit=1)[0]}>" for name in path) for path in PATHS
    ]
    assert category_paths([pl.Series(texts)], ">").values.to_list() == [" > ".join(path) for path in PATHS]


@pytest.mark.parametrize(
    "form", ["array({})", "array({}, dtype=object)", "list({})", "set({})", "frozenset({})"]
)
@pytest.mark.parametrize("brackets", ["[]", "()"])
def test_lists_in_a_call(form: str, brackets: str) -> None:
    lists = [brackets[0] + ", ".join(map(repr, path)) + brackets[1] for path in PATHS]
    read = category_paths([pl.Series([form.format(written) for written in lists])], ">")
    assert read.values.to_list() == [" > ".join(path) for path in PATHS]


def test_a_set_keeps_the_order_in_which_it_is_written() -> None:
    sets = ["{" + ", ".join(map(repr, path)) + "}" for path in PATHS]
    assert category_paths([pl.Series(sets)], ">").values.to_list() == [" > ".join(path) for path in PATHS]


@pytest.mark.parametrize("write", [repr, json.dumps])
@pytest.mark.parametrize("whole", [True, False])
def test_objects_that_name_their_levels(write: Callable[[dict[str, str]], str], whole: bool) -> None:
    texts = [
        write({f"lvl{at}": " > ".join(path[: at + 1]) if whole else name for at, name in enumerate(path)})
        for path in PATHS
    ]
    assert category_paths([pl.Series(texts)], ">").values.to_list() == [" > ".join(path) for path in PATHS]


@pytest.mark.parametrize("key", ["name", "title", "label"])
def test_an_object_is_called_by_its_name(key: str) -> None:
    texts = [json.dumps({"id": 3, key: path[-1], "parent": {key: path[0]}}) for path in PATHS]
    assert category_paths([pl.Series(texts)], ">").values.to_list() == [path[-1] for path in PATHS]


@pytest.mark.parametrize(
    "text", ['{"slug": "a", "id": 4}', '[{"slug": "a"}, {"slug": "b"}]', '{"a": ["b", "c"]}']
)
def test_other_objects_stay_and_are_said(text: str) -> None:
    read = category_paths([pl.Series([text] * 3)], ">")
    assert read.values.to_list() == [text] * 3
    assert [said.level for said in read.said] == ["WARN"]


@pytest.mark.parametrize("mark", [":", " < ", " · ", "、", "，", "، "])
def test_other_marks_in_most_names_are_said(mark: str) -> None:
    read = category_paths([pl.Series([mark.join(path[:2]) for path in PATHS])], ">")
    assert [said.level for said in read.said] == ["WARN"]


@pytest.mark.parametrize("key", ["name", "title", "label", "value"])
def test_lists_of_objects_are_lists_of_their_names(key: str) -> None:
    column = pl.Series([[{"id": at, key: name} for at, name in enumerate(path)] for path in PATHS])
    assert category_paths([column], ">").values.to_list() == [" > ".join(path) for path in PATHS]


def test_lists_of_objects_without_a_name_are_said() -> None:
    read = category_paths([pl.Series([[{"id": 9, "slug": "a"}], None])], ">")
    assert read.values.to_list() == ['[{"id": 9, "slug": "a"}]', None]
    assert [said.level for said in read.said] == ["WARN"]
