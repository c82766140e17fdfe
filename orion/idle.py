"""That nothing uses the database of this installation: what changes or leaves it as a whole needs that.

A controller is asked for where it should answer, and the database itself is asked who has it open: the
controller may run elsewhere, or hang.
"""

from orion.client import ClientError, NoAnswer, NotRunning
from orion.config.sources import masked_url
from orion.verbs import Failure, Invocation, client_of


def check(invocation: Invocation) -> None:
    """Return where no controller of this installation answers, and nobody else has its database open.

    Raises:
        Failure: one does, or somebody is there and does not say who.
    """
    try:
        client_of(invocation.settings, as_owner=True).get("/keys")
    except (NotRunning, NoAnswer) as error:
        if (
            isinstance(error, NoAnswer) or error.code == "timeout"
        ):  # one that hangs does not prove itself either
            raise Failure(f"{error} Stop it first.", code="conflict") from error
    except ClientError:
        pass  # another installation's, or another program: not ours to stop
    else:
        raise Failure("The controller runs: stop it first.", code="conflict")
    check_database(invocation.settings.database_url)


def check_same(invocation: Invocation) -> None:
    """Make sure that a controller of this installation, if one runs, has the database that these settings name.

    Raises:
        Failure: it has another one; what is asked of ours would be true of nothing that is in use.
    """
    from controller.store import engine

    try:
        theirs = client_of(invocation.settings, as_owner=True).get("/system/database")["url"]
    except ClientError:
        return  # none runs here, or it is of an earlier release and does not say
    ours = engine.shown(invocation.settings.database_url)
    if ours != theirs:
        raise Failure(
            f"The controller that runs has the database {theirs}, and these settings name {ours}. Set "
            "ORION_DATABASE_URL, here or in the settings file, to what the controller has.",
            code="conflict",
        )


def check_database(url: str) -> None:
    """Make sure that nobody has a database open.

    Raises:
        Failure: somebody has, or the server cannot be asked.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from controller.errors import OrionError
    from controller.store import occupancy, remedies

    try:
        is_used = occupancy.is_used(url)
    except OrionError as error:
        raise Failure(str(error), code=error.code.value) from error
    except SQLAlchemyError as error:
        raise Failure(f"The database {masked_url(url)} cannot be used: {remedies.told(error)}") from error
    if is_used:
        raise Failure(
            f"Another program has the database {masked_url(url)} open: a controller, or another `orion` command. "
            "Stop it first.",
            code="conflict",
        )
