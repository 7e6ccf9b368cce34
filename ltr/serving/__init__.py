"""A trained run put to use: searched, explained, served with a page (its files lie in `page/`), exported.

arguments              What ltr.rank, explain, compare and export take on their command lines
beside                 One query by two orders side by side, and what moved
catalogue              The catalogue as shoppers see it: cards, filters, facets, orders by a column
event_log              What was shown and done, appended durably as UBI's lines, carried into the store
exploration            Lists changed on purpose, with exact propensities: swaps, interleaving, A/B arms
exports/               A run for another engine, with the proof that it scores alike there
http/                  The API over it: routes, bodies, limits, problems
judgements             Grades that a team gives, kept for good, and written as tables
live_run               A run opened for serving, with all that a request needs in memory
live_runs              The run that serves now, and how another takes its place
log_check              A log against the run that served it: the same scores, features as in training
photos                 Products' photos as small JPEGs, made once
process                The server as a process: listens, says where, ends without losing a request
query_explanation      One query's candidates with what their scores are made of: a query of the run's,
                       or free words
ranking                One query → the catalogue's candidates in the run's order: what `ltr.rank`
                       prints and a shop shows
reasons                Why a product stands where it stands, in a few words
reranking              Candidates of a shop's own engine in the run's order
run_checks             Whether a run may serve: files, features, queries whose answers are known
searching              A shopper's request → the list to show
settings               What ltr.serve takes
similar                Products like another one: a trained model asked with its words and photo, or
                       likeness itself
suggestions            What a shopper may be about to type
telling                A running server told to put another run in place, or the one before back
"""
