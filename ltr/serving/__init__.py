"""A trained run put to use: results of one query explained, products like another one.

arguments              What ltr.rank, ltr.explain, ltr.compare and ltr.export take on their command lines
exports/               A run for another engine, with the proof that it scores alike there
query_explanation      One query's candidates with what their scores are made of: a query of the run's,
                       or free words
ranking                One query → the catalogue's candidates in the run's order: what `ltr.rank`
                       prints and a shop shows
similar                Products like another one: a trained model asked with its words and photo, or
                       likeness itself
"""
