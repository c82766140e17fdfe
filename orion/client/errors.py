"""What a request to the controller can end with."""

from orion import exits
from orion.exits import Exit

OVER = (
    "The sign-in of {0} is over: orion login {0}, or orion logout to speak as the owner of the data folder."
)


class ClientError(Exception):
    """A request that did not work: a sentence for a person, a code for programs."""

    def __init__(self, sentence: str, *, code: str = "unavailable", exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.code = code
        self.exit_code = exit_code


class NotRunning(ClientError):
    """Nobody answers where the controller should."""


class Unproven(NotRunning):
    """Whoever answers there has not proved that it is the controller. No secret was sent."""


class SignedInElsewhere(ClientError):
    """The sign-in that is kept is another controller's, which alone is shown it."""

    def __init__(self, username: str, origin: str, where: str) -> None:
        super().__init__(
            f"The sign-in of {username} is for {origin or 'a controller of this computer'}, and this is {where}: "
            f"sign in there with orion login {username}, or go back by ORION_URL. Nothing was sent.",
            code="permission_denied",
            exit_code=Exit.DENIED,
        )


class NoAnswer(ClientError):
    """The request left, and what came of it is not known."""


class Refused(ClientError):
    """The controller answered with a problem; the sentence is its own."""

    def __init__(
        self, status: int, code: str, detail: str, error: str = "", retry_after: str | None = None
    ) -> None:
        super().__init__(detail, code=code, exit_code=exits.of_code(code))
        self.status = status
        self.error = error  # OAuth's own word for it
        self.retry_after = retry_after  # as the header says it
