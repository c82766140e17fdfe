"""That nothing uses the database of this installation: what changes or leaves it as a whole needs that.

A controller is asked for where it should answer, and the database itself is asked who has it open: the
controller may run elsewhere, or hang.
"""

from contextlib import suppress

from orion.client import ClientError
from orion.config.sources import masked_url
from orion.verbs import Failure, Invocation


def require(invocation: Invocation) -> None:
    """Make sure that no controller runs, and that nobody else has the database open.

    Raises:
        Failure: one does.
    """
    with suppress(ClientError):
        invocation.client.get("/keys")
        raise Failure("The controller runs: stop it first.", code="conflict")
    require_unused(invocation.settings.database_url)


def require_unused(url: str) -> None:
    """Make sure that nobody has a database open.

    Raises:
        Failure: somebody has, or the server cannot be asked.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from controller.errors import OrionError
    from controller.store import occupancy

    try:
        is_used = occupancy.is_used(url)
    except OrionError as error:
        raise Failure(str(error), code=error.code.value) from error
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise Failure(f"The database {masked_url(url)} cannot be used: {reason}.") from error
    if is_used:
        raise Failure(
            f"Another program has the database {masked_url(url)} open: a controller, or another `orion` command. "
            "Stop it first.",
            code="conflict",
        )
