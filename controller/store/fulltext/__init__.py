"""Where words stand: the newest rows that hold them, found in an index without sorting all that do.

What the index is made of differs (FTS5, GIN); what is found does not. Numbers are looked through
downwards, a stretch at a time, so that a word of half of all rows costs no more than a rare one.
"""

from controller.store.fulltext.places import Place, Stretch, Wanted, bounds
from controller.store.fulltext.tables import is_derived
from controller.store.fulltext.within import first_stretch, within
from controller.store.fulltext.words import SPELLED, fold, tokens

__all__ = [
    "SPELLED",
    "Place",
    "Stretch",
    "Wanted",
    "bounds",
    "first_stretch",
    "fold",
    "is_derived",
    "tokens",
    "within",
]
