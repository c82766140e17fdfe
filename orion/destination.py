"""The database that another one is moved into, as somebody names it. Its password is never shown."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orion.config.sources import masked_url
from orion.exits import Exit
from orion.terminal import Terminal
from orion.verbs import Failure

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = "ORION_MOVE_TO"
ASKED = "-"
_LIKE = "It is like postgresql+psycopg://orion@db.example/orion or sqlite:////path/orion.db."


def chosen(terminal: Terminal, said: str | None) -> str:
    """The URL that was said, typed, or set in the environment, whole.

    Raises:
        Failure: there is none, or nothing can be moved to it.
    """
    if said == ASKED:
        given = terminal.secret("Move to (URL): ")
    else:
        given = os.environ.get(VARIABLE, "") if said is None else said
    if not given:
        raise _usage(f"Say where to: --to URL, --to - to be asked, or {VARIABLE}. {_LIKE}")
    address = _read(given)
    if said not in (None, ASKED) and masked_url(given) != given:
        terminal.say(
            "A password on the command line can be read by others on this computer, and stays in the shell's history.",
            "yellow",
        )
    return address.render_as_string(hide_password=False)


def refuse_same(url: str, target: str) -> None:
    """Make sure that the two are two, as far as their names tell.

    Raises:
        Failure: they are the same database.
    """
    from sqlalchemy import make_url

    one, other = make_url(url), make_url(target)
    if one.get_backend_name() != other.get_backend_name():
        return
    if one.get_backend_name() == "sqlite":
        is_same = Path(one.database or "").resolve() == Path(other.database or "").resolve()
    else:
        places = [(each.host, each.port or 5432, each.database) for each in (one, other)]
        is_same = places[0] == places[1]
    if is_same:
        raise Failure("That is the database that is to be moved: name another one.", code="conflict")


def is_there(target: str) -> bool:
    """Whether there is something to look into; a server is asked in any case."""
    path = _file(target)
    return path is None or path.exists()


def make(target: str) -> None:
    """Make a file, for its owner only, where there is none; a server's database is somebody else's to make."""
    path = _file(target)
    if path is not None and not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _file(target: str) -> Path | None:
    from sqlalchemy import make_url

    address = make_url(target)
    return Path(address.database or "") if address.get_backend_name() == "sqlite" else None


def _read(given: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(given)
    except (ArgumentError, ValueError):
        raise _usage(f"That is no URL of a database. {_LIKE}") from None
    if address.drivername in ("postgres", "postgresql", "postgresql+psycopg") and address.database:
        return address.set(drivername="postgresql+psycopg")
    if (
        address.drivername == "sqlite"
        and address.database not in (None, "", ":memory:")
        and not address.query
    ):
        path = Path(str(address.database)).expanduser().absolute()
        if not path.parent.is_dir():
            raise Failure(f"There is no folder {path.parent}.", code="not_found")
        return address.set(database=str(path))
    raise _usage(f"A database can be moved to SQLite or PostgreSQL, by a URL that names it. {_LIKE}")


def _usage(sentence: str) -> Failure:
    return Failure(sentence, code="invalid_arguments", exit_code=Exit.USAGE)
