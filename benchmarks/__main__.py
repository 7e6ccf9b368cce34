"""python -m benchmarks

Every benchmark whose data is at hand (real sets: LTR_SHARED_DATA), then the tables of benchmarks/README.md.
"""

from __future__ import annotations

from benchmarks import metrics_speed, mq2008, parity, point_in_time, quality, speed, tables

if __name__ == "__main__":
    parity.main()
    speed.main()
    metrics_speed.main()
    point_in_time.main()
    mq2008.main()
    quality.main([])
    tables.main()
