"""`orion login` and `orion logout`: who the command line speaks as, and what is left behind."""

import json
import stat
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from orion.signin import Kept
from tests.orion.installation import ORION, READY_WITHIN, Installation, until
from tests.orion.signing_in import OTHER, PASSWORD, changed, login


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
