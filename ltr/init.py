"""python -m ltr.init products.csv [--photos DIR] [--queries FILE] [--judgements FILE] [--out shop.yaml]

From a shop's own files to a first config that runs offline as it is. Columns, separators, encodings, the price's
unit and the scale of grades are guessed, every guess is said, and one product is printed as it was understood.
Google Merchant feeds, Shopify exports, judgements of Quepid and the Search Relevance Workbench, and tables as
those of ESCI and Home Depot are known by their columns. Judgements that hold titles may stand alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ltr.config import command_line, output


def main(argv: Sequence[str] | None = None) -> Path:
    made = command_line.parser(__doc__, config=False)
    made.add_argument(
        "products", type=Path, help="a table: CSV, TSV, JSON, JSON lines or Parquet, also gzipped"
    )
    made.add_argument("--photos", type=Path, help="a folder of photo files")
    made.add_argument("--queries", type=Path, help="a table of queries")
    made.add_argument(
        "--judgements", "--judgments", type=Path, help="a table of grades of products for queries"
    )
    made.add_argument(
        "--out", type=Path, default=Path("shop.yaml"), help="the config to write; default: shop.yaml"
    )
    given = command_line.read_given(made, argv)
    if given.out.exists():
        raise command_line.misuse("a new file for --out", f"{given.out}, which is there", "name another")

    from features.disk import write_whole
    from ltr.pipeline.first_config import first_config
    from ltr.reporting.console import print_first_config

    found = first_config(given.out, given.products, given.photos, given.queries, given.judgements)
    write_whole(given.out, found.text)
    print_first_config(found)
    output.say(f"config: {given.out}")
    if found.collection.judgements.height:
        output.say(f"next: shop-ltr check --config {given.out}")
    else:
        output.say(
            "next: judgements, for a ranker to learn from: grades of products for queries; then init again"
        )
    return given.out


if __name__ == "__main__":
    command_line.run(main)
