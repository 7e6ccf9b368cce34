"""How often was looked, and what that does to an interval: planned looks, any time, or once at the end.

reading      One comparison read under the looks that were planned
sequential   Bounds at planned looks (alpha spending), and intervals valid at any time
settings     How a user says it
"""

from ltr.experiments.looks.reading import Looks, Reading
from ltr.experiments.looks.settings import LookSettings

__all__ = ["LookSettings", "Looks", "Reading"]
