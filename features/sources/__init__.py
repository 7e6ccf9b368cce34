"""The user's files or frames → clean canonical tables, with every step counted.

catalogue              A shop's tables, one after another: read by the config's columns, cleaned, and
                       matched with each other
cleaning               Cleaning of the canonical tables: each function takes a table and the ledger,
                       and counts what it does
columns                A user's table → canonical columns: each found by its name, converted, its
                       unreadable values counted
config                 Where the data lies and what its columns are called: the `data` section of a
                       config
files                  A shop's photos and other files, found by the config's columns and folders;
                       those that cannot be read are counted
frames                 A shop's tables at hand as frames of polars, pandas or Arrow: read by the same
                       rules as files
grades                 Grades: numbers, or names that the config gives numbers; one column, or one a
                       rater, whose agreement is measured
ledger                 What cleaning did: every step counted, every rejected row kept with its reason,
                       every guess said
load                   The user's files → clean canonical tables, with every step counted and every
                       input file fingerprinted
remarks                What the reader decided or noticed beyond single rows: a guess, a doubt, a share
                       that matters
schema                 The canonical tables: columns, dtypes and rules; a row that breaks a rule is set
                       apart with its reason
whole_catalogue        Judgements that list only what is relevant: every other product of the catalogue
                       as a candidate of grade 0
events/                What shoppers were shown and what they did: read, cleaned and written
formats/               Files → frames: formats, the habits of those who write them, and what columns
                       most likely mean
parsing/               Values as people and programs write them → numbers, prices, dates, ids, category
                       paths
privacy/               Pseudonyms at the door, and counts that may leave the house
"""

from features.sources.config import CatalogueConfig, SvmlightConfig
from features.sources.frames import Shop
from features.sources.load import Collection

__all__ = [
    "CatalogueConfig",
    "Collection",
    "Shop",
    "SvmlightConfig",
]
