"""CSV files as programs write them: the same table, whatever the separator, the encoding, the header and its blanks."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.sources.formats.csv_files import read_csv
from features.sources.formats.readers import read_rows
from tests.features.sources.test_load import load_shop

CELL = st.text(alphabet='ab é,;|"\t=', max_size=5).map(str.strip)
HEADER = ["product_id", 'size "EU"', "title"]


def _written(rows: list[list[str]], separator: str, newline: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=newline).writerows([HEADER, *rows])
    return out.getvalue()


@given(
    rows=st.lists(
        st.lists(CELL, min_size=3, max_size=3).map(lambda r: ["p", *r[1:]]), min_size=1, max_size=5
    ),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    sep_line=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[str]],
    separator: str,
    sep_line: bool,
    newline: str,
    encoding: str,
) -> None:
    text = f"sep={separator}{newline}" * sep_line + _written(rows, separator, newline)
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(text.encode(encoding))
    read = read_rows(path).frame
    assert read.columns == HEADER
    assert [[cell or "" for cell in row] for row in read.rows()] == rows


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "shift_jis", "gb18030", "iso8859-15", "utf-16-le", "koi8-r"]
)
def test_an_encoding_is_a_setting(tmp_path: Path, encoding: str) -> None:
    title = {"shift_jis": "赤い靴", "gb18030": "红色鞋", "koi8-r": "красный"}.get(encoding, "café")
    (tmp_path / "t.csv").write_bytes(f"a,b\n1,{title}\n".encode(encoding))
    assert read_rows(tmp_path / "t.csv", encoding=encoding).frame["b"].to_list() == [title]


def test_a_wrong_encoding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    with pytest.raises(InputError, match="line 2: expected UTF-8 text"):
        read_rows(tmp_path / "t.csv")
    with pytest.raises(InputError, match="expected ASCII text"):
        read_rows(tmp_path / "t.csv", encoding="ascii")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (" a , b ,c\n1, x ,3\n", ["a", "b", "c"]),
        ('a, b, c\n1, "x, y", 3\n', ["a", "b", "c"]),
        ('"a","b ""in""",c\n1,2,3\n', ["a", 'b "in"', "c"]),
        ("\n\na,b,c\n1,2,3\n", ["a", "b", "c"]),
        ("a,b,c\r1,2,3\r", ["a", "b", "c"]),
        ("a,b,b\n1,2,3\n", ["a", "b", "b_duplicated_2"]),
    ],
)
def test_headers(tmp_path: Path, text: str, columns: list[str]) -> None:
    (tmp_path / "t.csv").write_text(text, newline="")
    read = read_rows(tmp_path / "t.csv").frame
    assert read.columns == columns
    assert read.height == 1


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", list(";|\t^~:"))
@pytest.mark.parametrize("line", ["sep={}", '"sep={}"', "SEP={}", "sep= {}", "sep={};;", "sep={},,"])
def test_excels_line_for_its_separator(tmp_path: Path, line: str, separator: str, newline: str) -> None:
    lines = [line.format(separator), f"a{separator}b", f"1{separator}2"]
    (tmp_path / "t.csv").write_text(newline.join(lines) + newline, newline="")
    assert read_rows(tmp_path / "t.csv").frame.to_dict(as_series=False) == {"a": ["1"], "b": ["2"]}


def test_excels_line_that_the_header_belies(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=,\na;b\n1;2\n")
    assert read_rows(tmp_path / "t.csv").frame.columns == ["a", "b"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "above", ["Export of May", "# made by a shop", "Export{0}{0}\n{0}{0}", "\n", "{0}{0}"]
)
def test_lines_above_the_header(tmp_path: Path, above: str, separator: str) -> None:
    table = separator.join("abc") + "\n" + separator.join("123") + "\n"
    (tmp_path / "t.csv").write_text(above.format(separator) + "\n" + table)
    read = read_rows(tmp_path / "t.csv")
    assert read.frame.rows() == [("1", "2", "3")]
    assert any("above the header" in one.evidence for one in read.said) == bool(above.strip())


def test_a_table_of_one_column_has_nothing_above_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n2\n")
    assert read_rows(tmp_path / "t.csv").frame["a"].to_list() == ["1", "2"]


@pytest.mark.parametrize("below", ["Nummer,Name,Preis", "string,string,decimal", "---,---,---", "id,,EUR"])
def test_a_second_header_is_no_row(tmp_path: Path, below: str) -> None:
    rows = [f"p{i},hat,{i}.50" for i in range(3)]
    (tmp_path / "p.csv").write_text("\n".join(["product_id,title,price", below, *rows]))
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products["product_id"].to_list() == ["p0", "p1", "p2"]
    assert [step.affected for step in shop.steps if step.step == "a second header"] == [1]


@pytest.mark.parametrize("first", ["p0,hat,", "p0,hat,ask", "hat,hat,1"])
def test_a_first_row_is_a_row(tmp_path: Path, first: str) -> None:
    rows = [f"p{i},hat,{i}.50" for i in range(1, 4)]
    (tmp_path / "t.csv").write_text("\n".join(["product_id,title,price", first, *rows]))
    assert read_rows(tmp_path / "t.csv").frame.height == 4


@pytest.mark.parametrize("again", ["PRODUCT_ID,Title", "ï»¿product_id,title", " product_id , title "])
def test_a_header_again_by_other_marks(tmp_path: Path, again: str) -> None:
    (tmp_path / "t.csv").write_text(f"product_id,title\np1,hat\n{again}\np2,tee\n", encoding="utf-8")
    assert read_rows(tmp_path / "t.csv").frame["product_id"].to_list() == ["p1", "p2"]


def test_a_header_again_in_another_order_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("product_id,title\np1,hat\ntitle,product_id\ntee,p2\n")
    with pytest.raises(InputError, match="'title' where the first has 'product_id'"):
        read_rows(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r'"a \"good\" hat"', 'a "good" hat'),
        (r'"a \"good\", hat"', 'a "good", hat'),
        (r'"C:\"', "C:\\"),
        (r'"{""a"": ""\""""}"', r'{"a": "\""}'),
    ],
)
def test_backslashes_before_quotes(tmp_path: Path, field: str, text: str) -> None:
    (tmp_path / "t.csv").write_text(f"a,b\n1,{field}\n2,x\n")
    assert read_rows(tmp_path / "t.csv").frame["b"].to_list() == [text, "x"]


@pytest.mark.parametrize("mark", ["\ufeff", "\ufeff\ufeff", "ï»¿"])
def test_marks_at_both_ends_of_a_file(tmp_path: Path, mark: str) -> None:
    (tmp_path / "t.csv").write_text(f"{mark}a,b\n1,2\n\x1a", encoding="utf-8")
    assert read_rows(tmp_path / "t.csv").frame.to_dict(as_series=False) == {"a": ["1"], "b": ["2"]}


def test_a_quoted_field_behind_a_blank_keeps_its_comma(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a, b\n1, "x, y"\n')
    assert read_rows(tmp_path / "t.csv").frame.rows() == [("1", "x, y")]


@given(places=st.lists(st.integers(0, 6), min_size=1, max_size=3), mark=st.sampled_from(["", "\ufeff"]))
def test_a_header_again_is_no_row(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], mark: str
) -> None:
    lines = [f"p{i},hat {i}" for i in range(6)]
    for place in places:
        lines.insert(place, f"{mark}product_id,title")
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text("\n".join(["product_id,title", *lines]), encoding="utf-8")
    read = read_rows(path)
    assert read.frame["product_id"].to_list() == [f"p{i}" for i in range(6)]
    assert read.others.height == len(places)


def test_columns_are_found_whatever_their_capitals_and_blanks(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(" Product ID ;TITLE; List-Price \np1;hat;12,50\n")
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products.select("product_id", "title", "list_price").rows() == [("p1", "hat", 12.5)]
    assert {one.evidence for one in shop.remarks if one.check == "products: columns"} == {
        "read column 'Product ID' as 'product_id'",
        "read column 'TITLE' as 'title'",
        "read column 'List-Price' as 'list_price'",
    }


def test_two_columns_of_nearly_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("product_id,Title,TITLE\np1,a,b\n")
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products["title"].to_list() == [None]
    said = [one.evidence for one in shop.remarks if one.level == "WARN"]
    assert said == ["'Title' and 'TITLE' may both be 'title': neither is read"]


@pytest.mark.parametrize("mark", ["", "*", ":", "\u200b", "\ufeff", " (EUR)", " [each]", "\n", "`", "."])
@pytest.mark.parametrize(
    "name", ["list_price", "listPrice", "List Price", "LIST-PRICE", "ｌｉｓｔ　ｐｒｉｃｅ"]
)
def test_a_column_goes_by_its_letters(tmp_path: Path, name: str, mark: str) -> None:
    (tmp_path / "p.csv").write_text(f'product_id,"{name}{mark}",size\np1,12.50,3\n', encoding="utf-8")
    products = {"path": "p.csv", "numeric": ["Size"]}
    shop = load_shop(tmp_path, {"products": products})
    assert shop.products.select("list_price", "Size").rows() == [(12.5, 3.0)]


def test_a_formula_around_any_field(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        'product_id,title,price\n"=""007""","=""hat""","=""12.50"""\n="008",tee,="9"\n'
    )
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products.select("product_id", "title", "price").rows() == [
        ("007", "hat", 12.5),
        ("008", "tee", 9.0),
    ]


def test_a_separator_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("product_id~title\np1~a,b\n")
    products = {"path": "p.csv", "separator": "~"}
    assert load_shop(tmp_path, {"products": products}).products["title"].to_list() == ["a,b"]


@pytest.mark.parametrize(
    "setting", [{"separator": "ab"}, {"separator": ""}, {"encoding": "utf-9"}, {"decimal": ";"}]
)
def test_settings_that_make_no_sense(tmp_path: Path, setting: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        load_shop(tmp_path, {"products": {"path": "p.csv", **setting}})


def test_frames_keep_their_types(tmp_path: Path) -> None:
    pl.DataFrame({"product_id": [1], "title": ["product_id"]}).write_parquet(tmp_path / "p.parquet")
    assert read_rows(tmp_path / "p.parquet").frame["product_id"].dtype == pl.Int64


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header_too", [False, True])
def test_lines_that_are_quoted_as_a_whole(tmp_path: Path, separator: str, *, header_too: bool) -> None:
    lines = [separator.join(row) for row in (["id", "title"], ["1", "red"], ["2", 'a ""b""'])]
    quoted = ['"' + line.replace('"', '""') + '"' for line in lines]
    text = "\n".join([quoted[0] if header_too else lines[0], *quoted[1:]])
    (tmp_path / "t.csv").write_text(text)
    read = read_rows(tmp_path / "t.csv")
    assert read.frame.columns == ["id", "title"]
    assert read.frame["id"].to_list() == ["1", "2"]
    assert any("in quotes once more" in said.evidence for said in read.said)


def test_a_first_column_with_commas_alone_stays(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,title\n"1,a",\nb,\n')
    assert read_rows(tmp_path / "t.csv").frame.rows() == [("1,a", None), ("b", None)]


@pytest.mark.parametrize("behind", [",", ",,", ", "])
def test_a_separator_behind_the_last_field(tmp_path: Path, behind: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,title\n1,a{behind}\n2,b\n")
    assert read_rows(tmp_path / "t.csv").frame.rows() == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize("mark", ["^", "~", "§", "¦", "\x01", "\x1f"])
def test_rarer_separators_are_seen_in_the_header(mark: str) -> None:
    rows = [["product_id", "title", "price"], ["p1", "red, big; new", "1.5"], ["p2", "blue|x", "2.5"]]
    read = read_csv("\n".join(map(mark.join, rows)), Path("a.csv"))
    assert [list(row) for row in read.frame.rows()] == rows[1:]
    assert read.frame.columns == rows[0]


@pytest.mark.parametrize("mark", ["é", "·", "→", "，"])
def test_any_sign_may_be_set_as_the_separator(mark: str) -> None:
    read = read_csv(f"a{mark}b\n1{mark}2\n", Path("a.csv"), mark)
    assert read.frame.to_dict(as_series=False) == {"a": ["1"], "b": ["2"]}
