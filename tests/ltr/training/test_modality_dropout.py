"""Catalogues without photos or descriptions: what is taken away, and settings that ask for what cannot be."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import InputError
from ltr.config.command_line import DEMO_CONFIG
from ltr.config.tree import read_config
from ltr.training.modality_dropout import COLUMN, Part, check_parts, lists_without, without
from tests.ltr.conftest import Shop

every_part = pytest.mark.parametrize("part", ("photos", "descriptions"))


def catalogue(count: int = 40) -> pl.DataFrame:
    """Each product with a photo; every fifth without a description."""
    ids = [f"p{n:02d}" for n in range(count)]
    words = [None if n % 5 == 0 else f"words of {n}" for n in range(count)]
    return pl.DataFrame({"product_id": ids, "description": words, "image": [i.encode() for i in ids]})


def lacking(products: pl.DataFrame, part: Part) -> set[str]:
    return set(products.filter(pl.col(COLUMN[part]).is_null())["product_id"])


@every_part
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 1000))
def test_what_is_missing_at_a_share_is_missing_at_a_larger_one(
    part: Part, one: float, other: float, seed: int
) -> None:
    few, many = (without(catalogue(), part, share, seed) for share in sorted((one, other)))
    assert lacking(few, part) <= lacking(many, part)
    assert len(lacking(many, part) - lacking(catalogue(), part)) <= round(max(one, other) * 40)
    kept = [name for name in few.columns if name != COLUMN[part]]
    assert few.select(kept).equals(catalogue().select(kept))


def test_a_share_is_exact_and_drawn_by_the_seed_whatever_the_order_of_the_rows() -> None:
    lost = lacking(without(catalogue(), "photos", 0.3, 1), "photos")
    assert len(lost) == 12
    assert lost == lacking(without(catalogue().reverse(), "photos", 0.3, 1), "photos")
    assert lost != lacking(without(catalogue(), "photos", 0.3, 2), "photos")
    assert lacking(without(catalogue(), "photos", 0, 1), "photos") == set()
    assert len(lacking(without(catalogue(), "photos", 1, 1), "photos")) == 40


@every_part
def test_a_catalogue_without_the_part_is_refused(part: Part) -> None:
    check_parts(catalogue(), [part], "robustness.drop")
    for bare in (catalogue().drop(COLUMN[part]), without(catalogue(), part, 1, 0), pl.DataFrame()):
        with pytest.raises(InputError, match=rf"robustness\.drop\.{part}: expected a catalogue with {part}"):
            check_parts(bare, [part], "robustness.drop")


def test_training_lists_are_drawn_once_each() -> None:
    queries = [f"q{n:03d}" for n in range(100)]
    drawn = list(lists_without(queries, {"photos": 0.4, "descriptions": 0.2}, seed=3))
    assert [(len(ids), part) for ids, part in drawn] == [(40, "photos"), (20, "descriptions")]
    ids = [query for found, _ in drawn for query in found]
    assert len(set(ids)) == 60
    assert drawn == list(lists_without(reversed(queries), {"photos": 0.4, "descriptions": 0.2}, seed=3))
    assert list(lists_without(queries, {}, seed=3)) == []


def test_no_query_can_do_without_two_things() -> None:
    shares = {"photos": 0.6, "descriptions": 0.6}
    with pytest.raises(InputError, match="sum to 1 or less"):
        read_config(DEMO_CONFIG, {"train.modality_dropout": shares})


@pytest.mark.parametrize("key", ["robustness.drop {photos: [0.5]}", "train.modality_dropout {photos: 0.5}"])
def test_what_the_catalogue_lacks_cannot_be_dropped(shop: Shop, key: str) -> None:
    name, value = key.split(" ", 1)
    said = shop.refused(f"train --config BAD/shop.yaml --{name} '{value}'")
    assert said.startswith(f"error: {name}.photos: expected a catalogue with photos, got one without any; ")


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("robustness.drop '{photo: [0.5]}'", "'photos' or 'descriptions'"),
        ("robustness.drop '{photos: [1.5]}'", "1"),
        ("train.modality_dropout '{photos: -1}'", "0"),
    ],
)
def test_settings_out_of_range_are_refused(shop: Shop, setting: str, what: str) -> None:
    assert what in shop.refused(f"train --{setting}")
