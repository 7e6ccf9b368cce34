"""What keeps people private: pseudonyms at the door, and counts that may leave the house.

counts                 Counts that may leave the house: differentially private, with bounded people and exact
                       noise
keyed_hash             Pseudonyms: a person's id becomes a keyed hash at the door, and where the key lies
"""

from features.sources.privacy.counts import Privacy, private_counts, queries_of_enough, texts_of_few
from features.sources.privacy.keyed_hash import (
    FILE_VARIABLE,
    KEY_VARIABLE,
    Key,
    are_pseudonyms,
    load_key,
    load_keys,
    pseudonym,
    pseudonyms,
    pseudonyms_of,
    rotate_key,
)

__all__ = [
    "FILE_VARIABLE",
    "KEY_VARIABLE",
    "Key",
    "Privacy",
    "are_pseudonyms",
    "load_key",
    "load_keys",
    "private_counts",
    "pseudonym",
    "pseudonyms",
    "pseudonyms_of",
    "queries_of_enough",
    "rotate_key",
    "texts_of_few",
]
