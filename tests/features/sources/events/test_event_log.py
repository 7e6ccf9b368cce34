"""`Events` takes what fits its two frames, and refuses the rest with the row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.errors import InputError
from features.sources.events import ACTIONS, SHOWN, Events

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def shown(**columns: Any) -> pl.DataFrame:
    row = {"request_id": "r1", "shown_at": NOON, "product_id": "p1", "position": 1}
    return pl.DataFrame({name: [value] for name, value in (row | columns).items()})


def acted(**columns: Any) -> pl.DataFrame:
    row = {"product_id": "p1", "action": "click", "acted_at": NOON, "available_at": NOON}
    return pl.DataFrame({name: [value] for name, value in (row | columns).items()})


def test_absent_columns_are_null_and_naive_times_are_utc() -> None:
    events = Events(shown(shown_at=NOON.replace(tzinfo=None)), acted())
    assert events.shown.schema == SHOWN
    assert events.actions.schema == ACTIONS
    assert events.shown["shown_at"].item() == NOON
    assert events.shown["propensity"].item() is None
    assert events.actions["request_id"].item() is None
    assert len(Events.none()) == 0


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ((shown(position=0), acted()), "positions that count from 1"),
        ((shown(position=None), acted()), "a value of position"),
        ((shown(propensity=0.0), acted()), "propensities above 0"),
        ((shown(propensity=1.5), acted()), "propensities above 0"),
        ((shown().drop("shown_at"), acted()), "a column 'shown_at'"),
        ((shown(position="first"), acted()), "position Int32"),
        ((shown(), acted(action="clicked")), "click, cart, purchase"),
        ((shown(), acted(available_at=NOON - timedelta(seconds=1))), "before they were made"),
        ((shown(), acted(product_id=None)), "a value of product_id"),
    ],
)
def test_what_does_not_fit_is_refused(frames: tuple[pl.DataFrame, pl.DataFrame], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Events(*frames)


def test_a_message_never_shows_words_or_people() -> None:
    with pytest.raises(InputError) as caught:
        Events(shown(position=0, text="rare words", shopper="someone", session="visit"), acted())
    assert not any(word in str(caught.value) for word in ("rare words", "someone", "visit"))


def test_known_at_keeps_what_was_available() -> None:
    late = acted(available_at=NOON + timedelta(days=2))
    events = Events.together([Events(shown(), acted()), Events(shown(request_id="r2"), late)])
    assert len(events) == 4
    known = events.known_at(NOON.replace(tzinfo=None))
    assert known.shown.height == 2
    assert known.actions.height == 1
    assert events.known_at(NOON + timedelta(days=2)).actions.height == 2
