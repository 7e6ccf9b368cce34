"""Learning to rank from a table of query–product features: train, measure, serve.

init                  From the shop's own files to a first config
build_features        Features into the store; only what is new is encoded
check                 The data doctor
train                 A ranker, measured on queries it has not seen, and its run folder
tune                  The search for better settings
evaluate              A run on its held-out or on new queries; the gate against another run
judge_next            Which products that a run shows to judge next
rank                  One query's results
recommend             What comes next for a session or shopper, or after a product
serve                 An HTTP API and a search page over a run
export                A run's model for another engine, with its proof
label_clicks          Judgements from what shoppers clicked, carted and bought
explain               What each result's score is made of
compare               Products side by side
compare_fusion        Features, decisions or one network: which fusion wins where
settings              Every setting, its default and what it is
fit_encoder           An image encoder or a quick text encoder fitted on the shop's own catalogue
loop                  The whole loop on the demo shop, each step beside the truth
experiment            Is a new ranker better for shoppers? Plans, A/B tests, interleaving, off-policy
ingest_events         What shoppers did, from the log into the store, counted for features
erase_person          One person out of log, store, counts and all versions
config/               One strict tree of settings, YAML, the command line
data/                 Datasets, splits, gains, the data doctor's checks
demo/                 The embedded shop whose right answers are known
rankers/              Boosters, networks and blends behind one protocol
clicks/               Click models, what was seen, labels from clicks
evaluation/           Measures, intervals, paired tests, baselines, segments, the gate
experiments/          A/B tests, interleaving, plans, off-policy estimates, surveys
training/             Fitting: fold by fold, from other sets, leaning on a cosine
explanation/          Why a product has its score and its place
recommendation/       What comes next: simple rules, and a ranker over what they find
tuning/               Trials, studies, pruning, the winner
pipeline/             The steps that commands share
runs/                 A run on disk: written whole, opened again
serving/              A run put to use: ranked lists, products like another one
reporting/            The page of a run, and what commands tell
"""

__version__ = "0.1.0"
