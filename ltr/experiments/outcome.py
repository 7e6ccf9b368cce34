"""What every analysis ends in: a verdict, the checks it rests on, the assumptions, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Says = Literal["yes", "no", "cannot"]
State = Literal["PASS", "WARN", "FAIL"]
STATUS: dict[Says, int] = {"yes": 0, "no": 1, "cannot": 2}  # what a command ends with


@dataclass(frozen=True)
class Check:
    """One look at what an estimate stands on; a FAIL means that nothing can be judged."""

    name: str
    state: State
    evidence: str


@dataclass(frozen=True)
class Table:
    """Rows of cells (text, numbers, None where not known) under a title; `words` say how to read it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    words: str = ""


@dataclass(frozen=True)
class Bar:
    """A named value with its interval, for the page's plot."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcome:
    """What an analysis says.

    says: yes (the verdict holds), no, or cannot (nothing can be judged); verdict: one sentence;
    assumptions: what must be true for it; figures: the numbers for JSON; bars: intervals to draw, around 0.
    """

    kind: str
    title: str
    says: Says
    verdict: str
    checks: Sequence[Check] = ()
    assumptions: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    bars: Sequence[Bar] = ()
    bars_title: str = ""

    @property
    def status(self) -> int:
        return STATUS[self.says]

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; a figure that is not finite is null."""
        return {
            "format": 1,
            "kind": self.kind,
            "title": self.title,
            "says": self.says,
            "verdict": self.verdict,
            "checks": [{"name": c.name, "state": c.state, "evidence": c.evidence} for c in self.checks],
            "assumptions": list(self.assumptions),
            "figures": finite(self.figures),
        }


def finite(value: Any) -> Any:
    """The value with every number that is not finite as None, arrays as lists."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    return value


def failed(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.state == "FAIL"]


def refused(kind: str, title: str, checks: Sequence[Check], **more: Any) -> Outcome:
    """Nothing can be judged, because of the checks that failed."""
    reasons = "; ".join(f"{check.name}: {check.evidence}" for check in failed(checks))
    return Outcome(kind, title, "cannot", reasons, checks, **more)
