"""`orion keys` and `orion users grant`: what a program or a guest may is said, listed, and taken back."""

import json
import re
from typing import Any

import httpx
import pytest

from orion.nouns import keys
from tests.orion.installation import Installation


def asked(installation: Installation, key: str, path: str) -> tuple[int, dict[str, Any]]:
    """What a program gets that shows a key."""
    where = f"http://127.0.0.1:{installation.http_port}/api/v1/{path}"
    answer = httpx.get(where, headers={"Authorization": f"Bearer {key}"}, timeout=10)
    return answer.status_code, answer.json()


def test_a_key_is_made_used_listed_and_revoked(installation: Installation) -> None:
    made = installation.data("keys", "create", "grafana", "--scope", "devices:read", "--device", "lap*")
    assert asked(installation, made["key"], "devices")[0] == 200
    assert asked(installation, made["key"], "commands")[0] == 403

    listed = installation.data("keys", "list")["items"]
    (mine,) = [each for each in listed if each["key_id"] == made["key_id"]]
    assert (mine["name"], mine["scopes"], mine["devices"], mine["opens"]) == (
        "grafana", ["devices:read"], ["lap*"], True,
    )  # fmt: skip
    assert made["key"] not in json.dumps(listed)

    assert installation.data("keys", "revoke", made["key_id"]) == {"key_id": made["key_id"], "revoked": True}
    assert asked(installation, made["key"], "devices")[0] == 401


def test_a_key_is_shown_to_a_person_on_a_line_of_its_own(installation: Installation) -> None:
    done = installation.orion("keys", "create", "nightly", "--scope", "commands:write", "--expires", "never")

    (key,) = [line for line in done.stdout.splitlines() if line.startswith("orion_")]
    assert asked(installation, key, "commands")[0] == 200
    assert (
        "nightly opens commands:write on every device you see, without an end." in done.stderr + done.stdout
    )
    shown = installation.orion("keys", "list").stdout
    assert key not in shown
    assert "nightly" in shown


@pytest.mark.parametrize(
    ("opens", "expires_at", "revoked_at", "until"),
    [
        (True, None, None, "without an end"),
        (True, "2036-02-12T12:00:00.000Z", None, r"until 2036-02-1\d \d\d:\d\d"),
        (False, "2026-02-12T12:00:00.000Z", None, "over"),
        (False, "2036-02-12T12:00:00.000Z", "2026-02-12T12:00:00.000Z", "revoked"),
    ],
)
def test_a_list_says_which_keys_open_nothing_any_more(
    opens: bool, expires_at: str | None, revoked_at: str | None, until: str
) -> None:
    key = {"scopes": ["devices:read"], "devices": [], "opens": opens, "expires_at": expires_at}

    row = keys.shown(key | {"revoked_at": revoked_at, "last_used_at": "2026-02-12T12:00:00.000Z"})

    assert re.fullmatch(until, row["until"])
    assert re.fullmatch(r"2026-02-1\d \d\d:\d\d", row["used"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scope", "everything"], "there is none 'everything'"),
        (["--scope", "devices:read", "--device", "Lab"], "is no device id"),
        (["--scope", "devices:read", "--expires", "soon"], "no duration"),
        (["--scope", "devices:read", "--expires", "2s"], "'2s' is too short: it must be at least 60s"),
        ([], "--scope"),
    ],
)
def test_what_is_no_key_is_said(installation: Installation, words: list[str], said: str) -> None:
    done = installation.orion("keys", "create", "odd", *words)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_guest_reaches_what_was_granted(installation: Installation) -> None:
    installation.data("users", "add", "kim", "--role", "guest")
    key = installation.data("keys", "create", "kims", "--scope", "devices:read", "--user", "kim")["key"]
    assert asked(installation, key, "devices")[1]["items"] == []
    assert asked(installation, key, "devices/laptop")[0] == 404

    granted = installation.data("users", "grant", "kim", "--device", "laptop", "--role", "operator")
    assert (granted["device_id"], granted["role"]) == ("laptop", "operator")
    assert [each["device_id"] for each in asked(installation, key, "devices")[1]["items"]] == ["laptop"]
    assert "operator of laptop" in installation.orion("users", "list").stdout

    installation.data("users", "ungrant", "kim", "--device", "laptop")
    assert asked(installation, key, "devices")[1]["items"] == []
    refused = installation.data("users", "ungrant", "kim", "--device", "laptop", exit_code=1)
    assert "kim has no role of their own on laptop" in refused["error"]["message"]
    installation.data("users", "remove", "kim")
    assert asked(installation, key, "devices")[0] == 401


@pytest.mark.parametrize("places", [[], ["--device", "laptop", "--group", "lab"]])
def test_a_grant_is_about_one_place(installation: Installation, places: list[str]) -> None:
    done = installation.orion("users", "grant", "admin", "--role", "viewer", *places)

    assert done.returncode == 2
    assert "name either a device or a group" in done.stderr
