"""Groups of features: each indexes a catalogue once and answers for query–product pairs.

adapted                Similarity adapted to a shop's own judgements: the query's vector is moved before
                       it meets the product's; its words meet the product's as judgements say
adapted_fitting        What fits those maps: graded lists, the listwise loss and its path of penalties
behaviour              What shoppers did with a product, as of the moment a query was asked
embeddings             Embeddings themselves as features, reduced by principal components or raw: early
                       fusion
graph                  How near each candidate is to that history on the graph of what people looked at, and
                       bought, together
history                How each candidate compares with what the shopper had met before the query
lexical                What query and product say in the same words: BM25, coverage, phrase, brand,
                       numbers, price limit
lexical_counts         Which words, numbers and measures each text of a catalogue has, read anew or where it
                       changed
likeness               How alike two products are: by photo, by title, by price and by category, and by
                       all of them together
protocol               What a group of features is, and which there are: one list, which a user's own
                       group joins by `register`
similarity             Cosines of query and product by frozen encoders: text–text per field,
                       photo–photo, text–photo
standings              Where a value stands among its list: rank share and z-score, as operations on
                       the starts of the lists
structured             What a product's own columns say: price, discount, brand, category, rating, age,
                       what is missing
word_by_word/          What a query asks for word by word, what a product's texts say, what its photo shows
"""

from features.groups.protocol import Group, GroupSettings, known_groups, register

__all__ = [
    "Group",
    "GroupSettings",
    "known_groups",
    "register",
]
