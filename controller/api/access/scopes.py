"""Which routes an API key opens: those of the kinds that its scopes name, to read or to write.

A kind is the last tag of a route. One that no scope knows is opened by no key.
"""

from fastapi import Request

from controller.errors import Refused
from controller.services.actors import KeyBounds

OPEN_TO_ALL = frozenset({"auth"})  # who one is; what changes that takes a person, route by route
# kinds of which each route looks at the devices that somebody sees: the others are of all of them
OF_DEVICES = frozenset(
    {"approvals", "assistant", "commands", "devices", "events", "schedules", "stream", "tools"}
)
READING = frozenset({"GET", "HEAD"})


def check(request: Request, key: KeyBounds) -> None:
    """Make sure that a key opens the route of this request.

    Raises:
        Refused: it does not.
    """
    tags = getattr(request.scope.get("route"), "tags", None)
    noun = tags[-1] if tags else ""
    if noun in OPEN_TO_ALL:
        return
    verb = "read" if request.method in READING else "write"
    if not key.may(noun, verb):
        raise Refused(f"The API key does not open {noun}:{verb}.")
    if key.devices and noun not in OF_DEVICES:
        raise Refused(f"The API key is for some devices only, and {noun} is of all of them.")
