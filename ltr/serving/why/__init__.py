"""What a product's place is made of.

query_explanation      One query's candidates with what their scores are made of: a query of the run's,
                       or free words
reasons                Why a product stands where it stands, in a few words
"""

from ltr.serving.why.query_explanation import Explained, explain_query

__all__ = ["Explained", "explain_query"]
