"""A run on disk: written whole, opened for scoring, learnt from by later runs.

arguments              What ltr.evaluate and ltr.tune take on their command lines
from_estimator         A ranker fitted as a scikit-learn estimator, kept as a run of ready-made
                       features
history                All runs of a folder: their figures, when and from what they were made, and
                       which settings set them apart
judging                What to judge next of one run, or of two that are compared: for the command, and
                       for whoever shows it to judges
measuring              A saved run measured without training: its held-out scores again, its model on
                       new files, beside a baseline run
record                 A run on disk: all that scoring, measuring and explaining need, and nothing that
                       runs code when read
saved_run              A run folder opened for scoring: its config, schema and model, applied to any
                       catalogue
sources                From a config's `train` section to what training learns from and leans on: other
                       sets read, an earlier run opened
sums                   Sums of every file of a run: what changed since it was written is found by
                       whoever reads it
training               A config's ranker trained and measured: what `ltr.train` leaves in a run
trust                  A run folder from anybody: its settings name files and addresses, and this
                       process reads and writes them
tuned                  Tuning put into practice: a config's data, split and candidates; the winner
                       fitted, measured and kept as a run
encoders/              Encoders fitted on a shop's own data, as folders
"""
