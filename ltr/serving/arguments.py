"""What the commands that put a run to use take on their command lines: ltr.rank, explain, compare, export."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from ltr.config import command_line

Target = Literal["elasticsearch-ltr", "opensearch-ltr", "vespa", "onnx", "treelite"]  # of ltr.export
TARGETS: tuple[Target, ...] = get_args(Target)


def of_rank(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--like", metavar="PRODUCT_ID", help="a product to find others like it")
    made.add_argument("--query", help="words, or the id of one of the run's queries")
    made.add_argument("--image", type=Path, help="a photo")
    media_help = "a file of another modality that the run's encoders read, such as audio=clip.wav"
    made.add_argument("--media", metavar="MODALITY=FILE", action="append", default=[], help=media_help)
    made.add_argument("--compare", action="store_true", help="show BM25's order beside the model's")
    made.add_argument("--top", type=command_line.one_or_more, default=20, help="how many products to print")
    return made


def of_explain(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--query", help="the id of one of the run's queries, or words")
    made.add_argument("--product", help="the id of a candidate")
    made.add_argument("--over", help="the id of another, to compare it with")
    made.add_argument(
        "--change", nargs="+", action="extend", help="numeric columns to change; default: price"
    )
    top_help = "how many products or features to print"
    made.add_argument("--top", type=command_line.one_or_more, default=10, help=top_help)
    return made


def check_explain(given: argparse.Namespace) -> None:
    """Raise InputError for arguments of ltr.explain that need another, say nothing, or name one product twice."""
    if given.query is not None and not given.query.strip():
        raise command_line.misuse(
            "words, or the id of a query", "--query without any", "say what to look for"
        )
    for needed, other in (("query", "product"), ("product", "over"), ("over", "change")):
        command_line.require(given, needed, other)
    if given.over is not None and given.over == given.product:
        raise command_line.misuse("another product for --over", "that of --product", "name two products")


def of_compare(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, json=True)
    made.add_argument("products", nargs="*", metavar="PRODUCT_ID", help="two or more products")
    made.add_argument("--like", metavar="PRODUCT_ID", help="a product to find others like it")
    made.add_argument("--top", type=command_line.one_or_more, help="how many --like prints; default: 20")
    made.add_argument("--html", type=Path, help="the page to write")
    return made


def check_compare(given: argparse.Namespace, settings: Mapping[str, Any]) -> None:
    """Raise InputError for arguments of ltr.compare that do not go together, or fewer than two products."""
    command_line.refuse_both(given, "like", "products", "html")
    command_line.require(given, "like", "top")
    weights = [name for name in settings if name.startswith("weights.")]
    if weights and given.like is None:
        raise command_line.misuse(f"--like beside --{weights[0]}", "none", "add --like, or leave it out")
    if given.like is None and len(set(given.products)) < max(2, len(given.products)):
        got = " ".join(given.products) or "none"
        raise command_line.misuse("two or more different product ids", got, "name each product once")


def of_export(doc: str | None) -> argparse.ArgumentParser:
    made = command_line.parser(doc, config=False, json=True)
    command_line.add_run(made)
    made.add_argument("--target", choices=TARGETS, required=True, help="what the model is for")
    version_help = "of the search engine, which has to be named; of a library: default the installed one"
    made.add_argument("--engine-version", metavar="X", help=version_help)
    made.add_argument("--out", type=Path, help="the folder to write; default: exports/RUN-TARGET")
    return made
