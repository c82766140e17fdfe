"""Who the command line speaks as: somebody who has signed in, or else whoever owns the data folder."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from broker import files

SPARE = 30.0  # seconds before its end in which a token is renewed


@dataclass(frozen=True, slots=True)
class SignIn:
    """A name, the token that opens until `ends_at` (this computer's time), and the one that makes the next."""

    username: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    ends_at: float

    @classmethod
    def of(cls, grant: dict[str, Any]) -> "SignIn":
        """As the controller has granted it just now."""
        return cls(
            str(grant["username"]),
            str(grant["access_token"]),
            str(grant["refresh_token"]),
            time.time() + float(grant["expires_in"]),
        )

    @property
    def is_fresh(self) -> bool:
        """Whether its token opens for a while yet."""
        return time.time() < self.ends_at - SPARE


class Kept:
    """The sign-in of one data folder, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> SignIn | None:
        """The one that is kept; None: there is none, or it cannot be read."""
        try:
            return SignIn(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, sign_in: SignIn) -> None:
        """Keep another one in its place."""
        files.make_private_directory(self.path.parent)
        files.replace(self.path, json.dumps(asdict(sign_in)) + "\n")

    def forget(self) -> None:
        """Keep none."""
        self.path.unlink(missing_ok=True)

    def fresh(self, renew: Callable[[SignIn], SignIn]) -> SignIn | None:
        """The one that is kept, renewed by one program at a time: a token that renews twice ends everything."""
        kept = self.read()
        if kept is None or kept.is_fresh:
            return kept
        with self._alone():
            kept = self.read()  # another one may have been quicker
            if kept is not None and not kept.is_fresh:
                kept = renew(kept)
                self.write(kept)
            return kept

    def _alone(self) -> AbstractContextManager[None]:
        return files.locked(self.path.with_suffix(".lock"), within_s=30.0)
