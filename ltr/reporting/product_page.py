"""Products side by side: the lines that tell them apart, and a page with their photos, sounds and videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features.batch import has_values
from features.disk import write_whole
from features.groups.likeness import PARTS
from features.media.columns import media_columns, modality_of
from ltr.reporting.clips import Clips, file_name
from ltr.reporting.pages import render
from ltr.reporting.thumbnails import thumbnail

_NOT_ATTRIBUTES = {"product_id", "image", "image_hash"}
_PHOTO = (320, 320)  # pixels: large enough to look at, small enough for a page of many
_ROOM = 4_000_000  # characters of the page for clips to play


@dataclass(frozen=True)
class Attribute:
    """One line of the table: a column's value for each product; differs where two known values are unlike."""

    name: str
    values: tuple[str, ...]
    differs: bool


def attributes(chosen: pl.DataFrame) -> list[Attribute]:
    """What is known of at least one of the products (k rows), column by column."""
    found = []
    files = media_columns(chosen.columns)
    for column in chosen.columns:
        if column in _NOT_ATTRIBUTES or not has_values(chosen, column):
            continue
        if column in files:
            names = tuple("–" if item is None else file_name(item) for item in chosen[column])
            differ = chosen[column].drop_nulls().n_unique() > 1  # two of one name or size may
            found.append(Attribute(modality_of(column), names, differ))
            continue
        values = tuple(_in_words(value) for value in chosen[column])
        found.append(Attribute(column.replace("_", " "), values, len(set(values) - {"–"}) > 1))
    return found


def _in_words(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}".removesuffix(".00") if isinstance(value, float) else str(value)


def write_page(target: Path, chosen: pl.DataFrame, lines: Sequence[Attribute], alike: pl.DataFrame) -> None:
    """`page` as a file, whole or not at all."""
    write_whole(target, page(chosen, lines, alike))


def page(chosen: pl.DataFrame, lines: Sequence[Attribute], alike: pl.DataFrame) -> str:
    """The whole page; photos are embedded, and other files that browsers play, as long as there is room."""
    clips = Clips(_ROOM)
    products: list[Mapping[str, object]] = [
        {
            "id": row["product_id"],
            "title": row.get("title") or row["product_id"],
            "photo": thumbnail(row.get("image"), _PHOTO),
            "clips": clips.of(row),
        }
        for row in chosen.iter_rows(named=True)
    ]
    values = {"products": products, "lines": lines, "parts": (*PARTS, "overall"), "alike": alike.to_dicts()}
    return render("compare.html", values)
