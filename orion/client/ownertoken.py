"""The token of the data folder's owner, as the controller keeps it. What is no token is said, and never sent."""

import re
from pathlib import Path

from orion.client.errors import ClientError, NotRunning
from schemas.serverproof import LEAST_TOKEN

_WORD = re.compile(r"[!-~]+")  # what a header can hold
ANEW = "Delete it and start the controller again: it makes another one."


def read(path: Path) -> str:
    """The token in this file.

    Raises:
        NotRunning: there is no file, so no controller has ever run with its folder.
        ClientError: it cannot be read, or holds no token.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise NotRunning(
            f"Nobody is signed in here, and no controller has run with the data folder {path.parents[1]}. "
            "With a controller that is there: orion login NAME; to start one: orion up"
        ) from None
    except OSError as error:
        raise ClientError(f"The token {path} cannot be read: {error.strerror}") from error
    return _token(path, raw)


def known(path: Path) -> str | None:
    """The same; None where it is not here, or for somebody else.

    Raises:
        ClientError: it is here, and is no token.
    """
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise ClientError(f"The token {path} cannot be read: {error.strerror}") from error
    return _token(path, raw)


def _token(path: Path, raw: bytes) -> str:
    text = raw.decode("latin-1").strip(" \t\r\n")
    if not text:
        raise ClientError(f"The token {path} is empty. {ANEW}")
    if "\n" in text or "\r" in text:
        raise ClientError(f"The token {path} is damaged: it has more than one line. {ANEW}")
    if not _WORD.fullmatch(text):
        raise ClientError(f"The token {path} is damaged: it holds characters that no token has. {ANEW}")
    if len(text) < LEAST_TOKEN:
        raise ClientError(
            f"The token {path} is damaged: it has {len(text)} characters, and {LEAST_TOKEN} at least make one. {ANEW}"
        )
    return text
