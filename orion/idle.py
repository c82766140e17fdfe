"""That no controller runs: whoever changes the whole database must be alone with it."""

from orion.client import ClientError, NoAnswer, NotRunning
from orion.verbs import Failure, Invocation


def check(invocation: Invocation) -> None:
    """Return where no controller of this installation answers.

    Raises:
        Failure: one does, or somebody is there and does not say who.
    """
    try:
        invocation.client.get("/keys")
    except NotRunning:
        return
    except NoAnswer as error:
        raise Failure(f"{error} Stop it first.", code="conflict") from error
    except ClientError:
        return  # another installation's, or another program: not ours to stop
    raise Failure("The controller runs: stop it first.", code="conflict")
