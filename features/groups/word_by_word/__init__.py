"""Word by word: what a query asks for, what a product's texts say, and what its photo shows.

asked_photos           What a query's photo shows, changed where its words ask for something else
asked_words            Word by word, whether a product has what the query asks for: in its text, by that
                       word or a related one, or in its photo
related_words          Which words of a catalogue stand for which: by what they mean, and by what the
                       photos of products show that say them
said_words             Which words each product's texts say, read anew or where they changed
shown_words            The words that a photo shows, told from its vector by linear probes fitted on
                       the catalogue itself
word_probes            Ridge regressions from vectors to words, all at once, with what each leaves out
                       its own example
word_pairs             Which words of a query go with which words of a product, as the judgements have it
"""
