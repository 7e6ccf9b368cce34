"""From what shoppers did to labels: what was seen, what attracts, and whether the data can tell the two apart.

examination   How often each place is seen, from products seen at several places; refusals
labels        Judgements with weight and effective size; beside human ones and mixed with them
lists         Shown lists as arrays, from events
models/       Click models, fitted and judged on later days
settings      What `ltr.label_clicks` asks for
"""

from ltr.clicks.examination import Examination, Overlap, harvest, overlap
from ltr.clicks.labels import (
    Agreement,
    CannotTell,
    Labels,
    Views,
    agreement,
    best_examination,
    disagreements,
    label,
    mixed,
    on_human_scale,
)
from ltr.clicks.lists import ShownLists
from ltr.clicks.settings import LabelSettings

__all__ = [
    "Agreement",
    "CannotTell",
    "Examination",
    "LabelSettings",
    "Labels",
    "Overlap",
    "ShownLists",
    "Views",
    "agreement",
    "best_examination",
    "disagreements",
    "harvest",
    "label",
    "mixed",
    "on_human_scale",
    "overlap",
]
