"""Whether the audit is what was recorded: in the database, and in a file that was made of it."""

from controller.services.proof.exported import COLUMNS, Exported, Unreadable, lines
from controller.services.proof.stored import Stored, Unchained, unchained
from controller.services.proof.walking import Chain, Fault, Kind, Row, Rows, is_whole, walk

__all__ = [
    "COLUMNS",
    "Chain",
    "Exported",
    "Fault",
    "Kind",
    "Row",
    "Rows",
    "Stored",
    "Unchained",
    "Unreadable",
    "is_whole",
    "lines",
    "unchained",
    "walk",
]
