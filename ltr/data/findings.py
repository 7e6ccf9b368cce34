"""One line of the data doctor's: a level, what was checked, the evidence, and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import polars as pl

Level = Literal["PASS", "WARN", "FAIL"]
_SEVERITY: dict[Level, int] = {"PASS": 0, "WARN": 1, "FAIL": 2}


@dataclass(frozen=True)
class Finding:
    """PASS: as it should be; WARN: survivable; FAIL: a model made of this would mislead."""

    level: Level
    check: str
    evidence: str
    cure: str = ""


def finding(level: Level, check: str, evidence: str, cure: str) -> Finding:
    """A finding that keeps its cure only where there is something to cure."""
    return Finding(level, check, evidence, "" if level == "PASS" else cure)


def feature_finding(
    check: str, names: Iterable[str], total: int, cure: str, level: Level = "WARN"
) -> Finding:
    """PASS where no feature is named, else `level` with the first five as evidence."""
    found = list(names)
    shown = ": " + ", ".join(found[:5]) + " …" * (len(found) > 5) if found else ""
    return finding(level if found else "PASS", check, f"{len(found)} of {total} features{shown}", cure)


def worst(findings: Sequence[Finding]) -> Level:
    """The gravest level among the findings; PASS where there are none."""
    return max((finding.level for finding in findings), key=_SEVERITY.__getitem__, default="PASS")


def to_frame(findings: Sequence[Finding]) -> pl.DataFrame:
    """One row a finding: level, check, evidence, cure."""
    schema = dict.fromkeys(Finding.__annotations__, pl.String())
    return pl.DataFrame([asdict(finding) for finding in findings], schema=schema)


def to_text(findings: Sequence[Finding]) -> str:
    """A line per finding, its cure on a second line below it."""
    width = max((len(finding.check) for finding in findings), default=0)
    lines = []
    for one in findings:
        lines.append(f"{one.level}  {one.check:<{width}}  {one.evidence}")
        if one.cure:
            lines.append(f"{'':{width + 6}}  cure: {one.cure}")
    return "\n".join(lines)
