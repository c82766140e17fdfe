"""API keys: they open what they say, on the devices they name, for as long as they are good, and nothing more."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from controller.services import users
from controller.services.accounts import apikeys
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import ApiKey
from tests.controller.api.conftest import Api
from tests.controller.api.fleet import OTHER, OWN, a_fleet, a_key, ordered, row_of, token_of
from tests.controller.api.keymaking import WANTED, made
from tests.controller.api.people import as_somebody, somebody
from tests.factories import ADMIN, NOON

TASK = {"tool": "create_directory", "arguments": {"path": "Test"}}


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(api: Api) -> None:
    await a_fleet(api)
    shown = await made(api)
    key = shown.pop("key")

    async with as_somebody(api, key) as program:
        assert (await program.get("devices")).status_code == 200
    await api.store.write(lambda _: None)  # behind what was noted of its use
    listed = (await api.http.get("keys")).json()["items"]
    assert listed == [shown | {"last_used_at": listed[0]["last_used_at"]}]
    assert listed[0]["last_used_at"] is not None
    kept = await api.store.read(lambda session: session.get_one(ApiKey, shown["key_id"]).model_dump())
    assert key.rpartition("_")[2] not in str(kept)
    audit = (await api.http.get("audit", params={"action": "key."})).text
    assert "key.created" in audit
    assert key not in audit


async def test_who_may_write_may_read_and_not_the_other_way(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    order = {"device_id": OWN, **TASK}
    for scope, read, write in (("commands:write", 200, 202), ("commands:read", 200, 403)):
        async with as_somebody(api, await a_key(api, "anna", scope)) as program:
            assert (await program.get("commands")).status_code == read
            assert (await program.post("commands", json=order)).status_code == write


async def test_a_key_for_some_devices_does_not_know_of_others(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    elsewhere = await ordered(api, OTHER)
    key = await a_key(api, "anna", *apikeys.SCOPES, devices=("print*", "lab-?"))
    async with as_somebody(api, key) as program:
        listed = (await program.get("devices")).json()["items"]
        assert [each["device_id"] for each in listed] == [OWN]
        for method, where in (
            ("GET", f"devices/{OTHER}"),
            ("PATCH", f"devices/{OTHER}"),
            ("DELETE", f"devices/{OTHER}"),
            ("POST", f"devices/{OTHER}/adopt"),
            ("POST", f"devices/{OTHER}/invite"),
            ("PUT", f"devices/{OWN}/links/depends_on/{OTHER}"),
            ("GET", f"commands/{elsewhere}"),
            ("POST", f"commands/{elsewhere}/cancel"),
        ):
            answer = await program.request(method, where, json={} if method != "GET" else None)
            assert answer.status_code == 404, (method, where, answer.text)
        refused = await program.post("commands", json={"device_id": OTHER, **TASK})
        assert refused.json()["error"]["code"] == "unknown_device"
        assert (await program.post("devices", json={"device_id": "another"})).status_code == 403
        for where in ("users", "audit", "stats/tools", "search?q=x", "memory", "system/doctor", "identities"):
            assert (await program.get(where)).status_code == 403, where
        ordering = await program.post("commands", json={"device_id": OWN, **TASK})
        assert ordering.json()["decision"] == "allow"
        assert [each["device_id"] for each in (await program.get("commands")).json()["items"]] == [OWN, OTHER]


@pytest.mark.parametrize("sentence", ["make a folder Test on printer", "maak een map Test op printer"])
async def test_a_sentence_does_not_do_what_the_key_does_not_open(api: Api, sentence: str) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    async with as_somebody(api, await a_key(api, "anna", "assistant:write")) as program:
        done = await program.post("ask", json={"text": sentence})
        listed = await program.post("ask", json={"text": "which devices are there?"})
        kept = await program.post("ask", json={"text": "remember that the key is under the mat"})
    rows = (await api.http.get("commands")).json()["items"]

    assert [(row["tool"], row["status"]) for row in rows] == [
        ("remember", "denied"),
        ("list_devices", "denied"),
        ("create_directory", "denied"),
    ]
    assert rows[2]["reasons"] == ["The API key does not open commands:write."]
    assert OTHER not in listed.text
    assert kept.status_code == done.status_code == 200
    assert (await api.http.get("memory")).json()["items"] == []


async def test_a_key_lets_nobody_in_and_widens_nobodys_rights(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    async with as_somebody(api, await a_key(api, "anna")) as program:
        for method, where, body in (
            ("POST", "keys", WANTED),
            ("DELETE", "keys/x", None),
            ("PUT", "users/anna/password", {}),
            ("POST", "auth/first", None),
            ("POST", "users", {"username": "evil", "role": "admin"}),
            ("PATCH", "users/anna", {"role": "operator"}),
            ("POST", "users/anna/rotate", None),
            ("POST", "users/anna/enable", None),
            ("PUT", f"users/anna/grants/device/{OWN}", {"role": "operator"}),
            ("POST", "debug-users", {}),
            ("POST", "identities/controller-main/rotate", None),
            ("POST", "devices", {"device_id": "another"}),
            ("POST", f"devices/{OWN}/rotate", None),
            ("POST", f"devices/{OWN}/invite", {}),
            ("POST", f"devices/{OWN}/enrol", {"public_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}),
            ("POST", f"devices/{OWN}/certificate", {"csr": "x"}),
        ):
            answer = await program.request(method, where, json=body)
            assert (answer.status_code, answer.json()["detail"]) == (
                403,
                "An API key does not open this: sign in.",
            )


async def test_a_key_may_take_away(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    await token_of(api, "kim")
    async with as_somebody(api, await a_key(api, "anna", "users:write")) as program:
        for method, where, status in (
            ("DELETE", f"users/kim/grants/device/{OWN}", 204),
            ("POST", "users/kim/disable", 200),
            ("DELETE", "users/kim", 204),
        ):
            assert (await program.request(method, where)).status_code == status, where


async def test_a_key_opens_no_more_than_its_user_may(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "kim")
    async with as_somebody(api, await a_key(api, "kim")) as program:
        assert [each["device_id"] for each in (await program.get("devices")).json()["items"]] == [OWN]
        assert (await program.get("users")).status_code == 403
        await api.store.write(partial(users.disable, username="kim", actor=ADMIN, now=NOON))
        assert (await program.get("devices")).status_code == 401


async def test_a_key_that_is_over_opens_nothing(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    past = datetime.now(UTC) - timedelta(seconds=1)
    for over in ("expires_at", "revoked_at"):
        key = await a_key(api, "anna")

        def end(session: Session, name: str = over, key_id: str = key.split("_")[1]) -> None:
            setattr(session.get_one(ApiKey, key_id), name, past)

        await api.store.write(end)
        async with as_somebody(api, key) as program:
            assert (await program.get("devices")).status_code == 401


@pytest.mark.parametrize("spoiled", ["secret", "id", "short", "case", "other", "prefix"])
async def test_what_is_nearly_a_key_opens_nothing(api: Api, spoiled: str) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    prefix, key_id, secret = (await a_key(api, "anna")).split("_", 2)
    another = (await a_key(api, "anna")).split("_", 2)[1]
    shown = {
        "secret": f"{prefix}_{key_id}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'E'}",
        "id": f"{prefix}_{key_id[::-1]}_{secret}",
        "short": f"{prefix}_{key_id}_{secret[:-1]}",
        "case": f"{prefix}_{key_id}_{secret.swapcase()}",
        "other": f"{prefix}_{another}_{secret}",
        "prefix": f"orio_{key_id}_{secret}",
    }[spoiled]
    async with as_somebody(api, shown) as program:
        assert (await program.get("devices")).status_code == 401


async def test_what_was_ordered_with_a_key_does_not_leave_once_it_is_revoked(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    key = await a_key(api, "anna")
    async with as_somebody(api, key) as program:
        asked = await program.post(
            "commands", json={"device_id": OWN, "tool": "delete_path", "arguments": {"path": "Test"}}
        )
    assert asked.json()["decision"] == "ask"
    assert (await api.http.delete(f"keys/{key.split('_')[1]}")).status_code == 204

    await api.http.post(f"approvals/{asked.json()['approval_id']}/decision", json={"decision": "approve"})

    row = await row_of(api, asked.json()["command_id"])
    assert (row.status, row.error_message) == (
        "denied",
        "anna's API key asked for this and is not let in any more.",
    )


async def test_a_key_decides_no_card_of_its_own_user(api: Api) -> None:
    await a_fleet(api)
    anna = await token_of(api, "anna")
    await somebody(api, "ada", UserRole.ADMIN)
    hers, anothers = await a_key(api, "anna"), await a_key(api, "ada")
    wanted = {"device_id": OWN, "tool": "delete_path", "arguments": {"path": "Test"}}
    # whoever asked, by whichever key: a yes is another person's, another's program's, or hers in person
    for asking, deciding in (
        (hers, anna),
        (hers, anothers),
        (anna, anothers),
        (await a_key(api, "anna"), anna),
    ):
        async with as_somebody(api, asking) as client:
            card = (await client.post("commands", json=wanted)).json()["approval_id"]
        async with as_somebody(api, hers) as program:
            for decision in ("approve", "deny"):
                answer = await program.post(f"approvals/{card}/decision", json={"decision": decision})
                assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
        async with as_somebody(api, deciding) as client:
            answer = await client.post(f"approvals/{card}/decision", json={"decision": "approve"})
        assert (answer.status_code, answer.json()["status"]) == (200, "approved")


async def test_what_a_key_did_is_on_record_as_its(api: Api) -> None:
    await a_fleet(api)
    await token_of(api, "anna")
    key = await a_key(api, "anna")
    async with as_somebody(api, key) as program:
        await program.post("commands", json={"device_id": OWN, **TASK})
        await program.patch(f"devices/{OWN}", json={"name": "the printer"}, headers={"If-Match": "*"})

    rows = (await api.http.get("audit", params={"limit": 5})).json()["items"]
    by_key = {each["action"] for each in rows if (each["detail"] or {}).get("api_key") == key.split("_")[1]}
    assert by_key == {"decision.allow", "device.policy"}
