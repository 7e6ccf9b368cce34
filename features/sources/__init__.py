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
                       those not there are counted
ledger                 What cleaning did: every step counted, every rejected row kept with its reason
load                   The user's files → clean canonical tables, with every step counted and every
                       input file fingerprinted
readers                One file in, one frame out: Parquet, CSV, TSV and JSON lines, each also gzipped;
                       text must be UTF-8
schema                 The canonical tables: columns, dtypes and rules; a row that breaks a rule is set
                       apart with its reason
svmlight               Ready-made features: svmlight files with `qid:`, or LightGBM's form with a
                       `.query` file of group sizes
values                 A source's columns → canonical values: numbers, prices, dates, ids, category
                       paths, joined text
whole_catalogue        Judgements that list only what is relevant: every other product of the catalogue
                       as a candidate of grade 0
"""
