"""What is kept of what happened.

event_log              What was shown and done, appended durably as UBI's lines, carried into the store
json_lines             Values as JSON, quickly
judgements             Grades that a team gives, kept for good, and written as tables
log_check              A log against the run that served it: the same scores, features as in training
run_on_log             What a run would have shown where the log left places to chance
"""

from ltr.serving.log.event_log import EventLog

__all__ = ["EventLog"]
