"""A trained run put to use: results of one query explained, products like another one.

query_explanation     One query's candidates with what their scores are made of: a query of the run's,
                      or free words
similar               Products like another one: a trained model asked with its words and photo, or
                      likeness itself
"""
