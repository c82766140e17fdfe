"""What is remembered: one live row per scope, owner and key, found again by plain words.

What a device said, or came by a door whose words can be forged, is untrusted and stays so: it
replaces and removes nothing that a person had remembered, and the same words are no more
trusted when they are remembered again. Values stay out of the audit.
"""

from controller.services.memories.finding import get, listed, search
from controller.services.memories.keeping import (
    MAX_KEY,
    MAX_ROWS,
    MAX_VALUE,
    NewMemory,
    drop_expired,
    expired,
    forget,
    forget_session,
    remember,
)
from controller.services.memories.places import Place, Scope, Source, own

__all__ = [
    "MAX_KEY",
    "MAX_ROWS",
    "MAX_VALUE",
    "NewMemory",
    "Place",
    "Scope",
    "Source",
    "drop_expired",
    "expired",
    "forget",
    "forget_session",
    "get",
    "listed",
    "own",
    "remember",
    "search",
]
