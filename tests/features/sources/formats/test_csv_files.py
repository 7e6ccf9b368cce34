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
    assert read.headers.height == len(places)


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
    assert load_shop(tmp_path, {"products": {"path": "p.csv"}}).products["title"].to_list() == [None]


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
