"""Settings of all tests: no example fails for being slow (machines are noisy), and each run tries the same ones.

Pseudonyms are made by a key of the tests' own, so that none is made for whoever runs them.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from features import secrets

settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")
os.environ["SHOP_LTR_PSEUDONYM_KEY"] = f"1 {'0' * 64}"


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test says is secret is cut from nobody else's output."""
    monkeypatch.setattr(secrets, "_seen", set(secrets._seen))
