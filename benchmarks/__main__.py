"""python -m benchmarks

Every benchmark whose data and aligned encoders are at hand (real sets: LTR_SHARED_DATA), one after the other in a
process of its own, then the tables of benchmarks/README.md. It takes some hours on two cores; each can be run alone.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks import record

# fmt: off
SCRIPTS = (
    "parity", "speed", "metrics_speed", "point_in_time", "mq2008", "quality", "photos", "photo_views",
    "grocery", "shown_lists", "pooled_judgements", "unjudged", "fusion", "transfer", "few_judgements",
    "adapted", "adapted_photos", "word_pairs", "tuning", "text_speed", "image_speed", "incremental", "index_opening",
    "index_changes", "retrieval", "retrieval_ways", "request", "build_scale", "train_overhead_scale", "device_encoding",
    "experiments", "serving", "offline_online", "recommendation", "item_graph", "behaviour",
    "behaviour_training", "session_history", "clicks", "tables",
)
# fmt: on

if __name__ == "__main__":
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{script}"], check=True, cwd=record.ROOT)
