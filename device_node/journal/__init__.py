"""What a node must not forget, in one SQLite file: ids, what waits for an Ack, and a few marks.

Whatever is promised is in here before anybody is told of it. `Journal` is the only way in;
a single writer thread behind it puts what waits together into one transaction.
"""

from device_node.journal.commands import Answer
from device_node.journal.entries import Entry, Kind, Limits, Severity, Spooled, State
from device_node.journal.errors import JournalFull, JournalInUse, JournalUnusable
from device_node.journal.journal import Journal

__all__ = [
    "Answer",
    "Entry",
    "Journal",
    "JournalFull",
    "JournalInUse",
    "JournalUnusable",
    "Kind",
    "Limits",
    "Severity",
    "Spooled",
    "State",
]
