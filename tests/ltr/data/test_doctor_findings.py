"""How findings are told: aligned lines with cures, a frame, and the gravest level."""

from __future__ import annotations

from ltr.data.doctor import Finding, to_frame, to_text, worst

SAMPLE = [
    Finding("PASS", "rows per query", "min 3, median 28, max 54"),
    Finding("WARN", "null share", "1 features", "leave it out"),
]


def test_the_worst_finding_counts() -> None:
    fail = Finding("FAIL", "grades", "", "")
    assert [worst([]), worst(SAMPLE[:1]), worst(SAMPLE), worst([fail, *SAMPLE])] == [
        "PASS",
        "PASS",
        "WARN",
        "FAIL",
    ]


def test_findings_as_text_are_aligned_and_cured() -> None:
    assert to_text(SAMPLE).splitlines() == [
        "PASS  rows per query  min 3, median 28, max 54",
        "WARN  null share      1 features",
        "                      cure: leave it out",
    ]


def test_findings_as_a_frame() -> None:
    frame = to_frame(SAMPLE)
    assert frame.columns == ["level", "check", "evidence", "cure"]
    assert frame.rows()[0] == ("PASS", "rows per query", "min 3, median 28, max 54", "")
    assert to_frame([]).height == 0
