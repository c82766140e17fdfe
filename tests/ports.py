"""Ports that nobody else takes between our looking and the start of the program that gets them.

They are below those that the system gives to outgoing connections, and each process of a
test run has its own.
"""

import itertools
import os
import secrets
import socket

FIRST, LAST = 20_000, 32_000
PROCESSES = 8  # that have ports of their own
SHARE = (LAST - FIRST) // PROCESSES


def _own() -> range:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + worker % PROCESSES * SHARE
    return range(first, first + SHARE)


# not always from the first: another run may stand beside this one
_START = secrets.randbelow(SHARE)
_NEXT = itertools.islice(itertools.cycle(_own()), _START, None)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    for port in itertools.islice(_NEXT, SHARE):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port between {FIRST} and {LAST} is free")
