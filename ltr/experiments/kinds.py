"""The kinds of experiments by name: settings, analysis, and what help says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ltr.experiments.ab_test import AbSettings, analyse_ab
from ltr.experiments.outcome import Outcome


@dataclass(frozen=True)
class Kind:
    """analyse takes an instance of `settings`."""

    settings: type[BaseModel]
    analyse: Callable[[Any], Outcome]
    help: str


KINDS = {
    "ab": Kind(AbSettings, analyse_ab, "arms of an A/B test compared, after the sample-ratio check"),
}
