"""`orion login` and `orion logout`: who the command line speaks as, and what is left behind."""

import json
import os
import pty
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from orion.signin import Kept, SignIn
from tests.orion.installation import ORION, READY_WITHIN, Installation, running, until

PASSWORD, OTHER = "nine lives of a cat", "a dog has only one"


@pytest.fixture
def mia(installation: Installation) -> Iterator[Kept]:
    """An operator with a password; where her sign-in is kept."""
    kept = Kept(installation.home / "data" / "sign-in.json")
    installation.data("users", "add", "mia", "--role", "operator")
    done = installation.orion("users", "password", "mia", stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    yield kept
    kept.forget()
    installation.data("users", "remove", "mia")


def login(installation: Installation, *lines: str) -> subprocess.CompletedProcess[str]:
    return installation.orion("login", "mia", stdin="".join(f"{line}\n" for line in lines))


def changed(kept: Kept, **values: Any) -> None:
    kept.path.write_text(json.dumps(json.loads(kept.path.read_text()) | values))


def test_who_signs_in_is_who_asks_until_they_sign_out(installation: Installation, mia: Kept) -> None:
    before = installation.data("whoami")

    signed_in = login(installation, PASSWORD)
    during = installation.data("whoami")
    refused = installation.data("users", "list", exit_code=3)
    out = installation.data("logout")

    assert before == {"username": "admin", "role": "admin", "grants": [], "key": None, "by": "token_file"}
    assert signed_in.returncode == 0, signed_in.stderr
    assert during == {"username": "mia", "role": "operator", "grants": [], "key": None, "by": "sign_in"}
    assert refused["error"]["code"] == "permission_denied"
    assert out == {"username": "mia", "ended": True}
    assert installation.data("whoami") == before
    assert installation.data("logout") == {"username": None}


def test_to_an_operator_the_doctor_says_that_the_controller_runs_and_who_sees_more(
    installation: Installation, mia: Kept
) -> None:
    login(installation, PASSWORD)

    told = installation.data("doctor")
    found = {check["check"]: check for check in told["items"]}

    assert told["healthy"] is True
    assert found["controller"]["state"] == "ok"
    assert f"127.0.0.1:{installation.http_port}, it runs" in found["controller"]["found"]
    assert found["connection"]["state"] == "ok"
    assert found["signed in"]["state"] == "limited"
    assert "as mia, operator" in found["signed in"]["found"]
    assert "administrator" in found["signed in"]["found"]
    assert "orion logout" in found["signed in"]["remedy"]
    assert "orion up" not in str(told)


def test_to_whoever_is_signed_in_no_more_the_doctor_names_their_remedy(
    installation: Installation, mia: Kept
) -> None:
    login(installation, PASSWORD)
    changed(mia, refresh_token="nothing", ends_at=0.0)

    told = installation.data("doctor", exit_code=1)

    [found] = [check for check in told["items"] if check["check"] == "controller"]
    assert "orion login mia" in found["found"]
    assert "orion up" not in found["remedy"]


def test_the_sign_in_is_for_its_owner_and_holds_no_password(installation: Installation, mia: Kept) -> None:
    login(installation, PASSWORD)

    assert stat.S_IMODE(mia.path.stat().st_mode) == 0o600
    assert PASSWORD not in mia.path.read_text()


def test_a_wrong_password_leaves_everything_as_it_was(installation: Installation, mia: Kept) -> None:
    done = login(installation, OTHER)

    assert done.returncode == 3
    assert "The name or the password is wrong" in done.stderr
    assert mia.read() is None


def test_by_what_somebody_is_known_is_said(installation: Installation, mia: Kept) -> None:
    owner = installation.orion("whoami")
    login(installation, PASSWORD)
    signed_in = installation.orion("whoami")

    assert "admin, with the role admin: as who owns this computer, by the token file" in owner.stderr
    assert "mia, with the role operator: signed in" in signed_in.stderr


def test_where_no_new_password_follows_the_one_for_once_that_is_said(
    installation: Installation, mia: Kept
) -> None:
    once = installation.data("users", "password", "mia", "--once")["password"]

    done = login(installation, once)

    assert done.returncode == 2
    assert "The second line of stdin is to be the new one" in done.stderr
    assert "new_password" not in done.stderr


def test_the_audit_says_about_whom(installation: Installation, mia: Kept) -> None:
    login(installation, OTHER)

    listed = installation.orion("audit", "list", "--action", "user.", "--limit", "3").stdout.splitlines()

    assert listed[0].split("\t")[4] == "about"
    assert [row.split("\t")[3:5] for row in listed[1:]] == [
        ["user.sign_in_failed", "mia"],
        ["user.password_changed", "mia"],
        ["user.added", "mia"],
    ]


def test_a_password_for_once_is_changed_as_it_is_used(installation: Installation, mia: Kept) -> None:
    once = installation.data("users", "password", "mia", "--once")["password"]

    done = login(installation, once, OTHER)
    again = login(installation, once, OTHER)
    later = login(installation, OTHER)

    assert done.returncode == 0, done.stderr
    assert "for once" in done.stderr
    assert (again.returncode, later.returncode) == (3, 0)


def test_it_is_renewed_by_itself_and_by_several_at_once(installation: Installation, mia: Kept) -> None:
    login(installation, PASSWORD)
    changed(mia, ends_at=time.time())
    first = mia.read()

    with ThreadPoolExecutor(4) as programs:
        done = list(programs.map(lambda _: installation.orion("whoami", "--json"), range(4)))

    assert [json.loads(each.stdout)["username"] for each in done] == ["mia"] * 4, done
    renewed = mia.read()
    assert first is not None
    assert renewed is not None
    assert renewed.is_fresh
    assert renewed.refresh_token != first.refresh_token


def test_a_token_that_opens_nothing_though_it_looks_good_is_renewed_once(
    installation: Installation, mia: Kept
) -> None:
    login(installation, PASSWORD)
    changed(mia, access_token="of another key")

    found = installation.data("whoami")

    kept = mia.read()
    assert found["username"] == "mia"
    assert kept is not None
    assert kept.access_token != "of another key"


def test_signing_in_anew_ends_the_sign_in_that_was_kept(installation: Installation, mia: Kept) -> None:
    login(installation, PASSWORD)
    before = mia.read()
    login(installation, PASSWORD)
    after = mia.read()

    assert before is not None
    assert after is not None
    mia.write(before)
    assert installation.orion("whoami").returncode == 3
    mia.write(after)
    assert installation.data("whoami")["username"] == "mia"


@pytest.mark.parametrize("words", [("login", "mia"), ("logout",), ("users", "password", "mia")])
def test_signing_in_and_out_wait_for_whoever_renews(
    installation: Installation, mia: Kept, words: tuple[str, ...]
) -> None:
    login(installation, PASSWORD)
    renewed = mia.read()
    assert renewed is not None

    with mia.alone():
        program = subprocess.Popen(
            [*ORION, *words],
            env=installation.environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert program.stdin is not None
        program.stdin.write(f"{PASSWORD}\n{OTHER}\n")
        program.stdin.close()
        until(lambda: waits_for(program, mia.path.with_suffix(".lock")))
        assert mia.read() == renewed

    assert program.wait(READY_WITHIN) == 0, program.stderr
    assert program.stderr is not None
    program.stderr.close()
    kept = mia.read()
    assert kept != renewed
    assert (kept is not None) == (words[0] == "login")


def waits_for(program: subprocess.Popen[str], lock: Path) -> bool:
    """Whether it has opened the lock, which is ours."""
    return any(each.path == str(lock) for each in psutil.Process(program.pid).open_files())


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


def test_whoever_is_signed_in_changes_their_own_password_by_the_current_one(
    installation: Installation, mia: Kept
) -> None:
    login(installation, PASSWORD)

    wrong = installation.orion("users", "password", "mia", stdin=f"{OTHER}\n{OTHER}\n")
    still = installation.data("whoami")
    done = installation.orion("users", "password", "mia", stdin=f"{PASSWORD}\n{OTHER}\n")

    assert (wrong.returncode, still["username"], done.returncode) == (3, "mia", 0)
    assert "Sign in again" in done.stderr
    assert mia.read() is None
    assert login(installation, OTHER).returncode == 0


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
def test_a_damaged_one_makes_nobody_the_administrator(
    installation: Installation, mia: Kept, content: bytes
) -> None:
    mia.path.write_bytes(content)

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


def test_one_that_is_over_keeps_nothing_from_starting_and_can_be_let_go(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "data" / "sign-in.json")
    kept.write(SignIn("mia", "no token", "nor this", 0.0))

    with running(tmp_path) as installation:
        over = installation.data("whoami", exit_code=3)
    gone = installation.data("logout")

    assert "orion login mia" in over["error"]["message"]
    assert gone == {"username": "mia", "ended": False}
    assert kept.read() is None


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
