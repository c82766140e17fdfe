"""PostgreSQL's own programs: found in the release that fits the server, run without a password in sight.

They get it by their environment, are given no time to hang, and their first complaint is ours.
"""

import os
import re
import secrets
import shutil
import subprocess  # nosec B404 # argument lists, never a shell
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection

from controller.errors import OrionError
from controller.store.backups.errors import ToolMissing

PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/lib/postgresql/*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "opt/homebrew/opt/libpq/bin",
)
ANSWER_WITHIN = 10.0  # seconds that a program has to say its version
LOOK_EVERY = 0.1  # seconds
STALLS_AFTER = 600.0  # seconds without a byte
MAX_SAID = 300  # characters of a complaint

_VERSION = re.compile(r"\) (\d+)")
_OURS = ("ORION_", "OLLAMA_", "PGOPTIONS", "PGPASSWORD", "PGSERVICE")
_ADDRESS = frozenset({"host", "port", "user", "dbname"})
_NOT_PASSED = frozenset({"options", "application_name", "password"})


def find(name: str, major: int) -> str:
    """The path of a program of the server's release, or of the next newer one that is here.

    Raises:
        ToolMissing: there is none.
    """
    found = {release: path for path in _places(name) if (release := _release(path)) >= major}
    if not found:
        raise ToolMissing(name, major)
    return str(found[min(found)])


def address_of(connection: Connection) -> str:
    """Where this connection leads to, as libpq reads it; without the password.

    Only what was said is passed on: the driver's libpq knows options that an older program's does not.
    """
    from psycopg.conninfo import make_conninfo

    raw: Any = connection.connection.dbapi_connection
    said = (_ADDRESS | set(connection.engine.url.query)) - _NOT_PASSED
    given: dict[str, Any] = raw.info.get_parameters()
    return make_conninfo(**{name: value for name, value in given.items() if name in said})


def environment(connection: Connection) -> dict[str, str]:
    """What a program needs to get in; nothing of ours."""
    raw: Any = connection.connection.dbapi_connection
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    kept |= {"PGAPPNAME": "orion-backup", "LC_MESSAGES": "C"}
    return kept | ({"PGPASSWORD": raw.info.password} if raw.info.password else {})


def exactly(name: str) -> str:
    """A name as a pattern that fits it alone."""
    return '"' + name.replace('"', '""') + '"'


def run(
    arguments: Sequence[str],
    environment: dict[str, str],
    *,
    failed: type[OrionError],
    moves: Callable[[], int],
    tell: Callable[[int], None],
) -> None:
    """Run a program to its end. `moves` is how far it is: one that stands still is ended.

    Raises:
        failed: it complained, or stood still.
    """
    with tempfile.TemporaryFile() as said:
        program = subprocess.Popen(  # nosec B603 # a program of PostgreSQL
            arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            seen, since = 0, time.monotonic()
            while True:
                try:
                    program.wait(LOOK_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    now = moves()
                    tell(now)
                    if now != seen:
                        seen, since = now, time.monotonic()
                    elif time.monotonic() - since > STALLS_AFTER:
                        raise failed(f"{Path(arguments[0]).name} stands still, and was ended.") from None
        finally:
            end(program)
        if program.returncode:
            raise failed(f"{Path(arguments[0]).name} failed: {complaint(said)}")


def end(program: "subprocess.Popen[bytes]") -> None:
    """Leave no program running."""
    if program.poll() is None:
        program.kill()
        program.wait()


def complaint(said: IO[bytes]) -> str:
    """What a program complained of first, in a line; never a line of the data."""
    said.seek(0)
    lines = said.read(64 * 1024).decode(errors="replace").splitlines()
    errors = [line for line in lines if "error:" in line.lower()]
    first = next(iter(errors or lines), "it did not say why")
    return re.sub(r"^.*?error:\s*", "", first, flags=re.IGNORECASE)[:MAX_SAID].rstrip(".") + "."


def unique(word: str) -> str:
    """A name for a while that nothing else has."""
    return f"orion_{word}_{secrets.token_hex(4)}"


def _places(name: str) -> Iterator[Path]:
    if (on_path := shutil.which(name)) is not None:
        yield Path(on_path)
    for place in PLACES:
        yield from Path("/").glob(f"{place}/{name}")


def _release(path: Path) -> int:
    try:
        said = subprocess.run(  # nosec B603 # a program of PostgreSQL
            [path, "--version"], capture_output=True, text=True, timeout=ANSWER_WITHIN, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = _VERSION.search(said)
    return int(found[1]) if found else 0
