"""The steps that commands share: features prepared, strategies compared, robustness measured.

events/                From what shoppers did to labels, features and recommendations
examination            What training starts from: features, the split, and what the data doctor says of
                       both
few_queries            Whether so few queries train that chance would have much of the say: then the
                       ranker leans on a plain cosine
first_config           From a shop's own files to a first config: columns guessed, explained in
                       comments, and tried before it is written
fitting                A config's ranker fitted and scored beside baselines and rungs, and what it goes
                       by
fusion/                Strategies of fusion, trained on the same splits, and compared
judging                Which products to judge next: those whose grades would move the difference of
                       two runs' nDCG the most
known_catalogues       Which catalogue a config's files hold, told from their sizes and times: so that
                       an index opens without reading them
known_encoders         What is known of an encoder without making it: a command whose query needs no
                       photo network imports none
loop                   The loop on the demo shop: few judgements, shoppers, labels, retraining,
                       experiments, decision
pooled_judging         Judgements as a team makes them: of what several systems find, not of lists
                       drawn to be instructive
prepare                From a config to its feature table: load the collection, build the features or
                       reuse the stored ones
robustness             What a trained ranker is worth once part of the catalogue has lost its photos or
                       descriptions
run_files              Another ranker's results, in TREC's files: measured, tested and judged as a run
                       of our own
shown_lists            What a trained model shows, end to end: its order of the candidates of queries
                       that it has not seen, measured
thinned_catalogue      The judged pairs as they would be had some products no photo, or no description;
                       nothing is encoded anew
"""
