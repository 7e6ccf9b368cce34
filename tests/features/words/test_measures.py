"""Numbers and units as shops and searchers write them."""

import polars as pl
import pytest

from features.words.measures import read_measures

CASES = [
    ("13.3 inch laptop", ["13.3"], ["13.3 in"]),
    ('13.3" laptop', ["13.3"], ["13.3 in"]),
    ("13.3-inch", ["13.3"], ["13.3 in"]),
    ("13.3″", ["13.3"], ["13.3 in"]),
    ("256gb ssd", ["256"], ["256 gb"]),
    ("256 GB", ["256"], ["256 gb"]),
    ("1 TB", ["1"], [f"{1024} gb"]),
    ("2 pack", ["2"], ["2 pack"]),
    ("pack of 2", ["2"], ["2 pack"]),
    ("#8 screw", ["8"], ["8 #"]),
    ("10 ft. hose", ["10"], [f"{10 * 12} in"]),
    ("10' hose", ["10"], [f"{10 * 12} in"]),
    ("7 1/2 volt", ["7.5"], ["7.5 v"]),
    ("1-1/2 in.", ["1.5"], ["1.5 in"]),
    ("7½ in", ["7.5"], ["7.5 in"]),
    ("5 cm", ["5"], [f"{5 * 10} mm"]),
    ("10 sq. ft.", ["10"], ["10 sqft"]),
    ("20 fl. oz", ["20"], ["20 floz"]),
    ("1,000 W", ["1000"], ["1000 w"]),
    (".5 in", ["0.5"], ["0.5 in"]),
    ("8x10 rug", ["8", "10"], []),
    ("4x4x8", ["4", "4", "8"], []),
    ("6' x 8'", ["6", "8"], [f"{6 * 12} in", f"{8 * 12} in"]),
    ("tn-2110", ["2110"], []),
    ("ps4 dv7 1211ea", [], []),
    ("1/0", [], []),
    (f"{'9' * 309} inch", [], []),
    (f"{'9' * 5000} gb and 5 cm", ["5"], [f"{5 * 10} mm"]),
    ("", [], []),
    ("🙂", [], []),
    (None, None, None),
]


@pytest.mark.parametrize(("text", "numbers", "measures"), CASES)
def test_numbers_and_measures_are_read(text: str, numbers: list[str], measures: list[str]) -> None:
    found = read_measures(pl.Series([text], dtype=pl.String))
    assert found.numbers.to_list() == [numbers]
    assert found.measures.to_list() == [measures]


def test_a_column_is_read_row_by_row() -> None:
    texts, numbers, measures = zip(*CASES, strict=True)
    found = read_measures(pl.Series(texts, dtype=pl.String))
    assert found.numbers.to_list() == list(numbers)
    assert found.measures.to_list() == list(measures)


@pytest.mark.parametrize(("one", "other"), [("6 ft", "72 inches"), ("2 l", "2000 ml"), ("1 gallon", "4 qt")])
def test_units_of_one_system_meet(one: str, other: str) -> None:
    found = read_measures(pl.Series([one, other]))
    assert found.measures[0].to_list() == found.measures[1].to_list()
