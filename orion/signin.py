"""Who the command line speaks as: somebody who has signed in, or else whoever owns the data folder."""

import errno
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from broker import files

_WORD = re.compile(r"[ -~]+")  # what a header can hold
SPARE = 30.0  # seconds before its end in which a token is renewed
LOCK_WITHIN = 60.0  # seconds: two renewals that get no answer


class DamagedSignIn(Exception):
    """A sign-in is kept, and it cannot be told whose. To go on as somebody else would be a guess."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The sign-in {path} {why}. Sign in anew with orion login, or remove it with orion logout to speak "
            "as the owner of the data folder."
        )


@dataclass(frozen=True, slots=True)
class SignIn:
    """A name, the token that opens until `ends_at` (this computer's time), and the one that makes the next.

    `origin`: the controller that they are of, as it is called by TLS; empty: one of this computer.
    """

    username: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    ends_at: float
    origin: str = ""

    @classmethod
    def of(cls, grant: dict[str, Any], origin: str) -> "SignIn":
        """As that controller has granted it just now."""
        return cls(
            str(grant["username"]),
            str(grant["access_token"]),
            str(grant["refresh_token"]),
            time.time() + float(grant["expires_in"]),
            origin,
        )

    @property
    def is_fresh(self) -> bool:
        """Whether its token opens for a while yet."""
        return time.time() < self.ends_at - SPARE


class Kept:
    """The sign-in of one data folder, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = False  # by this program, which has one thing to do

    def read(self) -> SignIn | None:
        """The one that is kept; None: there is none.

        Raises:
            DamagedSignIn: one is kept, and cannot be read.
        """
        try:
            return _read(json.loads(self.path.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DamagedSignIn(self.path, f"cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, RecursionError):
            raise DamagedSignIn(self.path, "is damaged") from None

    def write(self, sign_in: SignIn) -> None:
        """Keep another one in its place. Others must not change it meanwhile: see `alone`."""
        files.make_private_directory(self.path.parent)
        files.replace(self.path, json.dumps(asdict(sign_in)) + "\n")

    def forget(self) -> None:
        """Keep none. Others must not change it meanwhile: see `alone`."""
        self.path.unlink(missing_ok=True)

    def fresh(self, renew: Callable[[SignIn], SignIn]) -> SignIn | None:
        """The one that is kept, renewed by one program at a time: a token that renews twice ends everything."""
        kept = self.read()
        if kept is None or kept.is_fresh:
            return kept
        with self.alone():
            kept = self.read()  # another one may have been quicker
            return kept if kept is None or kept.is_fresh else self._renewed(kept, renew)

    def another(self, refused: SignIn, renew: Callable[[SignIn], SignIn]) -> SignIn | None:
        """The one to go on with where this one opens nothing, though its time was not up; None: none is kept."""
        with self.alone():
            kept = self.read()
            same = kept is not None and kept.access_token == refused.access_token
            return self._renewed(kept, renew) if kept is not None and same else kept

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes what is kept: renewing, signing in and out come one after the other.

        Raises:
            OSError: another program takes too long, or nothing can be kept there.
        """
        if self._held:
            yield
            return
        files.make_private_directory(self.path.parent)
        lock = self.path.with_suffix(".lock")
        with ExitStack() as stack:
            try:
                stack.enter_context(files.locked(lock, within_s=LOCK_WITHIN))
            except files.Locked as error:
                raise BlockingIOError(errno.EAGAIN, "another orion holds it", str(lock)) from error
            self._held = True
            stack.callback(self._let_go)
            yield

    def _let_go(self) -> None:
        self._held = False

    def _renewed(self, kept: SignIn, renew: Callable[[SignIn], SignIn]) -> SignIn:
        following = renew(kept)
        self.write(following)
        return following


def _read(found: Any) -> SignIn:
    """A sign-in as it was written.

    Raises:
        ValueError, TypeError: it is none.
    """
    sign_in = SignIn(**found)
    words = (sign_in.username, sign_in.access_token, sign_in.refresh_token)
    if not all(isinstance(each, str) and _WORD.fullmatch(each) for each in words):
        raise ValueError("no sign-in")
    if not (isinstance(sign_in.origin, str) and math.isfinite(sign_in.ends_at)):
        raise ValueError("no sign-in")
    return sign_in
