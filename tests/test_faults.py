"""The damage that `make faults` does at length, a little of it at every test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import faults

QUICK = [faults.bits_of_an_index, faults.bits_of_photo_checks]


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
def test_every_flipped_bit_is_found_or_without_effect(kind: object, tmp_path: Path) -> None:
    ends = list(kind(tmp_path, 1))  # type: ignore[operator]
    assert len(ends) > 10
    assert all(ends)
