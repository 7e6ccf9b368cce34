"""Rules of rewriting texts, written once: whole columns go through polars, a request's few ASCII words through Python.

A pattern is Rust's, with `\\p{…}` within brackets only. On lower-case ASCII both libraries read it alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

_IN_ASCII = ((r"\p{L}", "a-z"), (r"\p{M}", ""), (r"\p{N}", "0-9"))


def in_ascii(pattern: str) -> re.Pattern[str]:
    """Rust's pattern as Python's, for lower-case ASCII text."""
    for rust, python in _IN_ASCII:
        pattern = pattern.replace(rust, python)
    return re.compile(pattern, re.ASCII)


@dataclass(frozen=True)
class Rewriting:
    """Pairs of a pattern and what takes its place, `${1}` being the pattern's first group; one after the other."""

    rules: Sequence[tuple[str, str]]

    def of_column(self, text: pl.Expr) -> pl.Expr:
        for pattern, by in self.rules:
            text = text.str.replace_all(pattern, by)
        return text

    def of_ascii(self, text: str) -> str:
        """text: lower-case ASCII."""
        for pattern, by in self._compiled:
            text = pattern.sub(by, text)
        return text

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], str]]:
        return [(in_ascii(pattern), re.sub(r"\$\{(\d)\}", r"\\g<\1>", by)) for pattern, by in self.rules]
