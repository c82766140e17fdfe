"""Who is not let in, and what they are told: for programs in the words of OAuth 2.0 (RFC 6749, 5.2)."""

from controller.errors import InvalidArguments, Refused

WRONG = "The name or the password is wrong, or this user may not sign in."


class Unauthorized(Refused):
    """The request carries no token that is known here."""

    def __init__(self) -> None:
        super().__init__(
            "A valid token is needed: sign in with `orion login`. On the controller's own computer `orion` reads "
            "it from the data folder's token file."
        )


class GrantRefused(Refused):
    """Nobody is let in by what was shown. `error`: the word that OAuth 2.0 has for it (RFC 6749, 5.2)."""

    def __init__(self, sentence: str, *, error: str = "invalid_grant") -> None:
        super().__init__(sentence)
        self.error = error


class BadRequest(InvalidArguments):
    """What was asked for is no request of OAuth 2.0, or lacks something. `error`: OAuth's word for it."""

    def __init__(self, sentence: str, *, error: str = "invalid_request") -> None:
        super().__init__(sentence)
        self.error = error


class PasswordOver(GrantRefused):
    """It was the right password, for once: another one is to be chosen with it."""

    def __init__(self) -> None:
        super().__init__(
            "This password was for one sign-in: choose another one, and send it as new_password.",
            error="password_change_required",
        )
