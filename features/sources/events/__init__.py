"""What shoppers were shown and what they did: read, cleaned and written; ids are pseudonyms from the door on.

event_log              `Events`: two frames, one row a product of a shown list and one row an action
ubi                    OpenSearch's UBI files: lines of queries and of events, read from any source and
                       written as our own server writes them
"""

from features.sources.events.event_log import ACTIONS, SHOWN, Events
from features.sources.events.ubi import action_line, read_ubi, shown_line, write_ubi

__all__ = [
    "ACTIONS",
    "SHOWN",
    "Events",
    "action_line",
    "read_ubi",
    "shown_line",
    "write_ubi",
]
