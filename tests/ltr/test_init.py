"""From a shop's own files to a config that runs: many programs' exports, each read back as the shop behind it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from features.errors import InputError
from features.sources.load import Collection
from ltr import check, init
from ltr.config.tree import read_config
from ltr.pipeline.prepare import load_collection

PRODUCTS, QUERIES = 24, 8
Rows = Sequence[tuple[str, str, str, str, float]]
Written = tuple[list[str], Callable[[str], str]]


def shop(seed: int) -> Rows:
    """(id, title, brand, category, price) of each product."""
    pick = random.Random(seed)
    return [
        (
            f"0{pick.randrange(10**4, 10**5)}{n}",
            f"{pick.choice(['red', 'blue', 'grüne'])} {pick.choice(['boots', 'lamp'])} {n}",
            pick.choice(["Acme", "Nord", "Umbra"]),
            pick.choice(["Shoes > Boots", "Home > Lamps"]),
            round(pick.uniform(5, 300), 2),
        )
        for n in range(PRODUCTS)
    ]


def judged(rows: Rows, seed: int) -> list[tuple[str, str, int]]:
    """(query, product id, grade 0 to 3); each query has all grades."""
    pick = random.Random(seed)
    texts = [f"{pick.choice(['boots', 'lamp'])} {n} under {pick.randrange(20, 200)}" for n in range(QUERIES)]
    return [
        (text, row[0], grade)
        for text in texts
        for row, grade in zip(pick.sample(list(rows), 4), (0, 1, 2, 3), strict=True)
    ]


def save(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]], separator: str = ",") -> None:
    frame = pl.DataFrame([[str(cell) for cell in row] for row in rows], schema=list(columns), orient="row")
    frame.write_csv(path, separator=separator)


def own_format(folder: Path, rows: Rows, seed: int) -> list[str]:
    save(folder / "products.csv", ["product_id", "title", "brand", "category", "price"], rows)
    triples = judged(rows, seed)
    texts = list(dict.fromkeys(text for text, _, _ in triples))
    save(folder / "queries.csv", ["query_id", "text"], [(f"q{n}", text) for n, text in enumerate(texts)])
    save(
        folder / "judgements.csv",
        ["query_id", "product_id", "grade"],
        [(f"q{texts.index(text)}", product, grade) for text, product, grade in triples],
    )
    return ["products.csv", "--queries", "queries.csv", "--judgements", "judgements.csv"]


def google(folder: Path, rows: Rows, seed: int) -> list[str]:
    columns = [
        "id",
        "title",
        "description",
        "link",
        "image_link",
        "availability",
        "price",
        "brand",
        "product_type",
    ]
    feed = [
        (i, t, f"{t}, new", f"https://shop/{i}", f"https://shop/{i}.jpg", "in stock", f"{p:.2f} EUR", b, c)
        for i, t, b, c, p in rows
    ]
    save(folder / "feed.tsv", columns, feed, "\t")
    save(folder / "quepid.csv", ["query", "docid", "rating"], judged(rows, seed))
    return ["feed.tsv", "--judgements", "quepid.csv"]


def shopify(folder: Path, rows: Rows, seed: int) -> list[str]:
    columns = [
        "Handle",
        "Title",
        "Body (HTML)",
        "Vendor",
        "Product Category",
        "Variant SKU",
        "Variant Price",
        "Image Src",
    ]
    export = [(f"h-{i}", t, f"<p>{t}</p>", b, c, i, f"{p:.2f}", "") for i, t, b, c, p in rows]
    save(folder / "products_export.csv", columns, export)
    detailed = ["Team Name", "Case Name", "Case ID", "Query Text", "Doc ID", "Title", "Rating"]
    rated = [("t", "c", "1", text, product, "x", grade) for text, product, grade in judged(rows, seed)]
    save(folder / "case.csv", detailed, rated)
    return ["products_export.csv", "--judgements", "case.csv"]


def esci(folder: Path, rows: Rows, seed: int) -> list[str]:
    columns = ["product_id", "product_title", "product_description", "product_bullet_point", "product_brand"]
    save(folder / "catalogue.csv", columns, [(i, t, f"fine {t}", "", b) for i, t, b, _, _ in rows])
    texts: list[str] = []
    lines = []
    for text, product, grade in judged(rows, seed):
        texts += [text] if text not in texts else []
        lines.append((len(lines), text, texts.index(text), product, "us", "ICSE"[grade]))
    save(
        folder / "examples.csv",
        ["example_id", "query", "query_id", "product_id", "product_locale", "esci_label"],
        lines,
    )
    return ["catalogue.csv", "--judgements", "examples.csv"]


def home_depot(folder: Path, rows: Rows, seed: int) -> list[str]:
    titles = {row[0]: row[1] for row in rows}
    lines = [
        (n, product, titles[product], text, grade)
        for n, (text, product, grade) in enumerate(judged(rows, seed))
    ]
    save(folder / "train.csv", ["id", "product_uid", "product_title", "search_term", "relevance"], lines)
    return ["train.csv"]


def german_excel(folder: Path, rows: Rows, seed: int) -> list[str]:
    columns = ["Artikelnummer", "Bezeichnung", "Marke", "Kategorie", "Preis"]
    lines = [
        ";".join(columns),
        *(f"{i};{t};{b};{c};{f'{p:.2f}'.replace('.', ',')}" for i, t, b, c, p in rows),
    ]
    (folder / "artikel.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    save(folder / "urteile.csv", ["Suchbegriff", "Artikelnummer", "Bewertung"], judged(rows, seed))
    return ["artikel.csv", "--judgements", "urteile.csv"]


def cents(folder: Path, rows: Rows, seed: int) -> list[str]:
    words = own_format(folder, rows, seed)
    in_cents = [(*row[:4], round(row[4] * 100)) for row in rows]
    save(folder / "products.csv", ["product_id", "title", "brand", "category", "price"], in_cents)
    return words


FORMATS = {f.__name__: f for f in (own_format, google, shopify, esci, home_depot, german_excel, cents)}
LOOKS = {
    "google": "a Google Merchant feed",
    "shopify": "a Shopify export",
    "esci": "an ESCI-like table",
    "home_depot": "a Home-Depot-like table",
}


def made(folder: Path, words: Sequence[str]) -> Collection:
    init.main([*words, "--out", "shop.yaml"])
    return load_collection(read_config(folder / "shop.yaml"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMATS)
def test_each_export_is_read_back_as_the_shop_it_was_made_of(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(seed)
    collection = made(tmp_path, FORMATS[name](tmp_path, rows, seed))
    printed = capsys.readouterr().out
    assert "one product, as it was understood" in printed
    assert "next: shop-ltr check --config shop.yaml" in printed
    assert LOOKS.get(name, "") in printed
    truth = judged(rows, seed)
    texts = dict(collection.queries.select("query_id", "text").rows())
    found = {
        (texts[q], p, g) for q, p, g in collection.judgements.select("query_id", "product_id", "grade").rows()
    }
    assert found == {(text, product, float(grade)) for text, product, grade in truth}
    known = {row[0]: row for row in rows}
    for row in collection.products.iter_rows(named=True):
        _, title, brand, category, price = known[row["product_id"]]
        assert row["title"] == title
        assert row["brand"] in (None, brand)
        assert row["category"] in (None, category)
        assert row["price"] is None or row["price"] == pytest.approx(price)
    if name not in ("home_depot", "esci"):
        assert collection.products["price"].null_count() == 0


def test_the_config_runs_offline_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Checked with features made by the encoders that it names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None
    )  # as where no text encoder is installed
    rows = shop(0)
    (tmp_path / "photos").mkdir()
    for row in rows[::2]:
        Image.new("RGB", (24, 24), (hash(row[1]) % 255, 90, 10)).save(tmp_path / "photos" / f"{row[0]}.png")
    collection = made(tmp_path, [*own_format(tmp_path, rows, 0), "--photos", "photos"])
    assert collection.products["image"].count() == len(rows[::2])
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    findings = check.main(["--config", "shop.yaml", "--features"])
    assert "FAIL" not in {finding.level for finding in findings}
    assert "photos of 12 of 24 products by '{product_id}.png'" in capsys.readouterr().out


HEADINGS = {  # id, title, brand, category, price; query, id, grade
    "units": (("sku", "name", "brand", "category", "price (EUR)"), ("query", "sku", "grade (0-3)")),
    "german": (
        ("Art.-Nr.", "Bezeichnung", "Hersteller", "Warengruppe", "Preis in €"),
        ("Suchbegriff", "Art.-Nr.", "Bewertung"),
    ),
    "french": (
        ("Référence", "Libellé", "Marque", "Catégorie", "Prix TTC (€)"),
        ("Requête", "Référence", "Pertinence"),
    ),
    "spanish": (
        ("Código", "Nombre del producto", "Marca", "Categoría", "Precio EUR"),
        ("Búsqueda", "Código", "Relevancia"),
    ),
    "polish": (
        ("Kod produktu", "Nazwa", "Marka", "Kategoria", "Cena [zł]"),
        ("Fraza", "Kod produktu", "Ocena"),
    ),
    "japanese": (("商品番号", "商品名", "ブランド", "カテゴリ", "価格(円)"), ("検索語", "商品番号", "評価")),
    "russian": (("Артикул", "Название", "Бренд", "Категория", "Цена, руб."), ("Запрос", "Артикул", "Оценка")),
    "camels": (
        ("productId", "titleEn", "brandName", "categoryPath", "priceUSD"),
        ("searchTerm", "productId", "label"),
    ),
    "namespace": (
        ("g:id", "g:title", "g:brand", "g:product_type", "g:price"),
        ("query", "product_id", "grade"),
    ),
    "one namespace among others": (
        ("s:sku", "s:name", "s:brand", "category", "s:price (EUR)"),
        ("query", "sku", "grade"),
    ),
    "nested": (("sku", "name.en", "brand.name", "category", "price.amount"), ("query", "sku", "grade")),
}


@pytest.mark.parametrize("name", HEADINGS)
def test_headings_in_other_languages_and_with_units_are_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(2)
    of_products, of_judgements = HEADINGS[name]
    save(tmp_path / "products.csv", of_products, rows)
    save(tmp_path / "judged.csv", of_judgements, judged(rows, 2))
    collection = made(tmp_path, ["products.csv", "--judgements", "judged.csv"])
    read = collection.products.select("product_id", "title", "brand", "category", "price").sort("product_id")
    assert read.rows() == sorted(rows)
    assert collection.judgements["grade"].value_counts().sort("grade")["count"].to_list() == [QUERIES] * 4


@pytest.mark.parametrize(
    ("first", "second"),
    [("rater 1", "rater 2"), ("Bewertung_A", "Bewertung_B"), ("Grade (judge 1)", "Grade (judge 2)")],
)
def test_a_column_a_rater(first: str, second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(3)
    own_format(tmp_path, rows, 3)
    twice = [(text, product, grade, grade) for text, product, grade in judged(rows, 3)]
    save(tmp_path / "judged.csv", ["query", "product_id", first, second], twice)
    collection = made(tmp_path, ["products.csv", "--judgements", "judged.csv"])
    assert collection.judgements.height == len(twice)
    assert "2 raters, 32 of 32 pairs graded by two or more, 100% of them alike" in str(collection.remarks)


def test_two_columns_that_could_be_one_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(4)
    words = own_format(tmp_path, rows, 4)
    doubled = [(i, t, f"{t} auf Deutsch", p, p * 2) for i, t, _, _, p in rows]
    save(tmp_path / "products.csv", ["id", "title_en", "title_de", "price (EUR)", "price (USD)"], doubled)
    init.main(words)
    said = capsys.readouterr().out
    assert "products.csv: 'title_en' is taken; 'title_de' could be meant as well" in said
    assert "products.csv: 'price (EUR)' is taken; 'price (USD)' could be meant as well" in said


def test_objects_in_json_are_read_by_their_fields_and_named_where_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(5)
    words = own_format(tmp_path, rows, 5)
    lines = [
        {"sku": i, "name": t, "brand": {"id": 7, "name": b}, "price": {"amount": p, "currency": "EUR"}}
        for i, t, b, _, p in rows
    ]
    (tmp_path / "products.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    collection = made(tmp_path, ["products.jsonl", *words[1:]])
    read = collection.products.select("product_id", "brand", "price").sort("product_id")
    assert read.rows() == sorted((i, b, p) for i, _, b, _, p in rows)
    config = (tmp_path / "shop.yaml").read_text(encoding="utf-8")
    for field, plain in (("brand.name", "brand"), ("price.amount", "price")):
        (tmp_path / "shop.yaml").write_text(config.replace(field, plain), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            load_collection(read_config(tmp_path / "shop.yaml"))
        assert str(caught.value).startswith(
            f"{tmp_path / 'products.jsonl'}, column '{plain}': expected a value"
        )
        assert field in caught.value.got


def test_photos_of_queries_lie_beside_their_table_or_among_the_products_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(6)
    words = own_format(tmp_path, rows, 6)
    (tmp_path / "photos").mkdir()
    (tmp_path / "asked").mkdir()
    for name in (*(f"photos/{row[0]}.png" for row in rows), "photos/a.png", "asked/b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    queries = pl.read_csv(tmp_path / "queries.csv").with_columns(
        image=pl.Series(["a.png", "b.png", "none.png", *[None] * (QUERIES - 3)])
    )
    queries.write_csv(tmp_path / "asked" / "queries.csv")
    words[words.index("queries.csv")] = "asked/queries.csv"
    collection = made(tmp_path, [*words, "--photos", "photos"])
    names = collection.queries.sort("query_id")["image"].head(3)
    assert [name and Path(name).name for name in names] == ["a.png", "b.png", None]
    assert "1 of 3 photo files are not in 'asked' and 'photos'" in str(collection.remarks)


def test_what_is_good_alone_is_set_against_the_whole_catalogue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(1)
    save(tmp_path / "products.csv", ["id", "title", "brand", "category", "price"], rows)
    bought = [(text, product, 1) for text, product, grade in judged(rows, 1) if grade == 3]
    save(tmp_path / "judgements.csv", ["query", "product_id", "grade"], bought)
    collection = made(tmp_path, ["products.csv", "--judgements", "judgements.csv"])
    assert collection.judgements.height == QUERIES * PRODUCTS


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (["query", "product", "stars out of"], "expected a column for"),
        (["query", "docid", "opinion"], "expected a column for grade"),
    ],
)
def test_columns_that_nobody_could_guess_are_asked_for(
    columns: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own_format(tmp_path, shop(0), 0)
    save(tmp_path / "odd.csv", columns, judged(shop(0), 0))
    with pytest.raises(InputError, match=line):
        init.main(["products.csv", "--judgements", "odd.csv"])
    assert not (tmp_path / "shop.yaml").exists()


def test_photos_are_named_by_one_rule_and_what_is_not_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of paths from elsewhere gives way to the files' own names, in the config, too."""
    monkeypatch.chdir(tmp_path)
    rows = shop(0)
    words = own_format(tmp_path, rows, 0)
    columns = ["product_id", "title", "image", "margin"]
    save(
        tmp_path / "products.csv",
        columns,
        [(row[0], row[1], f"http://shop/{n}", n) for n, row in enumerate(rows)],
    )
    (tmp_path / "photos" / "new").mkdir(parents=True)
    for row in rows:
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / f"{row[0]}.png")
    init.main([*words, "--photos", "photos"])
    said = capsys.readouterr().out
    assert f"photos of {PRODUCTS} of {PRODUCTS} products by '{{product_id}}.png', not by 'image'" in said
    assert "not used: 'margin'" in said
    assert "image:" not in (tmp_path / "shop.yaml").read_text(encoding="utf-8").split("  images:")[0]
    assert load_collection(read_config(tmp_path / "shop.yaml")).products["image"].count() == PRODUCTS


def test_photos_in_folders_of_a_folder_are_found_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(0)
    words = own_format(tmp_path, rows, 0)
    paths = [f"{row[0][:2]}/{row[0]}.png" for row in rows]
    named = [(row[0], row[1], path) for row, path in zip(rows, paths, strict=True)]
    save(tmp_path / "products.csv", ["product_id", "title", "picture"], named)
    for path in paths:
        (tmp_path / "photos" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "photos" / path)
    init.main([*words, "--photos", "photos"])
    assert load_collection(read_config(tmp_path / "shop.yaml")).products["image"].count() == PRODUCTS


def test_words_for_grades_that_nobody_could_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = shop(0)
    own_format(tmp_path, rows, 0)
    odd = [(text, product, f"colour {grade}") for text, product, grade in judged(rows, 0)]
    save(tmp_path / "odd.csv", ["query", "product_id", "grade"], odd)
    with pytest.raises(InputError, match="expected grades in numbers, or in words"):
        init.main(["products.csv", "--judgements", "odd.csv"])


def test_a_config_that_is_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="a new file for --out"):
        init.main(own_format(tmp_path, shop(0), 0))
    assert (tmp_path / "shop.yaml").read_text(encoding="utf-8") == "mine"
