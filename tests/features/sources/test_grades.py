"""Grades by number, by name, by several raters: what has no number is refused, not dropped."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from features.sources.grades import by_rater
from features.sources.ledger import Ledger
from tests.features.sources.test_load import load_shop


def _grades(folder: Path, column: list[str], **config: Any) -> list[float]:
    rows = [f"{number},p{number},{grade}" for number, grade in enumerate(column)]
    (folder / "j.csv").write_text(
        "\n".join(["query_id;product_id;grade", *(r.replace(",", ";", 2) for r in rows)])
    )
    (folder / "p.csv").write_text("\n".join(["product_id,title", *(f"p{n},hat" for n in range(len(column)))]))
    (folder / "q.csv").write_text("\n".join(["query_id,text", *(f"{n},hat" for n in range(len(column)))]))
    tables = {name: {"path": f"{name[0]}.csv"} for name in ("products", "queries")}
    shop = load_shop(folder, {**tables, "judgements": {"path": "j.csv", **config}})
    return shop.judgements["grade"].to_list()


@pytest.mark.parametrize("left_out", ["Exact", "E", "3", "Good match", "?", "yes"])
def test_a_name_without_a_number_is_refused_and_named(tmp_path: Path, left_out: str) -> None:
    with pytest.raises(InputError, match=f"{re.escape(repr(left_out))} in 2 of 5 rows; give each a number"):
        _grades(tmp_path, [left_out, "Some", "None", left_out, "Some"], grades={"Some": 1, "None": 0})


def test_null_leaves_a_grade_out(tmp_path: Path) -> None:
    assert _grades(tmp_path, ["a", "skip", "b"], grades={"a": 2, "b": 1, "skip": None}) == [2, 1]


@pytest.mark.parametrize(
    ("written", "values", "right"),
    [
        ("{yes: 1, no: 0}", ["yes", "no", "Yes"], [1, 0, 1]),
        ("{on: 2, off: 1}", ["on", "OFF"], [2, 1]),
        ("{true: 3, false: 0}", ["true", "False"], [3, 0]),
        ("{y: 1, n: 0}", ["y", "N"], [1, 0]),
        ("{1: 0, 2: 5}", ["2", "1"], [5, 0]),
        ("{0.5: 1, 1.5: 2}", ["1.5", "0.5"], [2, 1]),
        ("{Exact: 3, other: 0}", ["exact", "OTHER"], [3, 0]),
        ("{None: 0, Some: 1}", ["None", "Some"], [0, 1]),
    ],
)
def test_names_as_yaml_reads_them(
    tmp_path: Path, written: str, values: list[str], right: list[float]
) -> None:
    assert _grades(tmp_path, values, grades=yaml.safe_load(written)) == right


def test_a_word_that_is_often_among_numbers_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'best' in 3 of 12 rows"):
        _grades(tmp_path, [*"012012012", "best", "best", "best"])


def test_one_slip_among_numbers_is_left_out(tmp_path: Path) -> None:
    assert _grades(tmp_path, [*"012012", "2x"]) == [0, 1, 2, 0, 1, 2]


def test_decimal_commas(tmp_path: Path) -> None:
    assert _grades(tmp_path, ["2,5", "1", "0,5"]) == [2.5, 1, 0.5]


RATINGS = st.lists(
    st.lists(st.none() | st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=3, max_size=3),
    min_size=2,
    max_size=8,
)


@given(RATINGS)
def test_a_row_for_each_rater_and_krippendorffs_alpha(ratings: list[list[float | None]]) -> None:
    frame = pl.DataFrame({"product_id": [f"p{i}" for i in range(len(ratings))]})
    raters = [pl.Series(column, dtype=pl.Float64) for column in zip(*ratings, strict=True)]
    ledger = Ledger()
    long = by_rater(frame, raters, ledger)
    given_grades = [[g for g in row if g is not None] for row in ratings]
    assert long["grade"].to_list() == list(itertools.chain(*(row or [None] for row in given_grades)))
    twice = [row for row in given_grades if len(row) > 1]
    evidence = ledger.remarks[0].evidence
    if not twice:
        assert "0 of" in evidence
        return
    # The definition, pair by pair.
    flat = [g for row in twice for g in row]
    within = sum(
        sum((a - b) ** 2 for a, b in itertools.permutations(row, 2)) / (len(row) - 1) for row in twice
    ) / len(flat)
    between = sum((a - b) ** 2 for a, b in itertools.permutations(flat, 2)) / (len(flat) * (len(flat) - 1))
    alpha = 1 - within / between if between else 1.0
    assert float(evidence.rsplit(" ", 1)[1]) == pytest.approx(alpha, abs=0.0051)


def test_two_raters_resolve_to_their_lower_median(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("product_id,title\n1,hat\n2,tee\n3,sock\n")
    (tmp_path / "j.csv").write_text("query,product_id,Ann,Bob\nhat,1,3,2\nhat,2,,1\nhat,3,,\n")
    judgements = {"path": "j.csv", "columns": {"grade": ["Ann", "Bob"]}}
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}, "judgements": judgements})
    assert shop.judgements.rows() == [("q1", "1", 2.0), ("q1", "2", 1.0)]
    assert [one.check for one in shop.remarks] == ["judgements: raters"]


def test_ids_of_two_columns_meet(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("sku,size,title\nA,1,hat\nA,2,big hat\n")
    (tmp_path / "j.csv").write_text("query,sku,size,grade\nhat,A,1,2\nhat,A,2,1\n")
    both = {"product_id": ["sku", "size"]}
    shop = load_shop(
        tmp_path,
        {"products": {"path": "p.csv", "columns": both}, "judgements": {"path": "j.csv", "columns": both}},
    )
    assert shop.judgements.rows() == [("q1", "A/1", 2.0), ("q1", "A/2", 1.0)]


def test_rows_of_variants_take_their_texts_from_the_first(tmp_path: Path) -> None:
    lines = [
        "Handle,Title,Vendor,SKU,price",
        "hat,Hat,Acme,1,5",
        "hat,,,2,6",
        "tee,Tee,,3,7",
        "tee,,Beta,4,8",
        ",,,5,9",
    ]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    columns = {"product_id": "SKU", "brand": "Vendor"}
    shop = load_shop(tmp_path, {"products": {"path": "p.csv", "columns": columns}})
    assert shop.products.select("product_id", "title", "brand", "price").rows() == [
        ("1", "Hat", "Acme", 5.0),
        ("2", "Hat", "Acme", 6.0),
        ("3", "Tee", "Beta", 7.0),
        ("4", "Tee", "Beta", 8.0),
        ("5", None, None, 9.0),
    ]
    (tmp_path / "p.csv").write_text("\n".join(lines).replace("Handle", "Model"))
    grouped = {"path": "p.csv", "columns": {**columns, "group": "Model"}}
    assert load_shop(tmp_path, {"products": grouped}).products["title"].to_list() == [
        "Hat",
        "Hat",
        "Tee",
        "Tee",
        None,
    ]


@pytest.mark.parametrize(
    ("key", "parents"),
    [
        ("item_group_id", ("g1", "g1", "g2")),
        ("Parent", ("", "1", "")),
        ("Parent SKU", ("", "1", "")),
        ("Parent", ("", "id:71", "")),
        ("URL handle", ("hat", "hat", "tee")),
    ],
)
def test_variants_of_other_shops(tmp_path: Path, key: str, parents: tuple[str, str, str]) -> None:
    rows = zip(("71", "72", "73"), ("1", "2", "3"), ("Hat", "", "Tee"), parents, strict=True)
    (tmp_path / "p.csv").write_text("\n".join([f"ID,SKU,title,{key}", *map(",".join, rows)]))
    shop = load_shop(tmp_path, {"products": {"path": "p.csv", "columns": {"product_id": "SKU"}}})
    assert shop.products.select("product_id", "title").rows() == [("1", "Hat"), ("2", "Hat"), ("3", "Tee")]


@pytest.mark.parametrize(
    ("column", "none"),
    [
        *(
            ("price", none)
            for none in ("on request", "Preis auf Anfrage", "call us", "TBD", "sold out", "P.O.A.", "—")
        ),
        *(
            ("rating", none)
            for none in ("not rated", "No reviews yet", "Noch keine Bewertungen", "unrated", "--")
        ),
        *(("listed_at", none) for none in ("0000-00-00", "0000-00-00 00:00:00", "unknown", "TBA")),
    ],
)
def test_words_for_none_in_most_rows_are_no_wrong_column(tmp_path: Path, column: str, none: str) -> None:
    known = {"price": "9.50", "rating": "4.5", "listed_at": "2024-05-31"}[column]
    (tmp_path / "p.csv").write_text(
        f"product_id,title,{column}\n1,a,{none}\n2,b,{none}\n3,c,{known}\n4,d,{none}\n"
    )
    shop = load_shop(tmp_path, {"products": {"path": "p.csv"}})
    assert shop.products[column].is_null().to_list() == [True, True, False, True]
    assert [step.affected for step in shop.steps if step.step.startswith(f"{column}: no ")] == [3]


def test_words_for_none_do_not_hide_a_wrong_column(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("product_id,price\n1,red\n2,blue\n3,on request\n")
    with pytest.raises(InputError, match="'red' in row 1"):
        load_shop(tmp_path, {"products": {"path": "p.csv"}})


@pytest.mark.parametrize("name", ["Handle", "URL handle", "Model"])
def test_a_handle_on_the_first_row_only(tmp_path: Path, name: str) -> None:
    lines = [
        f"{name},Title,Vendor,SKU,price",
        "hat,Hat,Acme,1,5",
        ",,,2,6",
        ",,,,",
        ",,,3,7",
        "tee,Tee,Beta,4,8",
        ",,,5,9",
        ",Sock,,6,10",
        ",,,7,11",
    ]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    columns = {"product_id": "SKU", "brand": "Vendor", **({"group": name} if name == "Model" else {})}
    shop = load_shop(tmp_path, {"products": {"path": "p.csv", "columns": columns}})
    assert shop.products.select("product_id", "title", "brand").rows() == [
        ("1", "Hat", "Acme"),
        ("2", "Hat", "Acme"),
        ("3", "Hat", "Acme"),
        ("4", "Tee", "Beta"),
        ("5", "Tee", "Beta"),
        ("6", "Sock", None),
        ("7", "Sock", None),
    ]
    said = [remark.evidence for remark in shop.remarks if remark.check == "products: variants"]
    assert any(evidence.startswith("5 rows with neither") for evidence in said)


def test_a_parent_named_once_is_no_handle(tmp_path: Path) -> None:
    lines = ["SKU,title,Parent", "1,Hat,", "2,,1", "3,,", "4,Tee,"]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    shop = load_shop(tmp_path, {"products": {"path": "p.csv", "columns": {"product_id": "SKU"}}})
    assert shop.products["title"].to_list() == ["Hat", "Hat", None, "Tee"]


def _graded(
    folder: Path, grades: list[str], names: dict[object, float] | None = None
) -> list[tuple[str, float]]:
    rows = [f'q,p{i},"{grade}"' for i, grade in enumerate(grades)]
    (folder / "j.csv").write_text("\n".join(["query_id,product_id,grade", *rows]), encoding="utf-8")
    (folder / "p.csv").write_text("product_id\n" + "".join(f"p{i}\n" for i in range(len(grades))))
    (folder / "q.csv").write_text("query_id,text\nq,hat\n")
    tables = {"products": {"path": "p.csv"}, "queries": {"path": "q.csv"}}
    shop = load_shop(folder, {**tables, "judgements": {"path": "j.csv", "grades": names}})
    return shop.judgements.select("product_id", "grade").rows()


@pytest.mark.parametrize(
    "form", ["[2, 2, 1]/[1]", "2;2;1/1", "2|2/1|1", "2,2,1/1,1", "(2, 1, 2)/(1, 0, 1)", "2 ; 2/"]
)
def test_several_raters_in_one_field(tmp_path: Path, form: str) -> None:
    several = form.split("/")
    expected = [("p0", 2.0), ("p1", 1.0)][: len([grade for grade in several if grade])]
    assert _graded(tmp_path, several) == expected


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("très\u00a0bon", "très bon"),
        ("tre\u0300s  bon", "très bon"),
        ("Exact\u200b", "exact"),
        ("2.0", 2),
        ("2", 2.0),
        ("null", None),
        ("ＥＸＡＣＴ", "Exact"),
    ],
)
def test_a_grades_name_in_another_form(tmp_path: Path, written: str, name: object) -> None:
    assert _graded(tmp_path, [written, "other"], {name: 3, "other": 0}) == [("p0", 3.0), ("p1", 0.0)]
