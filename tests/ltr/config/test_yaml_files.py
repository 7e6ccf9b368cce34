"""Plain values in YAML: numbers as people read them, not in eights or sixties."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.sources.config import TableConfig
from ltr.config.yaml_files import parse_yaml
from ltr.rankers.boosters.lightgbm_ranker import LightGBMConfig


@given(st.integers(1, 10**9), st.integers(1, 5))
def test_a_leading_zero_is_no_octal(number: int, zeros: int) -> None:
    written = "0" * zeros + str(number)
    assert parse_yaml(f"trees: {written}", "here") == {"trees": written}


@given(st.integers(0, 99), st.integers(0, 59))
def test_a_colon_is_no_sixty(hours: int, minutes: int) -> None:
    assert parse_yaml(f"at: {hours}:{minutes:02}", "here") == {"at": f"{hours}:{minutes:02}"}


@given(st.integers(-(2**53), 2**53) | st.floats(allow_nan=False))
def test_numbers_are_read_back_however_they_are_printed(number: float) -> None:
    for written in (repr(number), yaml.safe_dump(number).split("\n")[0], f"{number:.17g}"):
        if math.isfinite(number) or written.lstrip("-").startswith("."):
            assert parse_yaml(written, "here") == number


@pytest.mark.parametrize("text", ["1.2.3", "1,000", "5e", "-", "2024-05", "1-2", "0o10", "１２"])
def test_other_words_are_no_numbers(text: str) -> None:
    assert not isinstance(parse_yaml(text, "here"), int | float)


@pytest.mark.parametrize("name", ["base64", "rot13", "hex", "zip", "uu", "no-such"])
def test_a_codec_of_no_text_is_no_encoding(name: str) -> None:
    with pytest.raises(ValidationError, match="an encoding that Python knows"):
        TableConfig.model_validate({"path": "a.csv", "encoding": name})


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_settings_are_finite(number: float) -> None:
    with pytest.raises(ValidationError):
        LightGBMConfig.model_validate({"kind": "lightgbm", "learning_rate": number})
