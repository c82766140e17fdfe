"""Finding words in what is on record: the audit, events, messages and memories, the newest first.

Each word is looked for in all its forms, in Dutch and English, and all of them must be there.
Nobody finds what they may not see, and what has expired is not found.
"""

from controller.services.search.asking import MAX_TEXT, MAX_WORDS, Query
from controller.services.search.finding import Page, find
from controller.services.search.hits import Hit, Kind

__all__ = ["MAX_TEXT", "MAX_WORDS", "Hit", "Kind", "Page", "Query", "find"]
