"""Features of query–product pairs for learning to rank; usable without `ltr`.

build                 Feature groups in order → one table of features per query–product pair
settings              Which groups of features there are, in the order of their columns, and their settings
index                 A catalogue read once: the order of its products, and their vectors
batch                 Pairs as row numbers, columns as one matrix: what a group is asked and answers
feature_schema        What a feature table holds: names in order, kinds and category vocabularies
disk                  Files and folders that take their name only when whole
processes             Which process somebody is, and is it gone
secrets               Secrets in addresses and options: never told or written down
progress              How far a long piece of work is, said through logging
installed             Packages that only some settings need, asked for before they are imported
kinds                 Open families of settings: each `kind` that a config can name, and what makes it
errors                The one error that a person can mend
behaviour/            What shoppers did: kept as a set of rows, counted as of each midnight, erased on demand
sources/              The user's files or frames → clean canonical tables
media/                Photos and other files: which columns hold them, what can be read
words/                Tokens, counts, BM25, measures, price limits, brand names
encoders/             Frozen encoders: text or photo → vector, each distinct content encoded once
groups/               Groups of features: index a catalogue once, answer for pairs
retrieval/            From a query to candidates, by words and by vectors, of all products or of some
store/                Delta tables per feature view, read as of a time or a version
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from features.build import FeatureBuilder, FeatureTable
    from features.errors import InputError
    from features.feature_schema import Feature, FeatureSchema
    from features.settings import FeaturesConfig
    from features.sources.frames import Shop

__all__ = [
    "Feature",
    "FeatureBuilder",
    "FeatureSchema",
    "FeatureTable",
    "FeaturesConfig",
    "InputError",
    "Shop",
]

# Imported when asked for: every import of a module in here opens this face, and a command's --help needs none of it.
_HOME = {
    "Feature": "features.feature_schema",
    "FeatureBuilder": "features.build",
    "FeatureSchema": "features.feature_schema",
    "FeatureTable": "features.build",
    "FeaturesConfig": "features.settings",
    "InputError": "features.errors",
    "Shop": "features.sources.frames",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'features' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
