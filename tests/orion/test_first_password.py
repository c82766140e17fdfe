"""The first user's password: shown once, to a person, at the first start."""

import os
import pty
import signal
import subprocess
from pathlib import Path

from tests.orion.installation import ORION, READY_WITHIN, Installation, running, until


def test_the_first_password_is_shown_to_a_person_once(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    tmp_path.mkdir(exist_ok=True)

    shown = [until_up(installation) for _ in range(2)]

    assert "Password for one sign-in" in shown[0]
    assert "orion login admin" in shown[0]
    assert "Password" not in shown[1]
    assert "has no password" not in shown[1]


def test_it_is_not_written_where_nobody_looks_on(tmp_path: Path) -> None:
    with running(tmp_path, "--no-node") as installation:
        assert "Password for one sign-in" not in installation.log
        assert "admin has no password to sign in with: orion users password admin --once" in installation.log
        assert installation.data("users", "password", "admin", "--once")["password"]


def until_up(installation: Installation) -> str:
    """What a person sees until it is up, on a terminal."""
    leader, follower = pty.openpty()
    up = subprocess.Popen(
        [*ORION, "up", "--no-node"],
        env=installation.environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    seen = bytearray()

    def is_up() -> bool:
        seen.extend(os.read(leader, 65_536))
        return b"Ctrl-C stops everything" in seen

    try:
        until(is_up)
    finally:
        up.send_signal(signal.SIGINT)
        while up.poll() is None:  # a full terminal would hold it
            try:
                os.read(leader, 65_536)
            except OSError:
                break
        up.wait(READY_WITHIN)
        os.close(leader)
    return seen.decode(errors="replace")
