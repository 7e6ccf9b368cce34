"""What the reader decided or noticed beyond single rows: a guess, a doubt, a share that matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["PASS", "WARN", "FAIL"]


@dataclass(frozen=True)
class Remark:
    """One decision about a table. PASS: its reason is sure; WARN: look at it; FAIL: training on it misleads."""

    level: Level
    check: str
    evidence: str
    cure: str = ""


@dataclass(frozen=True)
class Said:
    """A remark before its table is known; `{section}` in the cure stands for the table's settings."""

    level: Level
    evidence: str
    cure: str = ""

    def of(self, check: str, section: str) -> Remark:
        return Remark(self.level, check, self.evidence, self.cure.replace("{section}", section))
