"""What shoppers were shown and what they did: read, cleaned and written; ids are pseudonyms from the door on.

bots                   Who is no person, by what the people of the same log do
cleaning               Events cleaned, each step counted: copies, bots, clicks without a list, late ones, repeats
event_log              `Events`: two frames, one row a product of a shown list and one row an action
history                What each query's shopper had met before it was asked, from a log of events
logged                 What a log says of lists and actions before lists are settled: pieces, in any order
tables                 Plain tables of events, by the config's columns
ubi                    OpenSearch's UBI files: lines of queries and of events, read from any source and
                       written as our own server writes them
"""

from features.sources.events.cleaning import EventRules, clean_events
from features.sources.events.event_log import ACTIONS, SHOWN, Events
from features.sources.events.history import with_history
from features.sources.events.ubi import (
    action_line,
    action_record,
    read_ubi,
    shown_line,
    shown_record,
    write_ubi,
)

__all__ = [
    "ACTIONS",
    "SHOWN",
    "EventRules",
    "Events",
    "action_line",
    "action_record",
    "clean_events",
    "read_ubi",
    "shown_line",
    "shown_record",
    "with_history",
    "write_ubi",
]
