"""Rights are judged while a stream is open: what ends or changes them ends or changes it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import websockets

from controller.api.live import judging
from controller.services import devices, events, identities, users
from controller.services.accounts import apikeys, grants
from controller.services.accounts.grants import Place
from controller.services.actors import Role
from controller.services.users import UserRole
from controller.store import tokenring
from controller.store.store import Session
from tests.controller.api.conftest import Api
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import noticed, ordered, settled
from tests.controller.api.live.watching import Stand
from tests.controller.api.people import post
from tests.factories import ADMIN, NOON, a_place, an_event

END = {"reason": "unauthorized", "code": 4401}
Change = Callable[[Api, str], Awaitable[object]]


async def signs_out(api: Api, token: str) -> None:
    assert (await post(api, "auth/revoke", {"token": token})).status_code == 200


async def is_disabled(api: Api, _token: str) -> None:
    await api.http.post("users/otto/disable")


async def is_removed(api: Api, _token: str) -> None:
    await api.http.delete("users/otto")


async def gets_another_password(api: Api, _token: str) -> None:
    await api.store.write(
        lambda session: users.set_password(session, "otto", "x", once=False, actor=ADMIN, now=NOON)
    )


async def becomes_a_program(api: Api, _token: str) -> None:
    await api.http.patch("users/otto", json={"role": "home_assistant"})


async def is_unlinked(api: Api, _token: str) -> None:
    there = ("otto", "https://login.example", "otto-there")
    await api.store.write(lambda session: identities.link(session, *there, actor=ADMIN, now=NOON))
    await api.store.write(lambda session: identities.unlink(session, *there, actor=ADMIN, now=NOON))


CHANGES = [signs_out, is_disabled, is_removed, gets_another_password, becomes_a_program, is_unlinked]


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
async def test_who_may_come_in_no_more_is_told_nothing_more(
    stand: Stand, laptop: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand.live._doubts, "every", 1e9)  # it is heard of, and not only found out
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with watching.events(stand, token) as reader, watching.socket(stand, token) as line:
        await reader.until("ready")
        await change(stand.api, token)

        assert (await reader.rest())[-1]["data"] == END
        assert await watching.closed(line) == (4401, "unauthorized")
    assert stand.live.count == 0


async def test_nothing_goes_out_by_rights_that_were_taken_away_before(stand: Stand, laptop: str) -> None:
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    guest = await watching.token_of(stand.api, "gus", UserRole.GUEST)
    await watching.grant(stand.api, "gus", Role.VIEWER, device_id="laptop")

    def taken_away(session: Session) -> None:
        users.disable(session, "otto", actor=ADMIN, now=NOON)
        grants.take(session, "gus", Place(device_id="laptop"), actor=ADMIN, now=NOON)
        events.store(session, "laptop", an_event(), now=NOON)

    async with (
        watching.events(stand, token) as disabled,
        watching.events(stand, guest) as reader,
        watching.events(stand) as owner,
    ):
        for each in (disabled, reader, owner):
            await each.until("ready")
        await stand.api.store.write(taken_away)
        assert (await owner.next())["type"] == "event"
        await reader.until("reset")
        await settled(stand)
        await watching.grant(stand.api, "gus", Role.VIEWER, device_id="laptop")
        await noticed(stand.api, "event-2")

        assert [each["type"] for each in await disabled.rest()] == ["end"]
        assert (await reader.until("event"))["data"]["event_id"] == "event-2"


async def test_a_key_that_is_revoked_ends_what_came_in_with_it_and_nothing_else(
    stand: Stand, laptop: str
) -> None:
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    key_id, key = await watching.key_of(stand.api, "otto", "stream:read", "events:read")
    async with watching.events(stand, key) as program, watching.events(stand, token) as person:
        await program.until("ready")
        await person.until("ready")
        await stand.api.store.write(lambda session: apikeys.revoke(session, key_id, actor=ADMIN, now=NOON))
        assert (await program.rest())[-1]["data"] == END
        await noticed(stand.api)
        assert (await person.next())["type"] == "event"


async def test_a_token_that_ends_ends_the_stream(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenring, "LIVES", timedelta(seconds=2))
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with watching.events(stand, token) as reader, watching.socket(stand, token) as line:
        await reader.until("ready")

        assert (await reader.rest())[-1]["data"] == END
        assert await watching.closed(line) == (4401, "unauthorized")
    assert (await watching.refused(stand, token)).status_code == 401


async def test_a_token_that_has_ended_opens_nothing_as_the_first_message_either(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenring, "LIVES", timedelta(seconds=-1))
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with websockets.connect(stand.ws_url, proxy=None) as line:
        await line.send(json.dumps({"type": "auth", "token": token}))

        assert await watching.closed(line) == (4401, "unauthorized")
    assert stand.live.count == 0


async def test_a_key_that_ends_ends_the_stream(stand: Stand) -> None:
    await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    lasts = apikeys.NewKey("short", ("stream:read", "events:read"), (), timedelta(seconds=2))
    _, key = await stand.api.store.write(
        lambda session: apikeys.create(session, "otto", lasts, actor=ADMIN, now=datetime.now(UTC))
    )
    async with watching.events(stand, key) as reader:
        assert (await reader.rest())[-1]["data"] == END


async def test_what_another_program_changes_is_found_out(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand.live._doubts, "every", 0.5)
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with watching.events(stand, token) as reader:
        await reader.until("ready")

        def unheard(session: Session) -> None:
            session.info.setdefault("notices", [])
            users.get(session, "otto").disabled_at = NOON

        await stand.api.store.write(unheard)
        assert (await reader.rest())[-1]["data"] == END


async def test_a_role_that_changes_changes_what_is_told(stand: Stand, laptop: str) -> None:
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with watching.events(stand, token, types="command") as reader:
        await reader.until("ready")
        await ordered(stand.api)
        assert (await reader.next())["data"]["arguments"] is not None
        await stand.api.http.patch("users/otto", json={"role": "viewer"})
        reset = await reader.next()
        assert (reset["type"], reset["data"]) == ("reset", {"reason": "rights_changed"})
        await ordered(stand.api)
        assert (await reader.next())["data"]["arguments"] is None


async def test_a_grant_opens_and_closes_a_device(stand: Stand, laptop: str) -> None:
    token = await watching.token_of(stand.api, "gus", UserRole.GUEST)
    place = Place(device_id="laptop")
    async with watching.events(stand, token, types="event") as reader:
        await reader.until("ready")
        await noticed(stand.api, "event-1")
        await watching.grant(stand.api, "gus", Role.VIEWER, device_id="laptop")
        await reader.until("reset")
        await noticed(stand.api, "event-2")
        assert (await reader.next())["data"]["event_id"] == "event-2"
        await stand.api.store.write(partial(grants.take, username="gus", place=place, actor=ADMIN, now=NOON))
        await reader.until("reset")
        await noticed(stand.api, "event-3")
        await watching.grant(stand.api, "gus", Role.VIEWER, device_id="laptop")
        await reader.until("reset")
        await noticed(stand.api, "event-4")
        assert (await reader.next())["data"]["event_id"] == "event-4"


async def test_a_device_that_comes_into_a_group_comes_into_sight(stand: Stand, laptop: str) -> None:
    await watching.online(stand.api, "pump", groups=("lab",))
    token = await watching.token_of(stand.api, "gus", UserRole.GUEST)
    await watching.grant(stand.api, "gus", Role.VIEWER, group="lab")
    async with watching.events(stand, token, types="event") as reader:
        await reader.until("ready")
        await noticed(stand.api, "event-1")
        changed = await stand.api.http.patch(
            "devices/laptop", json={"groups": ["lab"]}, headers={"If-Match": "*"}
        )
        assert changed.status_code == 200
        await reader.until("reset")
        await noticed(stand.api, "event-2")
        assert (await reader.next())["data"]["event_id"] == "event-2"


async def test_new_devices_come_into_sight_of_a_key_for_their_names(stand: Stand) -> None:
    await watching.token_of(stand.api, "ann", UserRole.ADMIN)
    _, key = await watching.key_of(stand.api, "ann", "stream:read", "events:read", only=("lab-*",))
    async with watching.events(stand, key) as reader:
        await reader.until("ready")
        await stand.api.store.write(
            lambda session: devices.add(session, a_place("lab-1"), actor=ADMIN, now=NOON)
        )
        await reader.until("reset")
        await noticed(stand.api, "event-1", "lab-1")
        assert (await reader.next())["data"]["device_id"] == "lab-1"


async def test_what_leaves_the_rights_as_they_are_is_no_reset(stand: Stand, laptop: str) -> None:
    token = await watching.token_of(stand.api, "otto", UserRole.OPERATOR)
    async with watching.events(stand, token, types="event") as reader:
        await reader.until("ready")
        await watching.token_of(stand.api, "somebody-else", UserRole.VIEWER)
        await stand.api.http.patch("users/otto", json={"role": "operator"})
        await noticed(stand.api)

        assert (await reader.next())["type"] == "event"


async def test_nobody_is_believed_while_the_store_is_away_for_long(
    stand: Stand, laptop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand.live._doubts, "every", 0.0)
    monkeypatch.setattr(judging, "LOOK_AGAIN", 0.0)
    monkeypatch.setattr(judging, "UNSURE", 0.5)
    async with watching.events(stand) as reader:
        await reader.until("ready")
        with monkeypatch.context() as away:
            away.setattr(stand.api.store, "_closed", True)
            last = (await reader.rest())[-1]
        assert last["data"] == {"reason": "try_again", "code": 1013}


async def test_devices_of_which_nothing_is_known_any_more_are_a_gap(stand: Stand, laptop: str) -> None:
    async with watching.events(stand, types="event") as reader:
        await reader.until("ready")
        await stand.api.store.write(devices.nobody_is_known_online)

        assert (await reader.next())["data"] == {"reason": "devices_unknown"}
