"""The user's files or frames → clean canonical tables, with every step counted.

catalogue              A shop's tables, one after another: read by the config's columns, cleaned, and
                       matched with each other
categories             Categories → paths: lists, lists written as text, the first of several paths
cleaning               Cleaning of the canonical tables: each function takes a table and the ledger,
                       and counts what it does
columns                A user's table → canonical columns: each found by its name, converted, its
                       unreadable values counted
config                 Where the data lies and what its columns are called: the `data` section of a
                       config
csv_files              CSV as people's programs write it: separators, Excel's `sep=;`, blanks, quotes
                       and repeated headers
dates                  Dates → Datetime: ISO 8601 in all its forms, stamps since 1970, 20240501
files                  A shop's photos and other files, found by the config's columns and folders;
                       those that cannot be read are counted
frames                 A shop's tables at hand as frames of polars, pandas or Arrow: read by the same
                       rules as files
grades                 Grades: numbers, or names that the config gives numbers; one column a rater,
                       whose agreement is measured
guess                  What a table's columns most likely mean, by their names as shops, feeds and
                       judging tools write them
ids                    Ids as text, without what Excel, pandas and Unicode did to them
ledger                 What cleaning did: every step counted, every rejected row kept with its reason,
                       every guess said
load                   The user's files → clean canonical tables, with every step counted and every
                       input file fingerprinted
numerals               Digits with points and commas → numbers, by marks decided per column
prices                 Prices as people and programs write them, and which of several currencies to keep
readers                One file in, one frame out: Parquet, CSV, TSV and JSON lines, each also gzipped
remarks                What the reader decided or noticed beyond single rows
schema                 The canonical tables: columns, dtypes and rules; a row that breaks a rule is set
                       apart with its reason
svmlight               Ready-made features: svmlight files with `qid:`, or LightGBM's form with a
                       `.query` file of group sizes
values                 A source's columns → canonical values: numbers, prices, dates, names, joined
                       text
variants               Rows of one product's variants, of which only the first says what the product is
whole_catalogue        Judgements that list only what is relevant: every other product of the catalogue
                       as a candidate of grade 0
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
