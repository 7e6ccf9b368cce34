"""Settings of all tests: no example fails for being slow (machines are noisy), and each run tries the same ones."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")
