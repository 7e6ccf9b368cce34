"""A run on disk: written whole, opened for scoring, learnt from by later runs.

record                A run on disk: all that scoring, measuring and explaining need, and nothing that
                      runs code when read
saved_run             A run folder opened for scoring: its config, schema and model, applied to any
                      catalogue
sources               From a config's `train` section to what training learns from and leans on: other
                      sets read, an earlier run opened
sums                  Sums of every file of a run: what changed since it was written is found by
                      whoever reads it
"""
