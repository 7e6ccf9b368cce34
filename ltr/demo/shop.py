"""The embedded default: a generated shop with photos, whose right answers are known.

Every product and every query has hidden attributes. A photo shows kind, colour and pattern; title and
description tell material and use, seldom the looks; price, brand, rating, season and delivery stand
in columns. Grades follow from all of them, so each source holds a part that the others lack.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from features.disk import draft_beside
from features.errors import InputError
from features.sources.frames import fingerprint
from features.sources.load import Collection
from ltr.demo.photos import COLOURS, PATTERNS, render
from ltr.demo.words import BRANDS, KINDS, description, query_text, title

_TABLES = ("products", "queries", "judgements")
_HIDDEN = ("stock", "wishes")
SEASONS = ("all year", "summer", "winter")
SEGMENTS = ("text", "photo", "text", "mixed")  # in turn, so that a small shop has each
_TODAY = datetime(2024, 11, 1)
_MISSING = {"image": 0.05, "description": 0.1, "brand": 0.06, "price": 0.04, "rating": 0.1}

# What a shopper may ask for in words, and how often.
_ASKED = {"colour": 0.18, "pattern": 0.1, "material": 0.22, "use": 0.2, "brand": 0.13, "max_price": 0.17}

CUTS = (0.4, 0.62, 0.82)  # utility from which the grade is 1, 2, 3
_DISAGREEMENT = 0.06  # standard deviation of a judge's utility about the true one


class DemoShopConfig(BaseModel):
    """How large a shop to make up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: ClassVar[str] = "USD"
    """Of its prices; its queries name dollars."""

    kind: Literal["demo"] = "demo"
    products: int = 1200
    queries: int = 240
    judged_per_query: int = Field(30, description="on average; never more than there are products")
    judged: Literal["drawn", "pooled"] = Field(
        "drawn",
        description="drawn: lists mixed to be instructive (good products, lookalikes, chance); pooled: what the first "
        "ten of several plain systems and of a first ranker hold, as a team judges",
    )
    seed: int = Field(7, ge=0)


@dataclass(frozen=True)
class DemoShop:
    """The three tables a ranker may see, and the three that only a test may.

    stock: product_id and its hidden attributes. wishes: query_id and the attributes asked for, null
    where any will do. truth: query_id, product_id, utility in [0, 1], and the grade (Float64) that a
    judge without error would give; row-aligned with judgements.
    """

    products: pl.DataFrame
    queries: pl.DataFrame
    judgements: pl.DataFrame
    stock: pl.DataFrame
    wishes: pl.DataFrame
    truth: pl.DataFrame


def generate(config: DemoShopConfig) -> DemoShop:
    """Make up a shop: the same for the same config; a larger one begins with the products of a smaller.

    Raises InputError unless there is at least one product, one query and one judgement per query.
    """
    for name in ("products", "queries", "judged_per_query"):
        if getattr(config, name) < 1:
            raise InputError(
                where=f"data.{name}",
                expected="1 or more",
                got=str(getattr(config, name)),
                cure=f"raise {name}",
            )
    products, stock = _make(_product(config.seed, n) for n in range(config.products))
    queries, wishes = _make(_query(config.seed, n, stock) for n in range(config.queries))
    truth = _truth(config, wishes, stock)
    noise = np.random.default_rng([config.seed, 4]).normal(0, _DISAGREEMENT, truth.height)
    judgements = truth.select("query_id", "product_id", grade=_grade(truth["utility"].to_numpy() + noise))
    return DemoShop(products, queries, judgements, stock, wishes, truth)


def collection(config: DemoShopConfig, folder: Path | None = None) -> Collection:
    """The generated shop as `features.sources.load` would give it; nothing in it needs cleaning.

    Kept under the folder, if one is given, and read from there once it is.
    """
    if folder is None:
        shop = generate(config)
        tables = shop.products, shop.queries, shop.judgements
        return Collection(*tables, None, None, [], {}, _fingerprints(shop))
    kept = _kept(config, folder)
    products, queries, judgements = (pl.read_ipc(kept / f"{name}.arrow") for name in _TABLES)
    fingerprints = json.loads((kept / "fingerprints.json").read_text(encoding="utf-8"))
    return Collection(products, queries, judgements, None, None, [], {}, fingerprints)


def kept_shop(config: DemoShopConfig, folder: Path) -> DemoShop:
    """As `generate`, kept under the folder, as `collection` keeps it."""
    kept = _kept(config, folder)
    products, queries, judgements, stock, wishes = (
        pl.read_ipc(kept / f"{name}.arrow") for name in (*_TABLES, *_HIDDEN)
    )
    return DemoShop(products, queries, judgements, stock, wishes, _truth(config, wishes, stock))


def true_grades(config: DemoShopConfig, folder: Path) -> pl.DataFrame:
    """query_id, product_id, grade of every product for every query, as a judge without error would give them.

    Of the shop that `collection` keeps under the folder. Only measuring may look at it.
    """
    return grades_of_all(pl.read_ipc(_kept(config, folder) / "wishes.arrow"), stock(config, folder))


def stock(config: DemoShopConfig, folder: Path) -> pl.DataFrame:
    """product_id and the hidden attributes of every product of the shop that `collection` keeps under the folder."""
    return pl.read_ipc(_kept(config, folder) / "stock.arrow")


def grades_of_all(wishes: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    """query_id, product_id and the true grade of every product of the stock, for every wish."""
    parts = [
        stock.select(pl.lit(wish["query_id"]).alias("query_id"), "product_id").with_columns(
            grade=_grade(utility(wish, stock))
        )
        for wish in wishes.iter_rows(named=True)
    ]
    return pl.concat(parts)


def judged_grades(config: DemoShopConfig, wishes: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    """As `grades_of_all`, by judges who err as those of the shop's own judgements do; the same pair always alike."""
    rng = np.random.default_rng([config.seed, 5])
    parts = [
        stock.select(pl.lit(wish["query_id"]).alias("query_id"), "product_id").with_columns(
            grade=_grade(utility(wish, stock) + rng.normal(0, _DISAGREEMENT, stock.height))
        )
        for wish in wishes.iter_rows(named=True)
    ]
    return pl.concat(parts)


def new_queries(stock: pl.DataFrame, count: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many queries by the shop's own rules, and the wishes behind them; others than the shop's for another seed."""
    return _make(_query(seed, number, stock) for number in range(count))


def _kept(config: DemoShopConfig, folder: Path) -> Path:
    """The shop's tables on disk, made where they are not yet there."""
    kept = folder / f"demo-{shop_key(config)}"
    if not kept.is_dir():
        _keep(generate(config), kept)
    return kept


def shop_key(config: DemoShopConfig) -> str:
    """Names a shop by its settings and by the code that makes it up."""
    digest = hashlib.blake2b(config.model_dump_json(exclude={"judged"}).encode(), digest_size=16)
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _keep(shop: DemoShop, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with draft_beside(folder) as draft:
        tables = {name: getattr(shop, name) for name in (*_TABLES, *_HIDDEN)}
        for name, table in tables.items():
            table.write_ipc(draft / f"{name}.arrow")
        (draft / "fingerprints.json").write_text(json.dumps(_fingerprints(shop)), encoding="utf-8")
        with suppress(OSError):  # another process has made the same meanwhile
            draft.replace(folder)


def _fingerprints(shop: DemoShop) -> dict[str, str]:
    return {name: fingerprint(getattr(shop, name)) for name in _TABLES}


def _make(rows: Iterator[tuple[dict[str, Any], dict[str, Any]]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collect rows of (what is seen, what is hidden) into two frames."""
    seen, hidden = zip(*rows, strict=True)
    return _frame(seen), _frame(hidden)


def _frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: _NOT_STRINGS.get(name, pl.String) for name in rows[0]})


_NOT_STRINGS = {
    "image": pl.Binary(),
    "listed_at": pl.Datetime("us"),
    **dict.fromkeys(("price", "list_price", "max_price", "rating", "rating_count"), pl.Float64()),
    **dict.fromkeys(("delivery_days", "appeal"), pl.Float64()),
}


def _product(seed: int, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng([seed, 1, number])
    hidden = _attributes(rng)
    price = round(KINDS[hidden["kind"]].price * BRANDS[hidden["brand"]] * rng.lognormal(0, 0.3), 2)
    discount = rng.choice([0, 0, 0, 0.1, 0.2, 0.3, 0.5])
    quality, delivery_days = rng.beta(2, 2), int(rng.integers(1, 10))
    season = str(rng.choice(SEASONS))
    appeal = 0.6 * quality + 0.25 * (season != "summer") + 0.15 * (delivery_days <= 3)
    product_id = f"p{number:06d}"
    seen = {
        "product_id": product_id,
        "title": title(hidden, rng),
        "description": description(hidden, rng),
        "brand": hidden["brand"],
        "category": KINDS[hidden["kind"]].category,
        "price": price,
        "list_price": round(price / (1 - discount), 2),
        "rating": round(float(np.clip(1.5 + 3.5 * quality + rng.normal(0, 0.2), 1, 5)), 1),
        "rating_count": float(np.floor(rng.lognormal(1.5 + 3 * quality, 0.8))),
        "listed_at": _TODAY - timedelta(minutes=int(rng.integers(60 * 24 * 900))),
        "image": render(hidden["kind"], hidden["colour"], hidden["pattern"], rng),
        "season": season,
        "delivery_days": float(delivery_days),
    }
    lost = {name: None for name, share in _MISSING.items() if rng.random() < share}
    if "price" in lost:
        lost["list_price"] = None
    return seen | lost, {"product_id": product_id, **hidden, "price": price, "appeal": appeal}


def _attributes(rng: np.random.Generator) -> dict[str, str]:
    kind = str(rng.choice(list(KINDS)))
    return {
        "kind": kind,
        "shelf": KINDS[kind].shelf,
        "colour": str(rng.choice(list(COLOURS))),
        "pattern": str(rng.choice(PATTERNS, p=[0.4, 0.2, 0.2, 0.2])),
        "material": str(rng.choice(KINDS[kind].materials)),
        "use": str(rng.choice(KINDS[kind].uses)),
        "brand": str(rng.choice(list(BRANDS))),
    }


def _query(seed: int, number: int, stock: pl.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """A wish for something that the shop has, told in words, by a photo, or by both."""
    rng = np.random.default_rng([seed, 2, number])
    segment = SEGMENTS[number % len(SEGMENTS)]
    target = stock.row(int(rng.integers(stock.height)), named=True)
    said: dict[str, Any] = _said(segment, target, rng)
    shown: dict[str, Any] = {}
    if segment != "text":
        shown = {name: target[name] for name in ("colour", "pattern")}
        if "colour" in said:  # "like this, but in blue"
            shown["colour"] = str(rng.choice([c for c in COLOURS if c != said["colour"]]))
    query_id = f"q{number:06d}"
    seen = {
        "query_id": query_id,
        "text": query_text(said | {"kind": target["kind"]}, rng, with_photo=bool(shown)) if said else None,
        "image": render(target["kind"], shown["colour"], shown["pattern"], rng) if shown else None,
        "segment": segment,
    }
    wish = dict.fromkeys(_ASKED) | shown | said
    return seen, {"query_id": query_id, "kind": target["kind"], "shelf": target["shelf"], **wish}


def _said(segment: str, target: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """One to three things asked for in words; the pattern is never said where a photo shows it."""
    if segment == "photo":
        return {}
    asked = [name for name in _ASKED if not (segment == "mixed" and name == "pattern")]
    odds = np.array([_ASKED[name] for name in asked])
    count = int(rng.choice([1, 2, 3], p=[0.25, 0.5, 0.25])) if segment == "text" else int(rng.integers(1, 3))
    chosen = rng.choice(asked, count, replace=False, p=odds / odds.sum())
    limit = float(5 * np.ceil(target["price"] * rng.uniform(1, 1.25) / 5))
    return {name: limit if name == "max_price" else target[name] for name in map(str, chosen)}


def utility(wish: dict[str, Any], stock: pl.DataFrame) -> NDArray[np.float64]:
    """How well each product (n,) of the stock serves a wish, in [0, 1].

    likeness · (0.15 + 0.5 · share of the wishes met + 0.35 · appeal); likeness is 1 for the kind asked
    for, 0.55 for another kind on its shelf (trainers for boots), else 0.
    """
    kind, shelf = (stock["kind"] == wish["kind"]).to_numpy(), (stock["shelf"] == wish["shelf"]).to_numpy()
    likeness = np.where(kind, 1, np.where(shelf, 0.55, 0))
    return likeness * (0.15 + 0.5 * _share_met(wish, stock) + 0.35 * stock["appeal"].to_numpy())


def _share_met(wish: dict[str, Any], stock: pl.DataFrame) -> NDArray[np.float64]:
    met = [
        (stock[name] == wish[name]).to_numpy()
        for name in _ASKED
        if name != "max_price" and wish[name] is not None
    ]
    if wish["max_price"] is not None:
        met.append((stock["price"] <= wish["max_price"]).to_numpy())
    return np.mean(met, axis=0)


def _truth(config: DemoShopConfig, wishes: pl.DataFrame, stock: pl.DataFrame) -> pl.DataFrame:
    """The judged pairs, sorted by query and product, with utility and the grade that follows from it."""
    rng = np.random.default_rng([config.seed, 3])
    parts = []
    for wish in wishes.iter_rows(named=True):
        values = utility(wish, stock)
        chosen = np.sort(
            _candidates(wish, stock, values, round(config.judged_per_query * rng.uniform(0.7, 1.3)), rng)
        )
        parts.append(
            pl.DataFrame({"product_id": stock["product_id"][chosen], "utility": values[chosen]}).select(
                pl.lit(wish["query_id"]).alias("query_id"), "product_id", "utility"
            )
        )
    truth = pl.concat(parts)
    return truth.with_columns(grade=_grade(truth["utility"].to_numpy()))


def _candidates(
    wish: dict[str, Any],
    stock: pl.DataFrame,
    values: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Rows of the stock to judge: a quarter good ones, others of the kind, lookalikes, and the rest by chance.

    As mixed as what a search would retrieve: a ranker that saw few lookalikes put red trousers above red dresses.
    """
    of_kind = (stock["kind"] == wish["kind"]).to_numpy()
    lookalike = _share_met(wish, stock) - of_kind
    any_order = rng.permutation(stock.height)
    pool = np.concatenate(
        [
            _best(values + rng.normal(0, 0.1, stock.height), count // 4),
            any_order[of_kind[any_order]][: count // 4],
            _best(lookalike + rng.normal(0, 0.1, stock.height), count // 4),
            any_order,
        ]
    )
    _, first = np.unique(pool, return_index=True)
    return pool[np.sort(first)[:count]]


def _best(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    return np.argsort(-values)[:count]


def _grade(values: NDArray[np.float64]) -> pl.Series:
    """Utility → grade 0, 1, 2 or 3."""
    return pl.Series(np.digitize(values, CUTS).astype(np.float64))
