"""What goes wrong: mistakes of people, a database that refuses, a failure and a crash."""

import contextlib
import secrets
import signal
import sqlite3

import psutil

from tests.conformance.installation import START_WITHIN
from tests.conformance.wire_peer import Peer, Refused, until
from tests.ports import free_port
from tests.security.in_use import Secret
from tests.security.story.telling import Story, a_secret

# What nobody foresees: at SIGUSR1 a program fails where it stands.
FAILING = """
import signal
def fail(*_):
    raise RuntimeError("failed for the test")
signal.signal(signal.SIGUSR1, fail)
"""
REFUSES = "CREATE TRIGGER refuse BEFORE INSERT ON {} BEGIN SELECT RAISE(ABORT, 'refused for the test'); END"


def mistakes(story: Story) -> None:
    site = story.site
    guessed, postgres = a_secret("guessed password"), a_secret("database password")
    pin, untaken = a_secret("another pin"), a_secret("pin that nobody takes")
    long = Secret("a pin that does not fit", secrets.token_urlsafe(64))
    story.told += [guessed, postgres, pin, untaken, long]
    for name in ("lock", "nobody", "mia"):
        with contextlib.suppress(Refused):
            Peer(site.port, name, guessed.text).connect()
    # it does not fit, and nobody is there to take it
    for given in (long.text, untaken.text):
        story.run("run", "lock", "unlock", "pin=-", "--no-wait", "--json", stdin=given + "\n")
    story.run("node", "join", "127.0.0.1:9", "--no-run", stdin="not-a-code\n")
    # somebody listens there, who is no database
    url = f"postgresql+psycopg://orion:{postgres.text}@127.0.0.1:{site.port}/orion"
    story.run(
        *("controller", "--json"),
        ORION_DATABASE_URL=url,
        ORION_DATA_DIR=str(site.directory / "other"),
        ORION_HTTP_PORT=str(free_port()),
    )
    story.run(
        "config", "show", ORION_DATABASE_URL=url, ORION_MQTT_URL=f"mqtts://orion:{postgres.text}@127.0.0.1"
    )
    _database_refuses(story, pin)
    _fail(story)


def _database_refuses(story: Story, pin: Secret) -> None:
    """The database fails in the middle of recording an order with a secret in it."""
    path = story.data_dir / "controller" / "orion.db"
    with contextlib.closing(sqlite3.connect(path, timeout=START_WITHIN)) as database:
        (table,) = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%secret_parameters%'"
        ).fetchone()
        database.execute(REFUSES.format(table))
        story.run("run", "lock", "unlock", "pin=-", "--no-wait", "--json", stdin=pin.text + "\n")
        database.execute("DROP TRIGGER refuse")


def _fail(story: Story) -> None:
    """The controller fails where it stands, says how, and goes on."""
    up = story.site.programs[0]
    (controller,) = (
        each for each in psutil.Process(up.process.pid).children() if "controller" in each.cmdline()
    )
    controller.send_signal(signal.SIGUSR1)
    up.until_said("RuntimeError: failed for the test")


def crash(story: Story) -> None:
    """`orion up` ends with a traceback, and everything with it."""
    up = story.site.programs[0]

    def ended() -> bool:
        # in a callback of its loop it survives
        up.process.send_signal(signal.SIGUSR1)
        return up.process.poll() is not None

    until(ended, within=START_WITHIN, what="the crash")
