"""The data doctor on the words of queries: how many no product has, and what they are read as."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import polars as pl

from features.batch import has_values
from features.words.query_words import QueryWords
from features.words.tokens import TokenisedColumns
from features.words.typos import CountedWords, Typos
from ltr.data.doctor import Finding, Findings, finding

# Share of queries: three real sets have at most 3 %, one of titles alone 14, the demo ("something like this") 33.
MANY = 0.5
_EXAMPLES = 5


def examine_query_words(
    products: pl.DataFrame, queries: pl.DataFrame, fields: Sequence[Collection[str]], *, typos: bool
) -> Findings:
    """One finding, which reads the whole catalogue's words; none where queries or products have none.

    fields: of each group that reads words, the columns of products that it reads; typos: whether they are mended.
    Numbers are no words here: sizes and limits of price are asked for that no product has.
    """
    tokens = TokenisedColumns(products)
    filled = {frozenset(name for name in of_group if has_values(products, name)) for of_group in fields}
    widest = [sorted(one) for one in filled if one and not any(one < other for other in filled)]
    known = [CountedWords.of([tokens[name] for name in one]) for one in widest]
    texts = queries["text"].drop_nulls().to_list() if "text" in queries.columns else []
    wanted = [terms for terms in QueryWords.read(texts).wanted["terms"] if terms]
    if not known or not wanted:
        return Findings()
    reading = Typos(known)
    counts = Counter(word for terms in wanted for word in dict.fromkeys(terms) if any(map(str.isalpha, word)))
    unknown = [word for word, _ in counts.most_common() if not reading.has(word)]
    read = dict(zip(unknown, reading.read(unknown) if typos else unknown, strict=True))
    return Findings([_finding(wanted, read, typos=typos)])


def _finding(wanted: Sequence[Sequence[str]], read: dict[str, str], *, typos: bool) -> Finding:
    """wanted: of each query; read: as what each word is read that no product has, the commonest first."""
    left = {word: as_ for word, as_ in read.items() if word == as_}
    having = [terms for terms in wanted if not read.keys().isdisjoint(terms)]
    as_typed = [terms for terms in having if not left.keys().isdisjoint(terms)]
    mended = (f"{word!r} as {as_!r}" for word, as_ in read.items() if word != as_)
    evidence = f"{len(having):,} of {len(wanted):,} ({len(having) / len(wanted):.0%})"
    if having:
        evidence += (
            f"; in {len(having) - len(as_typed):,} all such words are read as the nearest that one has{_some(mended)}; "
            f"in {len(as_typed):,} ({len(as_typed) / len(wanted):.0%}) not{_some(map(repr, left))}"
        )
    return finding(
        "WARN" if len(as_typed) > MANY * len(wanted) else "PASS",
        "queries with a word that no product has",
        evidence,
        "do queries and products speak one language, and is every text of the products read (data.products.columns)? "
        "what no product says is found by a text encoder alone"
        + "; features.typos mends typos"
        * (not typos),
    )


def _some(words: Iterable[str]) -> str:
    found = list(words)
    return f" ({', '.join(found[:_EXAMPLES])}{', …' * (len(found) > _EXAMPLES)})" if found else ""
