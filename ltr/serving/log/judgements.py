"""Grades that a team gives in the page's judging view: kept for good, and written as tables that a config can name.

A folder: `grades.ndjson` (each grade as it was given, one a line, synced), and made of it after each change
`judgements.csv` (query_id, query, product_id, a column of grades a judge), `queries.csv` (query_id, text, image) and
the photos of queries in `photos/`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from features.disk import whole_file
from features.errors import InputError
from features.media.files import content_hash
from features.sources.grades import agreement

LOG, TABLE, QUERIES, PHOTOS = "grades.ndjson", "judgements.csv", "queries.csv", "photos"
TABLES = (TABLE, QUERIES)
COLUMN = "grade by "  # of a judge


@dataclass(frozen=True)
class JudgedQuery:
    """text and photo (the hash of its content) together are the query; both are never None."""

    text: str | None
    photo: str | None

    @property
    def query_id(self) -> str:
        key = json.dumps([self.text, self.photo], ensure_ascii=False)
        return f"q-{hashlib.blake2b(key.encode('utf-8', 'backslashreplace'), digest_size=8).hexdigest()}"


class Judgements:
    """All grades of a folder, in memory; several threads may give some at once."""

    def __init__(self, folder: Path) -> None:
        """Raise InputError for a file of grades that is damaged."""
        self.folder = folder
        self._lock = threading.Lock()
        self._queries: dict[str, JudgedQuery] = {}
        self._grades: dict[tuple[str, str], dict[str, int]] = {}
        self._read()

    def add(
        self, judge: str, text: str | None, photo: bytes | None, grades: Mapping[str, int | None]
    ) -> JudgedQuery:
        """Keep a judge's grades by product; None takes one back. Returns when they are on the disk."""
        query = JudgedQuery(text, None if photo is None else content_hash(photo))
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        lines = [
            {"at": now, "judge": judge, **asdict(query), "product_id": product, "grade": grade}
            for product, grade in grades.items()
        ]
        with self._lock:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._keep_photo(query, photo)
            with (self.folder / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            for line in lines:
                self._take(line)
            self._write_tables()
        return query

    def forget(self, judge: str) -> int:
        """Take a judge's grades out of all files; how many lines that were."""
        path = self.folder / LOG
        with self._lock:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
            kept = [line for line in lines if json.loads(line)["judge"] != judge]
            if len(kept) < len(lines):
                with whole_file(path) as unfinished:
                    unfinished.write_text("".join(kept), encoding="utf-8")
                self._grades.clear()
                self._queries.clear()
                self._read()
                self._write_tables()
        return len(lines) - len(kept)

    def given(self, judge: str, text: str | None, photo: bytes | None) -> dict[str, int]:
        """One judge's grades of a query, by product: what others gave is not shown while judging."""
        wanted = JudgedQuery(text, None if photo is None else content_hash(photo)).query_id
        with self._lock:
            found = {product: by for (query, product), by in self._grades.items() if query == wanted}
        return {product: by[judge] for product, by in found.items() if judge in by}

    def summary(self) -> dict[str, Any]:
        """Judges, queries with how much of each is judged, how far the judges agree, and the config that names it."""
        with self._lock:
            grades, queries = dict(self._grades), dict(self._queries)
            raters = self._raters()
        by_judge: dict[str, list[str]] = {}
        for (query, _), by in grades.items():
            for judge in by:
                by_judge.setdefault(judge, []).append(query)
        judges = [
            {"judge": judge, "grades": len(found), "queries": len(set(found))}
            for judge, found in sorted(by_judge.items())
        ]
        return {
            "grades": sum(len(by) for by in grades.values()),
            "pairs": len(grades),
            "judges": judges,
            "queries": [_progress(one, query_id, grades) for query_id, one in queries.items()],
            "agreement": asdict(agreement(raters)) if raters.height else None,
            "config": self.config(list(by_judge)),
            "folder": self.folder.name,
        }

    def config(self, judges: list[str]) -> dict[str, Any]:
        """What a config's `data` section says to learn from these."""
        columns = [COLUMN + judge for judge in sorted(judges)]
        return {
            "queries": {"path": f"{self.folder.name}/{QUERIES}"},
            "judgements": {"path": f"{self.folder.name}/{TABLE}", "columns": {"grade": columns}},
        }

    def _keep_photo(self, query: JudgedQuery, photo: bytes | None) -> None:
        if query.photo is None or photo is None or (self.folder / _photo_file(query.photo)).is_file():
            return
        with whole_file(self.folder / _photo_file(query.photo)) as unfinished:
            unfinished.write_bytes(photo)

    def _read(self) -> None:
        path = self.folder / LOG
        if not path.is_file():
            return
        whole, _, cut_off = path.read_bytes().rpartition(b"\n")
        if cut_off:  # when its writer was killed: it was not acknowledged
            with path.open("r+b") as file:
                file.truncate(len(whole) + 1 if whole else 0)
        for number, line in enumerate(whole.decode("utf-8").split("\n") if whole else (), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, LookupError, TypeError) as error:
                raise InputError(
                    where=f"{path}, line {number}",
                    expected="a grade, as the judging view wrote it",
                    got=line[:60],
                    cure="mend or remove the line, or name another folder with --judgements",
                ) from error

    def _take(self, line: Mapping[str, Any]) -> None:
        query = JudgedQuery(line["text"], line["photo"])
        grade, pair = line["grade"], (query.query_id, line["product_id"])
        if grade is None:
            self._grades.get(pair, {}).pop(line["judge"], None)
            if not self._grades.get(pair, True):
                del self._grades[pair]
        else:
            self._queries.setdefault(query.query_id, query)
            self._grades.setdefault(pair, {})[line["judge"]] = int(grade)

    def _raters(self) -> pl.DataFrame:
        """A column a judge, a row a pair."""
        judges = sorted({judge for by in self._grades.values() for judge in by})
        return pl.DataFrame(
            {COLUMN + judge: [by.get(judge) for by in self._grades.values()] for judge in judges},
            schema=dict.fromkeys((COLUMN + judge for judge in judges), pl.Int64),
        )

    def _write_tables(self) -> None:
        pairs = list(self._grades)
        keys = pl.DataFrame(
            {
                "query_id": [query for query, _ in pairs],
                "query": [self._queries[query].text for query, _ in pairs],
                "product_id": [product for _, product in pairs],
            },
            schema=dict.fromkeys(("query_id", "query", "product_id"), pl.String),
        )
        asked = [self._queries[query] for query in dict.fromkeys(query for query, _ in pairs)]
        queries = pl.DataFrame(
            {
                "query_id": [one.query_id for one in asked],
                "text": [one.text for one in asked],
                "image": [None if one.photo is None else _photo_file(one.photo) for one in asked],
            },
            schema=dict.fromkeys(("query_id", "text", "image"), pl.String),
        )
        for name, table in ((TABLE, pl.concat([keys, self._raters()], how="horizontal")), (QUERIES, queries)):
            with whole_file(self.folder / name) as unfinished:
                table.write_csv(unfinished)


def _photo_file(photo: str) -> str:
    return f"{PHOTOS}/{photo}.jpg"


def _progress(
    one: JudgedQuery, query_id: str, grades: Mapping[tuple[str, str], Mapping[str, int]]
) -> dict[str, Any]:
    judged = [by for (query, _), by in grades.items() if query == query_id]
    judges = sorted({judge for by in judged for judge in by})
    return {"query_id": query_id, "text": one.text, "photo": one.photo is not None, "products": len(judged),
            "judges": judges}  # fmt: skip
