"""Behaviour: the log of events in the store, and from it counts and rates per product, query, category and brand.

catalogue_changes      Since when each product has had its price and its stock
counting               Clean events → counts over windows, as of each midnight: a day's own events tell it nothing
erasure                One person erased from log, tables, counts and all versions, and then looked for
event_store            The log of events in the store: a set of rows that readings add to, in any order, each once
job                    The job from log to features: read what is new, count, write, forget what is too old
item_graph             Products joined by what was done with both: personalised PageRank over it, from any starts
settings               What is counted, over which windows, how it is smoothed, and how long events are kept
together               Which products the same people looked at and bought, as of each midnight
views                  The views that hold what was counted, and how they are written
"""

from features.behaviour.erasure import Erased, Places, erase_person
from features.behaviour.event_store import EventStore
from features.behaviour.item_graph import ItemGraph
from features.behaviour.job import Done, update_behaviour
from features.behaviour.settings import BehaviourConfig

__all__ = [
    "BehaviourConfig",
    "Done",
    "Erased",
    "EventStore",
    "ItemGraph",
    "Places",
    "erase_person",
    "update_behaviour",
]
