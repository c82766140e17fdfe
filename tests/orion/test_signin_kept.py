"""A sign-in that is kept: over, damaged, or not to be read, it makes nobody somebody else."""

import json
from pathlib import Path

import pytest

from orion.signin import DamagedSignIn, Kept, SignIn
from tests.orion.installation import Installation, running
from tests.orion.signing_in import PASSWORD, changed, login


def test_one_that_is_over_says_how_to_go_on(installation: Installation, mia: Kept) -> None:
    login(installation, PASSWORD)
    installation_token = SignIn(**json.loads(mia.path.read_text()))
    mia.forget()
    installation.data("users", "disable", "mia")
    mia.write(installation_token)

    at_once = installation.orion("whoami")
    changed(mia, ends_at=0.0)
    later = installation.orion("whoami")
    out = installation.orion("logout")

    for done in (at_once, later):
        assert done.returncode == 3
        assert "orion login mia" in done.stderr
    assert out.returncode == 0
    assert installation.data("whoami")["username"] == "admin"


def test_one_that_is_over_keeps_nothing_from_starting_and_can_be_let_go(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "data" / "sign-in.json")
    kept.write(SignIn("mia", "no token", "nor this", 0.0))

    with running(tmp_path) as installation:
        over = installation.data("whoami", exit_code=3)
    gone = installation.data("logout")

    assert "orion login mia" in over["error"]["message"]
    assert gone == {"username": "mia", "ended": False}
    assert kept.read() is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"username": "mia"}',
        b'{"username": "mia", "access_token": "a\\nb", "refresh_token": "r", "ends_at": 9999999999.0}',
        b'{"username": "mia", "access_token": "a", "refresh_token": "r", "ends_at": "x"}',
        b'{"username": "mia", "access_token": "a", "refresh_token": "r", "ends_at": NaN}',
        b'{"username": "mia", "access_token": 1, "refresh_token": "r", "ends_at": 1.0}',
    ],
)
def test_what_is_no_sign_in_is_none_and_no_absence(tmp_path: Path, content: bytes) -> None:
    kept = Kept(tmp_path / "sign-in.json")
    kept.path.write_bytes(content)

    with pytest.raises(DamagedSignIn, match="orion login"):
        kept.read()


def test_a_damaged_one_makes_nobody_the_administrator(installation: Installation, mia: Kept) -> None:
    mia.path.write_bytes(b'{"username": "mia"}')

    asked = installation.data("whoami", exit_code=1)
    password = installation.data("users", "password", "mia", "--once", exit_code=1)
    out = installation.data("logout")

    assert password == asked
    for part in (str(mia.path), "orion login", "orion logout"):
        assert part in asked["error"]["message"]
    assert out == {"username": None, "ended": False}
    assert not mia.path.exists()
    assert installation.data("whoami")["username"] == "admin"


def test_one_that_was_cut_off_is_replaced_by_signing_in(installation: Installation, mia: Kept) -> None:
    login(installation, PASSWORD)
    mia.path.write_bytes(mia.path.read_bytes()[:100])

    assert installation.orion("users", "list").returncode == 1
    assert login(installation, PASSWORD).returncode == 0
    assert installation.data("whoami")["username"] == "mia"


def test_one_that_cannot_be_read_makes_nobody_the_administrator(
    installation: Installation, mia: Kept
) -> None:
    mia.path.mkdir()
    try:
        asked = installation.data("whoami", exit_code=1)
    finally:
        mia.path.rmdir()

    assert f"The sign-in {mia.path} cannot be read" in asked["error"]["message"]
