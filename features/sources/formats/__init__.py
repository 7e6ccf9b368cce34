"""Files → frames: formats, the habits of those who write them, and what columns most likely mean.

csv_files              CSV as people's programs write it: other separators, Excel's `sep=;`, blanks and
                       quotes in headers, headers again
guess                  What a table's columns most likely mean, by their names as shops, feeds and
                       judging tools write them
readers                One file in, one frame out: Parquet, CSV, TSV and JSON lines, each also gzipped
svmlight               Ready-made features: svmlight files with `qid:`, or LightGBM's form with a
                       `.query` file of group sizes
variants               Rows of one product's variants, of which only the first says what the product is
                       (Shopify's export)
"""
