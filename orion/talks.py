"""Which conversation somebody means: by its id, or their `last` one."""

from orion.verbs import Failure, Invocation

LAST = "last"


def meant(invocation: Invocation, said: str) -> str:
    """The id of a conversation; `last` is the one that the caller began last and that goes on.

    Raises:
        Failure: they have none that goes on.
    """
    if said != LAST:
        return said
    found = invocation.client.get("/sessions", mine=True, active=True, limit=1)["items"]
    if not found:
        raise Failure("You have no conversation that goes on. See all: orion sessions list", code="not_found")
    last: str = found[0]["session_id"]
    return last
