"""`orion login --device`: a code here, a browser elsewhere, and a controller that is killed between."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from orion.signin import Kept
from tests.orion.browsing import let_in
from tests.orion.installation import ORION, READY_WITHIN, Installation, running

PASSWORD = "nine lives of a cat"
SHOWN = re.compile(r"Open (\S+) in a browser.* the code (\S+)")


@pytest.fixture
def people(installation: Installation) -> Iterator[Kept]:
    """Two operators with a password; where a sign-in is kept."""
    kept = Kept(installation.home / "data" / "sign-in.json")
    for name in ("mia", "max"):
        installed(installation, name)
    yield kept
    kept.forget()
    for name in ("mia", "max"):
        installation.data("users", "remove", name)


def installed(installation: Installation, name: str) -> None:
    installation.data("users", "add", name, "--role", "operator")
    done = installation.orion("users", "password", name, stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr


@contextmanager
def waiting(installation: Installation, *words: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A program that waits, with the address and the code that it shows."""
    program = subprocess.Popen(
        [*ORION, "login", "--device", *words],
        env=installation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stderr is not None
        found = SHOWN.search(program.stderr.readline())
        assert found is not None
        yield program, found[1], found[2]
    finally:
        program.kill()
        program.communicate()


def test_a_program_is_let_in_by_a_browser_elsewhere(installation: Installation, people: Kept) -> None:
    with waiting(installation, "--json") as (program, address, code), httpx.Client() as browser:
        done = let_in(browser, address, code, "mia", PASSWORD)
        said, _ = program.communicate(timeout=READY_WITHIN)

    assert address == f"http://127.0.0.1:{installation.http_port}/auth/device"
    assert "goes on as mia" in done.text
    assert (program.returncode, json.loads(said)) == (0, {"username": "mia"})
    assert installation.data("whoami")["username"] == "mia"


def test_a_no_is_said_and_nobody_is_signed_in(installation: Installation, people: Kept) -> None:
    with waiting(installation) as (program, _, code):
        token = (installation.home / "data" / "controller" / "token").read_text().strip()
        answer = httpx.post(
            f"http://127.0.0.1:{installation.http_port}/api/v1/auth/device/approve",
            json={"user_code": code, "approve": False},
            headers={"Authorization": f"Bearer {token}"},
        )
        _, said = program.communicate(timeout=READY_WITHIN)

    assert answer.status_code == 200
    assert program.returncode == 3
    assert "said no" in said
    assert people.read() is None


def test_somebody_elses_yes_is_not_taken_where_a_name_was_given(
    installation: Installation, people: Kept
) -> None:
    with waiting(installation, "mia") as (program, address, code), httpx.Client() as browser:
        let_in(browser, address, code, "max", PASSWORD)
        _, said = program.communicate(timeout=READY_WITHIN)

    assert program.returncode == 1
    assert "max said yes, and not mia" in said
    assert people.read() is None


def test_without_a_name_or_device_it_says_what_is_missing(installation: Installation) -> None:
    done = installation.orion("login")

    assert done.returncode == 2
    assert "orion login --device" in done.stderr


def test_a_controller_that_is_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--no-node") as installation:
        installed(installation, "mia")
        with waiting(installation) as (program, address, code), httpx.Client() as browser:
            for process in reversed(installation.family()):
                process.kill()
            assert installation.up is not None
            installation.up.wait(READY_WITHIN)
            installation.start("--no-node")
            let_in(browser, address, code, "mia", PASSWORD)
            _, said = program.communicate(timeout=READY_WITHIN)

        assert program.returncode == 0, said
        assert installation.data("whoami")["username"] == "mia"
