"""python -m ltr.rank [--run RUN] --query "red dress under 50" [--image photo.jpg] [--media audio=clip.wav] [--json]

Rank the run's catalogue for a query it may never have seen: words, a photo, or both. Candidates come from BM25
and the cosines together, the order from the run's model.

python -m ltr.rank --like PRODUCT_ID [--run RUN | --config FILE [--weights.photo 2]]

Products like another one: by the run's model, asked with that product's title and photo; or, with --config, by
the weighted likeness of photos, titles, prices and categories, without any model.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from features.errors import InputError
from features.groups.likeness import PARTS, LikenessWeights
from ltr.config import command_line
from ltr.config.command_line import say, say_json, show
from ltr.config.group_names import media_of
from ltr.config.tree import read_config
from ltr.pipeline.prepare import load_collection
from ltr.runs.saved_run import SavedRun
from ltr.serving.ranking import one_query, rank, read_media
from ltr.serving.similar import like_by_model, like_by_weights


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    arguments = command_line.parser(__doc__, config=False)
    command_line.add_run(arguments)
    arguments.add_argument("--config", type=Path, help="with --like: rank by likeness alone")
    arguments.add_argument("--like", metavar="PRODUCT_ID", help="a product to find others like it")
    arguments.add_argument("--query", help="words")
    arguments.add_argument("--image", type=Path, help="a photo")
    arguments.add_argument(
        "--media",
        metavar="MODALITY=FILE",
        action="append",
        default=[],
        help="a file of another modality that the run's encoders read, such as audio=clip.wav",
    )
    arguments.add_argument("--top", type=int, default=20, help="how many products to print")
    arguments.add_argument("--json", action="store_true", help="print JSON for programs")
    given, rest = arguments.parse_known_args(argv)
    if rest and not given.config:  # a run's settings were settled in training
        arguments.error(f"unrecognized arguments: {' '.join(rest)}")
    if given.like is not None:
        return _tell_alike(given, command_line.parse_overrides(rest))
    _refuse_config(given)
    run = SavedRun.open(given.run)
    media = read_media(given.media, media_of(run.config.data))
    query = one_query(given.query, given.image, media)
    _check_asked(given.top, given.image, run)
    products = load_collection(run.config).products
    ranked = rank(run, products, query).head(given.top)
    if given.json:
        say_json(ranked.to_dicts())
    else:
        say(" ".join(map(str, filter(None, [given.query, given.image, *given.media]))))
        if not ranked.height:
            say("nothing found: no product has a word of the query, or looks or reads like it")
            return ranked
        show("", ["rank", *ranked.columns[1:]], ranked.rows())
    return ranked


def _tell_alike(given: argparse.Namespace, settings: Mapping[str, Any]) -> pl.DataFrame:
    """What --like asks for, printed."""
    if given.query or given.image or given.media:
        raise InputError(
            where="command line",
            expected="--like, or --query and --image",
            got="both",
            cure="drop one: --like asks with the product's own title and photo",
        )
    _check_top(given.top)
    if given.config:
        weights = _weights(settings)
        rest = {name: value for name, value in settings.items() if not name.startswith("weights.")}
        config = read_config(given.config, rest)
        ranked = like_by_weights(config, load_collection(config).products, given.like, weights)
    else:
        run = SavedRun.open(given.run)
        ranked = like_by_model(run, load_collection(run.config).products, given.like)
    ranked = ranked.head(given.top)
    if given.json:
        say_json(ranked.to_dicts())
    else:
        show(f"like {given.like}", ranked.columns, ranked.rows())
    return ranked


def _weights(settings: Mapping[str, Any]) -> LikenessWeights:
    given = {name.removeprefix("weights."): v for name, v in settings.items() if name.startswith("weights.")}
    try:
        weights = LikenessWeights.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        raise InputError(
            where=f"command line, --weights.{'.'.join(map(str, problem['loc']))}",
            expected=f"a number of 0 or more for one of {', '.join(PARTS)}",
            got=repr(problem["input"]),
            cure="mend it, or leave it out",
        ) from error
    if not any(weights.model_dump().values()):
        raise InputError(
            where="command line, --weights",
            expected="a part with a weight above 0",
            got="none",
            cure=f"weigh one of {', '.join(PARTS)}",
        )
    return weights


def _refuse_config(given: argparse.Namespace) -> None:
    """A run brings its own config."""
    if given.config:
        raise InputError(
            where="command line",
            expected="--like beside --config: without a model, only products like another one can be ranked",
            got="none",
            cure="name a product, or drop --config: a run brings its own",
        )


def _check_top(top: int) -> None:
    if top < 1:
        raise InputError(
            where="command line",
            expected="--top of 1 or more",
            got=f"{top}",
            cure="ask for a product or more",
        )


def _check_asked(top: int, image: Path | None, run: SavedRun) -> None:
    """Raise InputError for an empty list, or a photo that the run would pass over without a word."""
    _check_top(top)
    comparing = {"lexical", "text", "image", *media_of(run.config.data)}
    if run.schema.groups and not comparing & set(run.schema.groups):
        raise InputError(
            where=run.folder,
            expected="a run that compares queries with products",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="switch on features.lexical or name an encoder, and train again",
        )
    if image and "image" not in run.schema.groups:
        raise InputError(
            where=run.folder,
            expected="a run that looks at photos, for --image",
            got=f"features of {', '.join(run.schema.groups)} only",
            cure="name an image encoder under encoders and train again, or ask with --query alone",
        )


if __name__ == "__main__":
    command_line.run(main)
