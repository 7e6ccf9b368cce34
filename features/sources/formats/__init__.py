"""Files → frames: formats, the habits of those who write them, and what columns most likely mean.

column_names           What columns are called by shops, feeds, exports and judging tools, in many languages
csv_files              CSV as people's programs write it: other separators, Excel's `sep=;`, lines
                       above the header
guess                  What a table's columns most likely mean, by their names as shops, feeds and
                       judging tools write them
other_rows             What stands among a table's rows and is none: its header again, a second header,
                       `sep=;`, sums and other footers
readers                One file in, one frame out: Parquet, CSV, TSV, JSON and JSON lines, each also gzipped
svmlight               Ready-made features: svmlight files with `qid:`, or LightGBM's form with a
                       `.query` file of group sizes
variants               Rows of one product's variants, of which only the first says what the product is
                       (Shopify's export)
"""
