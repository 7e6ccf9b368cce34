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


def test_findings_as_text_are_aligned_and_cured_and_what_matters_comes_first() -> None:
    fail = Finding("FAIL", "grades", "7 of 9", "grade them")
    assert to_text([*SAMPLE, fail]).splitlines() == [
        "FAIL  grades      7 of 9",
        "                  cure: grade them",
        "WARN  null share  1 features",
        "                  cure: leave it out",
        "1 checks passed",
    ]


def test_what_passed_is_listed_where_asked() -> None:
    assert to_text(SAMPLE, passed=True).splitlines() == [
        "WARN  null share      1 features",
        "                      cure: leave it out",
        "PASS  rows per query  min 3, median 28, max 54",
        "1 checks passed",
    ]


def test_findings_as_a_frame() -> None:
    frame = to_frame(SAMPLE)
    assert frame.columns == ["level", "check", "evidence", "cure"]
    assert frame.rows()[0] == ("PASS", "rows per query", "min 3, median 28, max 54", "")
    assert to_frame([]).height == 0


def test_what_the_reader_guessed_always_has_a_line() -> None:
    findings = [
        Finding("PASS", "products: price", "read '1.299' as 1299: so do 3 others"),
        Finding("PASS", "keys", "all there"),
        Finding("WARN", "photos", "half are missing", "add them"),
    ]
    message = to_text(findings)
    assert message.splitlines()[0].startswith("WARN  photos")
    assert "READ  products: price  read '1.299' as 1299: so do 3 others" in message
    assert "all there" not in message
    assert message.endswith("2 checks passed")
