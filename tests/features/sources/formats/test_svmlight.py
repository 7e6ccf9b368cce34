import gzip
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_svmlight_file

from features.errors import InputError
from features.sources.formats import svmlight
from features.sources.formats.svmlight import read_svmlight
from features.sources.load import Collection, SvmlightConfig, load
from features.sources.remarks import Said

VALUES = st.floats(allow_nan=False, allow_infinity=False, width=32)
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.dictionaries(st.integers(1, 9), VALUES, max_size=6)),
    min_size=1,
    max_size=20,
)


def _write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def _features(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.selectors.starts_with("given."))


@given(rows=ROWS, chunk=st.sampled_from([1, 30, 4_000_000]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_agrees_with_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[int, dict[int, float]]], chunk: int
) -> None:
    lines = [
        " ".join([f"{grade} qid:{i // 3 + 1}", *(f"{k}:{v!r}" for k, v in sorted(features.items()))])
        for i, (grade, features) in enumerate(rows)
    ]
    monkeypatch.setattr(svmlight, "_CHUNK", chunk)
    path = _write(tmp_path / "rows.txt", "\n".join(lines) + "\n")
    frame = read_svmlight(path)
    matrix, grades, qids = load_svmlight_file(str(path), query_id=True, zero_based=False)
    width = max((max(features) for _, features in rows if features), default=0)
    assert _features(frame).columns == [f"given.f{i}" for i in range(1, width + 1)]
    if width:
        np.testing.assert_array_equal(_features(frame).to_numpy(), matrix.toarray()[:, :width])
    assert frame["grade"].to_list() == grades.tolist()
    assert frame["query_id"].to_list() == [str(qid) for qid in qids]


TOKENS = st.sampled_from(
    [
        "1:0.5",
        "2:-3",
        "3:nan",
        "4:1e400",
        "9:+.5",
        "1:2",
        "7:",
        ":7",
        "5:1:2",
        "5",
        "-1:2",
        "1e1:2",
        "0:0",
        "01:4",
        *("99999:1", "70000:1", "6:1_0", "6:0x1", "qid:2", '6:"1"', "8:١"),
    ]
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["0", "1", "2.5", "-1", "nan", "x"]) | st.just("1"),
        st.sampled_from(["qid:1", "qid:a", "qid:", "QID:1", "qid:1:2"]) | st.just("qid:1"),
        st.lists(TOKENS, max_size=4) | st.sampled_from([["1:1", "2:3", "5:7"], ["1:1", "2:3"], ["2:4"], []]),
        st.sampled_from([" ", "  ", "\t", "\u00a0"]) | st.just(" "),
        st.sampled_from(["", " ", "\r", " # docid = A", "#7", "\n", "\n# only"]) | st.just(""),
    ),
    min_size=1,
    max_size=6,
)


@given(lines=LINES, chunk=st.sampled_from([1, 30, 4_000_000]))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plain_lines_are_read_as_token_by_token(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[tuple[str, str, list[str], str, str]],
    chunk: int,
) -> None:
    text = "\n".join(blank.join([grade, qid, *tokens]) + end for grade, qid, tokens, blank, end in lines)
    path = _write(tmp_path / "rows.txt", text)
    monkeypatch.setattr(svmlight, "_CHUNK", chunk)
    found = _read_or_error(path)
    with monkeypatch.context() as patch:
        patch.setattr(svmlight, "_plain", lambda text: None)
        assert _read_or_error(path) == found


def _read_or_error(path: Path) -> str:
    try:
        frame = read_svmlight(path)
    except InputError as error:
        return str(error)
    return frame.write_csv()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1 qid:1 1:1 3:2\n0 qid:1 2:1", True),
        ("1 1:1 3:2\n0", True),
        ("1 qid:1 1:1  3:2", False),
        ("1 qid:1 3:1 1:2", False),
        ("1 qid:1 3:1 3:2", False),
        ("1 qid:1 1:2:3 4", False),
        ("1 qid:1 1:1\n\n0 qid:1 2:1", False),
        ("1 qid:1 1:1\n0 2:1", False),
    ],
)
def test_which_lines_are_plain(text: str, plain: bool) -> None:
    assert (svmlight._plain(text) is not None) == plain


def test_comments_blank_lines_and_docids(tmp_path: Path) -> None:
    rows = (
        "2 qid:7 1:0.5 3:2 #docid = GX1 inc = 1",
        " 0  qid:7\t2:1e-3 # docid=GX2\r",
        "1 qid:8 #docid = GX1",
    )
    text = "# a comment\n\n" + "\n".join(rows)
    frame = read_svmlight(_write(tmp_path / "rows.txt.gz", text))
    assert frame.rows() == [
        ("7", "GX1", 2.0, 0.5, 0.0, 2.0),
        ("7", "GX2", 0.0, 0.0, 1e-3, 0.0),
        ("8", "GX1", 1.0, 0.0, 0.0, 0.0),
    ]


@pytest.mark.parametrize("docids", [("A", "A"), ("A", None)])
def test_row_numbers_where_docids_do_not_tell_rows_apart(
    tmp_path: Path, docids: tuple[str | None, ...]
) -> None:
    lines = [f"1 qid:1 1:1{f' # docid = {d}' if d else ''}" for d in docids]
    frame = read_svmlight(_write(tmp_path / "rows.txt", "\n".join(lines)), prefix="train-")
    assert frame["product_id"].to_list() == ["train-r1", "train-r2"]


PLAIN = ("2 qid:1 1:0.5 3:2", "0 qid:1 1:nan 2:1", "1 qid:2 1:-inf 2:1e-3")
WRITTEN = {
    "windows": "\r\n".join(PLAIN) + "\r\n",
    "old mac": "\r".join(PLAIN),
    "tabs": "\n".join(PLAIN).replace(" ", "\t"),
    "blank lines": "\n\n".join(PLAIN) + "\n \n",
    "blanks around": "\n".join(f"  {line}  " for line in PLAIN),
    "a mark": "\ufeff" + "\n".join(PLAIN),
    "a head": "# made by hand\n" + "\n".join(PLAIN),
    "indices falling": "2 qid:1 3:2 1:0.5\n0 qid:1 2:1 1:nan\n1 qid:2 2:1e-3 1:-inf",
    "grades as floats": "2.0 qid:1 1:0.5 3:2\n0.00 qid:1 1:NaN 2:1\n1e0 qid:2 1:-Infinity 2:.001",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_one_table_however_it_is_written(tmp_path: Path, name: str) -> None:
    expected = read_svmlight(_write(tmp_path / "plain.txt", "\n".join(PLAIN)))
    assert expected["given.f1"].to_list()[::2] == [0.5, float("-inf")]
    assert expected["given.f1"].is_nan().to_list() == [False, True, False]
    assert read_svmlight(_write(tmp_path / "other.txt", WRITTEN[name])).equals(expected)
    assert read_svmlight(_write(tmp_path / "other.gz", WRITTEN[name])).equals(expected)


def test_counting_from_zero_keeps_the_files_indices(tmp_path: Path) -> None:
    frame = read_svmlight(_write(tmp_path / "rows.txt", "1 qid:1 0:3 2:4\n"))
    assert _features(frame).rows(named=True) == [{"given.f0": 3.0, "given.f1": 0.0, "given.f2": 4.0}]


@pytest.mark.parametrize("groups", ["rank.train.query", "rank.train.gz.query"])
def test_lightgbms_group_sizes(tmp_path: Path, groups: str) -> None:
    sizes = [1, 9, 2]
    rows = "".join(f"{i % 3} 1:{i}\n" for i in range(sum(sizes)))
    _write(tmp_path / groups, "\n".join(map(str, sizes)) + "\n")
    frame = read_svmlight(_write(tmp_path / "rank.train.gz", rows))
    assert frame["query_id"].to_list() == [f"q{i + 1}" for i, n in enumerate(sizes) for _ in range(n)]
    assert frame.sort("query_id", "product_id").equals(frame)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 qid:1 1:1\n1 qid:1 1:x\n", "line 2: expected feature:value"),
        ("1 qid:1 1:1\n1 qid:1 -1:2\n", "'-1:2'"),
        ("1 qid:1 99999:2\n", "'99999:2'"),
        ("1 qid:1 3\n", "'3'"),
        ("1 qid:1 1: 2\n", "'1:'"),
        ("1 qid:1 2:1 2:3\n", "each feature once"),
        ("good qid:1 1:2\n", "expected a grade, got 'good'"),
        ("1 qid:1 1:2\n1 1:2\n", "line 2: expected qid:N"),
        ("1 1:2\n", "line 1: expected qid:N"),
        (
            "1 qid:1 1:2\n\n1 qid:2 1:2\n1 qid:1 1:2\n",
            "line 4: expected all rows of a query together, got query '1'",
        ),
        ("# nothing\n", "comments only"),
        ("1 qid:1 1:1\n1 1:1 qid:1\n", "line 2: expected qid:N right behind the grade"),
        ("1 QID:1 1:1\n", "expected qid:N right behind the grade, in small letters"),
        ("1 qid: 1 1:1\n", "and without a blank in it, got 'qid:'"),
        ("1 qid:1 1:NULL\n", "(nan where it is missing), got '1:NULL'"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_svmlight(_write(tmp_path / "rows.txt", text))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("sizes", "message"), [("1\n1\n", "got 2"), ("1\nx\n", "line 2"), ("3\n0\n", "line 2"), ("4\n", "got 4")]
)
def test_group_sizes_that_do_not_fit(tmp_path: Path, sizes: str, message: str) -> None:
    _write(tmp_path / "rows.query", sizes)
    with pytest.raises(InputError, match=r"rows\.query") as error:
        read_svmlight(_write(tmp_path / "rows", "1 1:2\n" * 3))
    assert message in str(error.value)


def _svmlight(tmp_path: Path, **files: str) -> Collection:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return load(SvmlightConfig(files={name: Path(name) for name in files}), tmp_path)


def test_svmlight_files_share_their_features(tmp_path: Path) -> None:
    sets = _svmlight(tmp_path, train="1 qid:1 1:nan 2:5\n-1 qid:1 1:3\n", test="2 qid:2 3:7\n")
    assert sets.given is not None
    assert sets.given.drop("query_id", "product_id").rows() == [(None, 5.0, 0.0), (0.0, 0.0, 7.0)]
    assert sets.judgements.rows() == [("1", "train-r1", 1.0), ("2", "test-r1", 2.0)]
    assert sets.queries.select("query_id", "text", "split").rows() == [
        ("1", None, "train"),
        ("2", None, "test"),
    ]
    assert [(s.step, s.affected) for s in sets.steps if s.affected] == [
        ("grade negative", 1),
        ("NaN or infinite set to null", 1),
    ]


def test_svmlight_files_that_number_their_queries_alike(tmp_path: Path) -> None:
    sets = _svmlight(tmp_path, train="1 qid:1 1:1\n", test="2 qid:1 1:7\n")
    assert sets.queries["query_id"].to_list() == ["train-1", "test-1"]
    assert [(s.step, s.affected) for s in sets.steps if s.affected] == [
        ("qid in several files, taken as different queries", 2)
    ]


@pytest.mark.parametrize(
    "comment",
    [
        "{}", " {} red shoe", " docid = {} inc = 1", "docid={}", " docid:{}", " doc_id: {} red",
        ' {{"docid": "{}"}}', " '{}'", " product_id={}", ' "{}"',
    ],
)  # fmt: skip
@pytest.mark.parametrize("ids", [["p1", "p2"], ["GX000-1", "GX000-2"], ["caf\u00e9", "cafe\u0301-2"]])
def test_ids_in_comments_however_they_are_named(tmp_path: Path, comment: str, ids: list[str]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"1 qid:1 1:0.5 #{comment.format(one)}\n" for one in ids))
    found = read_svmlight(path)["product_id"].to_list()
    assert found == [unicodedata.normalize("NFC", one) for one in ids]


def test_the_first_word_of_a_title_in_quotes_is_no_id(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text('1 qid:1 1:0.5 # "red shoe"\n0 qid:1 1:0.4 # "blue shoe"\n')
    said: list[Said] = []
    assert read_svmlight(path, said=said)["product_id"].to_list() == ["r1", "r2"]
