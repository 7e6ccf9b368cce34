"""Words of queries and products: tokens, counts, BM25, measures, price limits, brands.

bm25                   BM25 of chosen document–query pairs at once, and of one query against every
                       document
brand_names            Which of the catalogue's brands a query names
currencies             Currencies as people write them: signs, ISO codes and words, and the factors
                       behind numbers
limit_words            How languages other than English say a price limit: one row of words a language
measures               Numbers and measures in a text: "13.3 inch", "256gb", "2 pack", "#8", "10 ft.",
                       "7 1/2 volt"
packed_strings         Strings end to end in one array of bytes, so that a million of them are saved,
                       mapped and looked up as arrays
price_limits           A price limit said in a query: "under 1500", "below rs 800", "20 dollars or
                       less", "between 10 and 20"
query_words            A query's text as every group reads it: the price limit cut out first, then
                       tokens, numbers and measures
rewriting              Rules of rewriting texts, written once: whole columns go through polars, a
                       request's few ASCII words through Python
term_counts            Lists of terms → counts per document, and the look-up of a query's terms in
                       chosen documents
tokens                 Text → tokens: case, accents, possessives and plurals folded away, for English
typos                  A query's word that no product has, read as the catalogue's word that is one
                       letter away
word_hashes            Words as numbers of 32 bits, so that what is learnt of words needs no vocabulary
"""
