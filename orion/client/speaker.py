"""Who the command line speaks as to one controller, and what it may show there."""

from collections.abc import Callable
from pathlib import Path

from orion.client import ownertoken
from orion.client.errors import ClientError, SignedInElsewhere
from orion.client.site import Site
from orion.exits import Exit
from orion.signin import DamagedSignIn, Kept, SignIn


class Speaker:
    """Whoever has signed in, or else the owner of the data folder. `as_owner`: whoever has signed in."""

    def __init__(self, site: Site, token_path: Path, *, as_owner: bool) -> None:
        self.kept = Kept(token_path.parents[1] / "sign-in.json")
        self._site = site
        self._token_path = token_path
        self._as_owner = as_owner

    def signed_in(self, find: Callable[[], SignIn | None] | None = None) -> SignIn | None:
        """Who has signed in, as far as that counts: as it is kept, or as `find` finds it there.

        Raises:
            ClientError: it cannot be told, or is another controller's.
        """
        try:
            found = None if self._as_owner else (find or self.kept.read)()
        except DamagedSignIn as error:
            raise ClientError(str(error)) from error
        except OSError as error:
            raise ClientError(f"The sign-in {self.kept.path} cannot be kept: {error}") from error
        if found is not None:
            self.check(found)
        return found

    def check(self, sign_in: SignIn) -> None:
        """Return if this controller may be shown a sign-in.

        Raises:
            SignedInElsewhere: it is another one's.
        """
        if sign_in.origin != self._site.origin:
            raise SignedInElsewhere(sign_in.username, sign_in.origin, self._site.shown)

    def owners_token(self) -> str:
        """What the owner of the data folder shows, on this computer alone.

        Raises:
            ClientError: it is not here, is none, or would go over a network.
        """
        if self._site.origin:
            raise ClientError(
                f"Nobody has signed in at {self._site.shown}: orion login NAME. "
                "The token of the data folder's owner does not leave this computer.",
                code="permission_denied",
                exit_code=Exit.DENIED,
            )
        return ownertoken.read(self._token_path)

    def known_token(self) -> str | None:
        """What whoever answers has to know; None where that cannot be asked for, or needs not.

        Raises:
            ClientError: it is here, and is none.
        """
        return None if self._site.origin else ownertoken.known(self._token_path)
