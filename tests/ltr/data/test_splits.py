from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from features.errors import InputError
from ltr.data.checks.parts import check_part_names
from ltr.data.splits import (
    ColumnSplitConfig,
    Fold,
    FoldsConfig,
    RotateConfig,
    SplitConfig,
    TimeSplitConfig,
    make_folds,
)


def queries(count: int = 40, **columns: Sequence[object]) -> pl.DataFrame:
    return pl.DataFrame({"query_id": [f"q{i:03d}" for i in range(count)], **columns})


@given(
    st.integers(2, 6),
    st.sampled_from([0, 0.15, 0.5]),
    st.integers(0, 3),
    st.lists(st.integers(0, 30), min_size=60),
)
def test_folds_test_every_query_once_and_keep_equal_texts_together(
    folds: int, share: float, seed: int, texts: list[int]
) -> None:
    frame = queries(len(texts), text=[f"Text  {t}" if i % 2 else f" text {t}" for i, t in enumerate(texts)])
    units = len(set(texts))
    if units <= folds:
        return
    made = make_folds(FoldsConfig(folds=folds, validation_share=share, seed=seed), frame)
    text_of = dict(zip(frame["query_id"], texts, strict=True))
    assert len(made) == folds
    assert sorted(query for fold in made for query in fold.test) == frame["query_id"].to_list()
    for fold in made:
        parts = [{text_of[query] for query in part} for part in (fold.train, fold.validation, fold.test)]
        assert sum(map(len, parts)) == len(set.union(*parts)) == units
        assert len(parts[1]) == pytest.approx(share * (units - len(parts[2])), abs=1)
        assert units // folds <= len(parts[2]) <= -(-units // folds)


def test_folds_spread_segments_evenly() -> None:
    frame = queries(60, segment=["text"] * 45 + ["photo"] * 15)
    for fold in make_folds(FoldsConfig(folds=5, validation_share=0.25), frame):
        photos = [sum(query >= "q045" for query in part) for part in (fold.train, fold.validation, fold.test)]
        assert photos == [9, 3, 3]


def test_folds_follow_seed_and_not_row_order() -> None:
    frame = queries(40)
    made = make_folds(FoldsConfig(), frame)
    assert make_folds(FoldsConfig(), frame.reverse()) == made
    assert make_folds(FoldsConfig(seed=1), frame) != made


def test_queries_without_text_are_not_one_query() -> None:
    made = make_folds(
        FoldsConfig(folds=2),
        pl.DataFrame({"query_id": list("abcdef"), "text": [None, None, "", "", "x", "X"]}),
    )
    assert all(("e" in fold.test) == ("f" in fold.test) for fold in made)
    assert {len(fold.test) for fold in made} <= {2, 3, 4}


def test_only_the_queries_asked_for() -> None:
    made = make_folds(
        FoldsConfig(folds=2), queries(10), among=pl.Series(["q001", "q001", "q004", "q005", "q009"])
    )
    assert sorted(made[0].test + made[1].test) == ["q001", "q004", "q005", "q009"]


def test_column_names_the_parts() -> None:
    frame = queries(40, split=["train"] * 20 + ["test"] * 10 + ["other"] * 10)
    (fold,) = make_folds(ColumnSplitConfig(validation_share=0.25), frame)
    assert fold.test == [f"q{i:03d}" for i in range(20, 30)]
    assert len(fold.validation) == 0.25 * 20
    assert sorted(fold.train + fold.validation) == [f"q{i:03d}" for i in range(20)]
    (named,) = make_folds(ColumnSplitConfig(validation=("other",)), frame)
    assert named.validation == [f"q{i:03d}" for i in range(30, 40)]
    assert len(named.train) == 20


@pytest.mark.parametrize("validation", ["valid", "Val", "vali", "validation", "DEV", "Development "])
@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize("test", ["test", " Test", "testing"])
def test_parts_by_their_other_names(train: str, validation: str, test: str) -> None:
    frame = queries(6, split=[train, validation, test] * 2)
    (fold,) = make_folds(ColumnSplitConfig(), frame)
    assert (fold.train, fold.validation, fold.test) == (
        ["q000", "q003"],
        ["q001", "q004"],
        ["q002", "q005"],
    )


def test_the_doctor_says_how_parts_were_read_and_who_stands_in_none() -> None:
    config = ColumnSplitConfig()
    frame = queries(6, split=["train", "Train", "test", "dev", "holdout", None])
    (found,) = check_part_names(config, frame, frame["query_id"])
    assert found.level == "WARN"
    for words in (
        "1 queries of 'holdout' stand in no part",
        "1 queries of None",
        "'Train' as 'train'",
        "'dev' as",
    ):
        assert words in found.evidence
    plain = queries(2, split=["train", "test"])
    assert [one.level for one in check_part_names(config, plain, plain["query_id"])] == ["PASS"]


@pytest.mark.parametrize(
    ("parts", "heard"), [("train vali test", False), ("Training Testing", False), ("S1 S2", True)]
)
def test_a_split_that_the_data_name_and_the_config_does_not_heed(parts: str, heard: bool) -> None:
    """LETOR's files are called train, vali and test: folds mix them."""
    names = parts.split()
    frame = queries(2 * len(names), split=names * 2)
    found = list(check_part_names(FoldsConfig(), frame, frame["query_id"]))
    assert [one.level for one in found] == ([] if heard else ["WARN"])
    assert heard or "train 2" in found[0].evidence


def test_rotation_is_letors() -> None:
    parts = ["S1", "S2", "S3", "S4", "S5"]
    frame = queries(5, split=parts)
    part_of = dict(zip(frame["query_id"], parts, strict=True))
    rotated = [
        tuple(
            "".join(part_of[query][1] for query in part) for part in (fold.train, fold.validation, fold.test)
        )
        for fold in make_folds(RotateConfig(), frame)
    ]
    # The table of folds in the data set's own description.
    assert rotated == [
        ("123", "4", "5"),
        ("234", "5", "1"),
        ("345", "1", "2"),
        ("451", "2", "3"),
        ("512", "3", "4"),
    ]


@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Datetime("ms"), pl.Date])
def test_time_trains_on_the_past_only(kind: pl.DataType) -> None:
    start = datetime(2024, 1, 1)
    days = [start + timedelta(days=i) for i in range(40)]
    frame = (
        queries(40, at=days).with_columns(pl.col("at").cast(kind)).sample(fraction=1, shuffle=True, seed=3)
    )
    made = make_folds(TimeSplitConfig(cutoffs=(days[20], days[30]), validation_share=0.1), frame)
    spans = [[(min(part), max(part)) for part in (fold.train, fold.validation, fold.test)] for fold in made]
    assert spans == [
        [("q000", "q017"), ("q018", "q019"), ("q020", "q029")],
        [("q000", "q026"), ("q027", "q029"), ("q030", "q039")],
    ]


@pytest.mark.parametrize(
    ("config", "frame", "message"),
    [
        (FoldsConfig(folds=5), queries(4), "at least 5 different queries, got 4"),
        (FoldsConfig(folds=2), queries(9, text=["same"] * 9), "at least 2 different queries, got 1"),
        (ColumnSplitConfig(), queries(4), "a column 'split' of the queries"),
        (ColumnSplitConfig(), queries(2, split=["train", "tset"]), "split = 'test', got train, tset"),
        (ColumnSplitConfig(), queries(2, split=[None, None]), "nulls only"),
        (RotateConfig(), queries(4, split=["S1", "S2", "S3", "S4"]), "split = 'S5'"),
        (TimeSplitConfig(cutoffs=(datetime(2024, 1, 1),)), queries(2, at=["2024", "2025"]), "got String"),
        (
            TimeSplitConfig(cutoffs=(datetime(2024, 1, 1),)),
            queries(2, at=[datetime(2023, 1, 1), None]),
            "1 nulls",
        ),
        (
            TimeSplitConfig(cutoffs=(datetime(2024, 1, 1),)),
            queries(1, at=[datetime(2023, 1, 1)]),
            "the test part",
        ),
        (
            TimeSplitConfig(cutoffs=(datetime(2024, 1, 1),)),
            queries(1, at=[datetime(2025, 1, 1)]),
            "the training part",
        ),
    ],
)
def test_impossible_splits_name_their_cure(config: SplitConfig, frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_folds(config, frame)


def test_times_with_a_zone_are_refused() -> None:
    frame = queries(1, at=[datetime(2024, 1, 1)]).with_columns(pl.col("at").dt.replace_time_zone("UTC"))
    with pytest.raises(InputError, match="without a zone"):
        make_folds(TimeSplitConfig(cutoffs=(datetime(2024, 1, 1),)), frame)


@pytest.mark.parametrize("parts", [(["a"], ["a"], ["b"]), (["a"], [], ["a"]), (["a"], ["b"], ["b", "c"])])
def test_a_query_in_two_parts_is_an_error(parts: tuple[list[str], list[str], list[str]]) -> None:
    with pytest.raises(InputError, match="each query in one part only"):
        Fold(*parts)


def test_a_query_with_two_rows_in_two_parts_is_an_error() -> None:
    frame = pl.DataFrame({"query_id": ["a", "b", "a"], "split": ["train", "train", "test"]})
    with pytest.raises(InputError, match="'a' in training and test"):
        make_folds(ColumnSplitConfig(validation_share=0), frame)


def test_config_picks_by_kind() -> None:
    adapter: TypeAdapter[SplitConfig] = TypeAdapter(SplitConfig)
    assert adapter.validate_python({"kind": "rotate"}) == RotateConfig()
    for wrong in (
        {"kind": "rows"},
        {"kind": "time", "cutoffs": ["2024-02-01", "2024-01-01"]},
        {"kind": "folds", "folds": 1},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


@pytest.mark.parametrize("seed", range(5))
def test_queries_that_look_alike_stay_in_one_fold(seed: int) -> None:
    """By their words, whatever the punctuation; without words, by their photo; others on their own."""
    looks = {
        "text": ["Red tee!", "red  TEE", "red tee", None, None, None, " "],
        "image": [None, b"ab", b"cd", b"same", b"same", b"other", None],
    }
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(7)], **looks})
    folds = make_folds(FoldsConfig(folds=3, validation_share=0, seed=seed), queries)
    tested_in = {query: number for number, fold in enumerate(folds) for query in fold.test}
    assert tested_in["q0"] == tested_in["q1"] == tested_in["q2"]
    assert tested_in["q3"] == tested_in["q4"]
    assert sorted(tested_in) == [f"q{n}" for n in range(7)]


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize("count", [37, 120])
def test_folds_are_those_of_segments_that_named_the_kinds(seed: int, count: int) -> None:
    """Units shuffled, then in turn by the old names: mixed, photo, text."""
    kinds = ["text", "photo", "text", "mixed"]
    of = [kinds[place % 4] for place in range(count)]
    queries = pl.DataFrame(
        {
            "query_id": [f"q{place:03}" for place in range(count)],
            "text": [None if kind == "photo" else f"words {place}" for place, kind in enumerate(of)],
            "image": [None if kind == "text" else f"{place}.png" for place, kind in enumerate(of)],
            "segment": of,
        }
    )
    order = np.random.default_rng(seed).permutation(count).tolist()
    dealt = sorted(order, key=lambda place: of[place])
    expected = [{f"q{place:03}" for place in dealt[fold::3]} for fold in range(3)]
    folds = make_folds(FoldsConfig(folds=3, seed=seed), queries)
    assert [set(fold.test) for fold in folds] == expected


@pytest.mark.parametrize("name", ["val", "Valid", "validation", "DEV", "development", "validate"])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_validation_part_that_the_config_trains_or_tests_on_is_no_validation_part(
    part: str, name: str
) -> None:
    other = "test" if part == "train" else "train"
    frame = queries(40, split=[name, other] * 20)
    config = ColumnSplitConfig(validation_share=0.25, **{part: (name,)})
    (fold,) = make_folds(config, frame)
    trained, tested = (0, 1) if part == "train" else (1, 0)
    assert sorted(fold.train + fold.validation) == [f"q{i:03d}" for i in range(trained, 40, 2)]
    assert len(fold.validation) == 5
    assert fold.test == [f"q{i:03d}" for i in range(tested, 40, 2)]
    (finding,) = check_part_names(config, frame, frame["query_id"])
    assert finding.level == "PASS"
