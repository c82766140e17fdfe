"""People who ask by MQTT: in their own name only, answered in order, each request once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, RunningNode, installation
from tests.flows.people import Json, Person, connected, let_in, person

MAKE = "make a folder Test on my laptop"
READ = "read the file notes.txt on my laptop"
DELETE = "delete the folder Test on my laptop"


@pytest.fixture
async def mia(orion: Installation) -> AsyncIterator[Person]:
    """An operator at the broker."""
    async with person(orion) as found:
        yield found


async def test_a_request_is_done_and_answered_in_order(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    heard = await mia.told(MAKE)

    assert [each["type"] for each in heard] == ["tool_call", "tool_result", "final"]
    assert heard[0]["tool"] == "create_directory"
    assert heard[1]["status"] == "succeeded"
    assert len({each["session_id"] for each in heard}) == 1
    assert (laptop.folder / "Test").is_dir()
    command = (await orion.http.get(f"commands/{heard[0]['command_id']}")).json()
    assert (command["requested_by"], command["via"]) == ("mia", "mqtt")


async def test_a_repeated_request_is_not_done_again(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    await mia.told(MAKE)
    (laptop.folder / "Test").rmdir()

    await mia.ask(MAKE)
    await mia.told("which devices are there?", "r2")

    assert not (laptop.folder / "Test").exists()
    assert mia.unread == 0


async def test_the_same_id_of_two_users_is_two_requests(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    async with person(orion, "otto") as otto:
        assert (await mia.told(MAKE))[-1]["type"] == "final"
        assert (await otto.told("make a folder Other on my laptop"))[-1]["type"] == "final"

    assert (laptop.folder / "Other").is_dir()


async def test_a_repeated_request_is_not_done_again_by_a_controller_that_was_restarted(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with installation(broker, tmp_path) as orion:
        endpoint = await let_in(orion, "mia", "operator")
        async with connected(orion, endpoint) as mia:
            await mia.told("which devices are there?")
    async with installation(broker, tmp_path) as orion, connected(orion, endpoint) as mia:
        await mia.ask("which devices are there?")
        await mia.told("which devices are there?", "r2")

        assert mia.unread == 0


async def test_a_retained_request_is_dropped(orion: Installation, mia: Person) -> None:
    await mia.ask("which devices are there?", "kept", retain=True)
    await mia.told("which devices are there?", "r1")

    assert mia.unread == 0


@pytest.mark.parametrize(
    ("at", "more"),
    [(-61.0, {}), (-10.0, {"expires_at": "2026-01-01T00:00:00.000Z"}), (90.0, {}), (-90_000.0, {"late": 1})],
)
async def test_a_request_that_is_not_meant_for_now_is_answered_expired(
    orion: Installation, laptop: RunningNode, mia: Person, at: float, more: dict[str, str]
) -> None:
    more = {"expires_at": "2999-01-01T00:00:00.000Z"} if "late" in more else more

    (only,) = await mia.told(MAKE, at=at, **more)

    assert (only["type"], only["error"]["code"]) == ("error", "expired")
    assert not (laptop.folder / "Test").exists()


async def test_a_request_may_be_meant_for_longer_than_a_minute(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    heard = await mia.told(MAKE, at=-600.0, expires_at="2999-01-01T00:00:00.000Z")

    assert heard[-1]["type"] == "final"


async def test_nobody_asks_in_another_name(orion: Installation, laptop: RunningNode, mia: Person) -> None:
    async with person(orion, "otto") as otto:
        await mia.ask(MAKE, "forged", name="otto")
        await mia.told("which devices are there?", "r1")
        await mia.told(MAKE, "r2", user="otto", requested_by={"user": "otto"}, username="otto")

        assert otto.unread == 0
    commands = (await orion.http.get("commands")).json()["items"]
    assert {each["requested_by"] for each in commands} == {"mia"}


async def test_what_cannot_be_read_is_dropped_and_the_next_is_answered(
    orion: Installation, mia: Person
) -> None:
    for broken in ({"id": "b1"}, {"id": "b2", "text": "x" * 10_001, "at": "2026-02-12T10:30:05.120Z"}, {}):
        await mia.publish(Kind.REQUEST, broken)
    await mia.peer.client.publish(mia.peer.topics.user("mia", Kind.REQUEST), b"\xff\x00", qos=1)

    assert (await mia.told("which devices are there?"))[-1]["type"] == "final"
    assert mia.unread == 0


async def test_somebody_whose_name_was_taken_away_is_not_heard(
    orion: Installation, laptop: RunningNode
) -> None:
    endpoint = await let_in(orion, "mia", "operator")
    async with connected(orion, endpoint) as mia:
        assert (await orion.http.delete("users/mia")).status_code == 204
        assert [each["username"] for each in (await orion.http.get("users")).json()["items"]] == ["admin"]
        assert mia.unread == 0
    removed = await orion.http.get("audit")
    assert "user.removed" in {each["action"] for each in removed.json()["items"]}


async def test_a_question_is_answered_in_the_same_conversation(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    question, final = await mia.told("Maak een map Vakantie op de server")

    assert (question["type"], final["type"]) == ("question", "final")
    assert question["options"]
    heard = await mia.told("op mijn laptop", "r2", session_id=question["session_id"])
    assert heard[1]["status"] == "succeeded"
    assert (laptop.folder / "Vakantie").is_dir()


async def test_a_conversation_of_another_user_cannot_be_joined(orion: Installation, mia: Person) -> None:
    session_id = (await mia.told("which devices are there?"))[-1]["session_id"]
    async with person(orion, "otto") as otto:
        (only,) = await otto.told("and now?", session_id=session_id)

    assert only["error"]["code"] == "not_found"


async def test_a_viewer_may_look_and_change_nothing(orion: Installation, laptop: RunningNode) -> None:
    async with person(orion, "vera", "viewer") as vera:
        assert (await vera.told("which devices are there?"))[-1]["type"] == "final"
        heard = await vera.told(MAKE, "r2")

    assert heard[1]["status"] == "denied"
    assert not (laptop.folder / "Test").exists()


@pytest.mark.parametrize(
    ("text", "said"), [(READ, "mqtt_max_risk"), ("lees het bestand notes.txt op de laptop", "via MQTT")]
)
async def test_what_is_above_the_cap_is_denied_and_the_answer_says_why(
    orion: Installation, laptop: RunningNode, mia: Person, text: str, said: str
) -> None:
    (laptop.folder / "notes.txt").write_text("secret")

    heard = await mia.told(text)

    assert [each["type"] for each in heard] == ["tool_call", "tool_result", "final"]
    assert heard[1]["error"]["code"] == "permission_denied"
    assert said in heard[-1]["text"]
    assert "secret" not in str(heard)


async def test_what_would_be_asked_about_is_denied_above_the_cap(
    orion: Installation, laptop: RunningNode, mia: Person
) -> None:
    (laptop.folder / "Test").mkdir()

    heard = await mia.told(DELETE)

    assert heard[1]["status"] == "denied"
    assert "approval_required" not in {each["type"] for each in heard}
    assert (laptop.folder / "Test").is_dir()


async def test_one_who_asks_too_fast_is_told_so_and_others_are_served(
    orion: Installation, mia: Person
) -> None:
    for number in range(40):
        await mia.ask("which devices are there?", f"r{number}")
    endings: list[Json] = []
    while len(endings) < 40:
        response = await mia.response()
        if response["type"] in ("final", "error"):
            endings.append(response)
    codes = {each["request_id"]: (each.get("error") or {}).get("code") for each in endings}

    assert len(codes) == 40
    assert set(codes.values()) <= {None, "rate_limited", "busy"}
    assert list(codes.values()).count(None) >= 2
    assert list(codes.values()).count("rate_limited") >= 25
    async with person(orion, "otto") as otto:
        assert (await otto.told("which devices are there?"))[-1]["type"] == "final"
