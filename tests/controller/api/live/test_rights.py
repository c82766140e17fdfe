"""Who is told what: as much as they see by the other routes, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from controller.api.live.messages import Kind
from controller.services.actors import Role
from controller.services.users import UserRole
from tests.controller.api.conftest import Api
from tests.controller.api.live import watching
from tests.controller.api.live.happenings import asked, beat, done, noticed, ordered, settled, stopped
from tests.controller.api.live.watching import Message, Stand
from tests.controller.api.people import as_somebody
from tests.controller.api.routes.orders import DELETE

OF_DEVICES = {"device_register", "device_heartbeat", "event"}
OF_COMMANDS = {"tool_execute", "tool_result", "command"}
LOOK = {"device_id": "laptop", "tool": "path_info", "arguments": {"path": "Test"}}


async def told(stand: Stand, token: str) -> dict[str, list[Any]]:
    """What somebody is told, by type, of one of everything that the owner causes on the laptop."""
    async with watching.events(stand, token) as reader:
        await reader.until("ready")
        await done(stand.api, await ordered(stand.api), result={"created": True})
        await ordered(stand.api, DELETE)
        await asked(stand.api)
        await beat(stand.api)
        await noticed(stand.api)
        await stopped(stand.api)
        await settled(stand)
        stand.live.close()
        found: dict[str, list[Any]] = {}
        for each in await reader.rest():
            found.setdefault(each["type"], []).append(each["data"])
    del found["end"]
    return found


async def owner(api: Api) -> str:
    return api.token


async def admin(api: Api) -> str:
    return await watching.token_of(api, "ann", UserRole.ADMIN)


async def operator(api: Api) -> str:
    return await watching.token_of(api, "otto", UserRole.OPERATOR)


async def viewer(api: Api) -> str:
    return await watching.token_of(api, "vera", UserRole.VIEWER)


async def guest(api: Api) -> str:
    return await watching.token_of(api, "gus", UserRole.GUEST)


async def guest_who_looks(api: Api) -> str:
    token = await guest(api)
    await watching.grant(api, "gus", Role.VIEWER, device_id="laptop")
    return token


async def guest_who_operates(api: Api) -> str:
    token = await guest(api)
    await watching.grant(api, "gus", Role.OPERATOR, device_id="laptop")
    return token


async def guest_elsewhere(api: Api) -> str:
    token = await guest(api)
    await watching.online(api, "pump")
    await watching.grant(api, "gus", Role.OPERATOR, device_id="pump")
    return token


async def key_elsewhere(api: Api) -> str:
    await admin(api)
    scopes = [
        f"{noun}:read" for noun in ("stream", "devices", "events", "commands", "approvals", "assistant")
    ]
    return (await watching.key_of(api, "ann", *scopes, only=("pump*",)))[1]


async def key_for_events(api: Api) -> str:
    await admin(api)
    return (await watching.key_of(api, "ann", "stream:read", "events:read"))[1]


Somebody = Callable[[Api], Awaitable[str]]
WHO: dict[Somebody, set[str]] = {
    owner: {*Kind} - {Kind.LLM_RESPONSE_CHUNK},  # no model here would send some
    admin: OF_DEVICES | OF_COMMANDS | {"approval", "user_query"},
    operator: OF_DEVICES | OF_COMMANDS,
    viewer: OF_DEVICES | OF_COMMANDS,
    guest: set(),
    guest_who_looks: OF_DEVICES | OF_COMMANDS,
    guest_who_operates: OF_DEVICES | OF_COMMANDS,
    guest_elsewhere: set(),
    key_elsewhere: set(),
    key_for_events: {"event"},
}
SEES_ARGUMENTS = {owner, admin, operator, guest_who_operates}


@pytest.mark.parametrize("who", list(WHO), ids=lambda who: who.__name__)
async def test_everybody_is_told_what_they_see_elsewhere(stand: Stand, laptop: str, who: Somebody) -> None:
    found = await told(stand, await who(stand.api))

    assert set(found) == WHO[who]
    for kind in OF_COMMANDS & set(found):
        of_device = [each for each in found[kind] if each["device_id"] == "laptop"]
        hidden = {"tool_execute": "arguments", "tool_result": "result", "command": "arguments"}[kind]
        assert all((each[hidden] is not None) == (who in SEES_ARGUMENTS) for each in of_device)
        said = [each for each in of_device if each["session_id"] is not None]
        assert not said or who in (owner, admin)
    if "user_query" in found:
        assert (found["user_query"][0]["text"] is not None) == (who is owner)


async def test_what_is_told_of_a_command_is_what_its_route_shows(stand: Stand, laptop: str) -> None:
    for who in (admin, operator, viewer):
        token = await who(stand.api)
        async with watching.events(stand, token, types="command") as reader:
            await reader.until("ready")
            command_id = await ordered(stand.api)
            view = (await reader.next())["data"]
        async with as_somebody(stand.api, token) as client:
            assert (await client.get(f"commands/{command_id}")).json() == view


async def test_ones_own_command_is_told_whole(stand: Stand, laptop: str) -> None:
    token = await viewer(stand.api)
    async with (
        watching.events(stand, token, types="command") as reader,
        as_somebody(stand.api, token) as client,
    ):
        await reader.until("ready")
        await client.post("commands", json=LOOK)
        view = (await reader.next())["data"]

    assert view["requested_by"] == "vera"
    assert view["arguments"] == {"path": "/srv/files/Test"}


async def test_an_approval_is_told_to_who_asked_for_it(stand: Stand, laptop: str) -> None:
    token = await operator(stand.api)
    async with (
        watching.events(stand, token, types="approval") as reader,
        as_somebody(stand.api, token) as client,
    ):
        await reader.until("ready")
        await ordered(stand.api, DELETE)  # the owner's, which is not for them
        await client.post("commands", json=DELETE)

        assert (await reader.next())["data"]["requested_by"] == "otto"


async def test_a_key_for_some_devices_hears_its_own_turns_and_not_its_users(
    stand: Stand, laptop: str
) -> None:
    token = await admin(stand.api)
    scopes = ("stream:read", "assistant:write", "devices:read")
    _, key = await watching.key_of(stand.api, "ann", *scopes, only=("laptop",))
    async with watching.events(stand, key, types="user_query") as reader:
        await reader.until("ready")
        for shown, text in ((token, "from herself"), (key, "from her program")):
            async with as_somebody(stand.api, shown) as client:
                await client.post("ask", json={"text": text})

        assert (await reader.next())["data"]["text"] == "from her program"


async def test_a_key_hears_its_users_turns_where_it_is_for_all_devices(stand: Stand, laptop: str) -> None:
    token = await admin(stand.api)
    _, key = await watching.key_of(stand.api, "ann", "stream:read", "assistant:read")
    async with watching.events(stand, key) as reader, as_somebody(stand.api, token) as client:
        assert (await reader.next())["data"]["types"] == sorted(
            ["user_query", "assistant_response", "llm_response_chunk"]
        )
        await client.post("ask", json={"text": "from herself"})

        assert (await reader.next())["data"]["text"] == "from herself"


@pytest.mark.parametrize(
    ("scopes", "types"),
    [(["stream:read"], None), (["events:read"], None), (["stream:read", "events:read"], "command")],
)
async def test_a_key_that_opens_nothing_of_it_is_refused(
    stand: Stand, scopes: list[str], types: str | None
) -> None:
    await admin(stand.api)
    _, key = await watching.key_of(stand.api, "ann", *scopes)

    answer = await watching.refused(stand, key, **({} if types is None else {"types": types}))

    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def _ids(messages: list[Message]) -> list[str]:
    return [each["id"] for each in messages]


async def test_many_readers_with_different_rights_get_each_their_own(stand: Stand, laptop: str) -> None:
    tokens = [await each(stand.api) for each in (owner, operator, viewer, guest)]
    async with (
        watching.events(stand, tokens[0]) as first,
        watching.events(stand, tokens[1]) as second,
        watching.events(stand, tokens[2]) as third,
        watching.events(stand, tokens[3]) as fourth,
    ):
        readers = [first, second, third, fourth]
        for reader in readers:
            await reader.until("ready")
        for number in range(20):
            await ordered(stand.api, LOOK)
            await noticed(stand.api, f"event-{number}")
        await settled(stand)
        stand.live.close()
        rests = [await reader.rest() for reader in readers]

    assert [len(rest) for rest in rests] == [41, 41, 41, 1]  # and the end
    assert _ids(rests[0]) == _ids(rests[1]) == _ids(rests[2])
    arguments = [
        [each["data"].get("arguments") for each in rest if each["type"] == "command"] for rest in rests
    ]
    assert all(arguments[0])
    assert all(arguments[1])
    assert not any(arguments[2])
