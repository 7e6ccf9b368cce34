import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from features.disk import sha256
from features.errors import InputError
from features.sources.formats.readers import read_rows, read_table

TABLE = pl.DataFrame({"id": ["007", "x"], "note": ["a,b", "täglich\tneu"], "price": ["1.5", None]})


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[pl.DataFrame], bytes]] = {
    "parquet": _parquet,
    "csv": lambda frame: frame.write_csv().encode(),
    "tsv": lambda frame: frame.write_csv(separator="\t").encode(),
    "jsonl": lambda frame: frame.write_ndjson().encode(),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_gives_back_the_table(tmp_path: Path, kind: str, zipped: bool) -> None:
    content = WRITERS[kind](TABLE)
    path = tmp_path / (f"table.{kind}.gz" if zipped else f"table.{kind}")
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert read_table(path).equals(TABLE)


@pytest.mark.parametrize(
    ("name", "content", "column", "values"),
    [
        ("bom.csv", b"\xef\xbb\xbfid,n\n1,2\n", "id", ["1"]),
        ("semicolon.csv", b"id;price\n1;2,50\n", "price", ["2,50"]),
        ("short.csv", b"a,b\n1\n2,3\n", "b", [None, "3"]),
        # 200 numbers, then a text: all must survive as text.
        ("mixed.jsonl", b'{"a": 1}\n' * 200 + b'{"a": "x"}\n', "a", ["1"] * 200 + ["x"]),
        ("inch.csv", b'a,b\n5" nail,1\n6" nail\n\n7,3\n', "a", ['5" nail', '6" nail', "7"]),
        ("inch.csv", b'a,b\n5" nail,1\n6" nail\n\n7,3\n', "b", ["1", None, "3"]),
        (
            "kinds.jsonl",
            b'{"a": 1}\n{"a": [2, "x"]}\n{"a": true}\n{}\n',
            "a",
            ["1", '[2, "x"]', "true", None],
        ),
        ("infinite.jsonl", b'{"a": Infinity}\n{"a": 2}\n', "a", [float("inf"), 2.0]),
        ("late.jsonl", b'{"a": 1}\n' * 200 + b'{"b": 2}\n', "b", [None] * 200 + [2]),
    ],
)
def test_habits_of_real_files(tmp_path: Path, name: str, content: bytes, column: str, values: list) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_table(tmp_path / name)[column].to_list() == values


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "an empty file"),
        ("blank.jsonl", b"\n \n", "an empty file"),
        ("header.csv", b"a,b\n", "a header only"),
        (
            "latin.csv",
            "a,b\n1,2\nx,é\n".encode("latin-1"),
            "latin.csv, line 3: expected UTF-8 text, got the byte 0xe9",
        ),
        ("long.csv", b"a,b\n1,2\n1,2,3\n", "long.csv, line 3"),
        ("quote.csv", b'a,b\n1,2\n1,"x\n3,4\n', "quote.csv, line 3: expected a closing quote"),
        ("twice.csv", b'a,a\n1,5" nail\n', "expected each column once, got 'a' more than once"),
        ("broken.jsonl", b'{"a": 1}\n{"a": 1\n', "broken.jsonl, line 2: expected a JSON object"),
        ("list.jsonl", b'[{"a": 1}]\n', "line 1: expected a JSON object, got '[{\"a\": 1}]'"),
        ("no.parquet", b"not parquet at all", "a Parquet file, got one that starts with b'not parque'"),
        ("cut.parquet", _parquet(TABLE)[:-1], "cut off at its end"),
        ("hollow.parquet", b"PAR1PAR1", "a Parquet file"),
        (
            "two.json",
            b'{"a": [{"b": 1}], "c": [{"d": 1}]}',
            "expected a list of objects, got several: 'a', 'c'",
        ),
        ("broken.json", b'[{"a": 1}', "expected a list of objects, got a mistake (Expecting"),
        ("numbers.json", b"[1, 2]", "expected a list of objects, got '[1, 2]'"),
        ("table.xlsx", b"PK", "expected .parquet, .csv"),
        ("cut.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-9], "a whole gzip file"),
        ("packed.csv", gzip.compress(b"a,b\n1,2\n", mtime=0), "a file packed by gzip; end its name in .gz"),
        (
            "twice.csv.gz",
            gzip.compress(gzip.compress(b"a\n1\n", mtime=0), mtime=0),
            "a file packed by gzip; unpack it",
        ),
        ("book.csv", b"PK\x03\x04\x14", "packed by zip (as Excel's .xlsx is); unpack it, or save it as CSV"),
        ("plain.csv.gz", b"a,b\n1,2\n", "a whole gzip file"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        read_table(tmp_path / name)
    assert message in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


ROWS = [{"a": "x", "b": {"c": 1}}, {"a": "ä", "b": None}]
AS_JSON = {
    "list.json": json.dumps(ROWS),
    "pretty.json": json.dumps(ROWS, indent="\t", ensure_ascii=False),
    "lines.json": "\n".join(map(json.dumps, ROWS)) + "\n",
    "held.json": json.dumps({"count": 2, "products": ROWS}),
}


@pytest.mark.parametrize("name", AS_JSON)
def test_json_as_programs_write_tables(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(AS_JSON[name], encoding="utf-8")
    read = read_rows(tmp_path / name)
    assert read.frame.select("a", "b.c").rows() == [("x", 1), ("ä", None)]
    assert [one.evidence for one in read.said] == (
        ["read the list 'products' in the file's object"] if name == "held.json" else []
    )


@pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
def test_text_files_are_tables_by_their_header(tmp_path: Path, separator: str) -> None:
    """Google's feeds are called .txt."""
    (tmp_path / "feed.txt").write_text(f"id{separator}title\n007{separator}boots\n", encoding="utf-8")
    assert read_table(tmp_path / "feed.txt").rows() == [("007", "boots")]


@pytest.mark.parametrize(("name", "message"), [("none.csv", "no such file"), ("", "a folder")])
def test_a_path_without_a_file(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / name)


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert sha256(tmp_path / "x") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("title", ["red", "rød", "红色鞋"])
def test_two_bytes_a_letter_are_seen_without_a_mark(tmp_path: Path, encoding: str, title: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"product_id,title\np1,{title}\n".encode(encoding))
    assert read_table(path).rows() == [("p1", title)]


@pytest.mark.parametrize(
    "start", ['<?xml version="1.0"?><rss>', "<!DOCTYPE html><html>", "\n<html>", "<catalog a='b'>", "<rss>"]
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl"])
def test_pages_and_feeds_are_told_as_such(tmp_path: Path, start: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(f"{start}\n<item>a, b</item>\n")
    with pytest.raises(InputError, match="XML or HTML"):
        read_table(path)
