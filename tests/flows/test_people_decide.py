"""Approvals by MQTT: the cards that people see, and whose word counts when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ModelSettings
from schemas.devices import Risk
from tests import fakes
from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, installation, running_node
from tests.flows.people import Json, Person, person

DELETE = "delete the folder Test on my laptop"


@asynccontextmanager
async def deciding(
    broker: RunningBroker, tmp_path: Path, **settings: Any
) -> AsyncIterator[tuple[Installation, Path]]:
    """An installation with a laptop that asks about high risk; the folder that a test may delete."""
    wanted: dict[str, Any] = {"mqtt_max_risk": Risk.HIGH, "mqtt_decisions": True} | settings
    async with (
        installation(broker, tmp_path, **wanted) as orion,
        running_node(orion, tmp_path / "laptop", name="Laptop") as laptop,
    ):
        folder = laptop.folder / "Test"
        await asyncio.to_thread(folder.mkdir)
        yield orion, folder


async def card_of(who: Person) -> Json:
    """The next card that is open."""
    while True:
        seen = await who.peer.heard("")
        if "/approvals/" in seen.topic and seen.payload:
            return seen.json


async def test_an_admins_yes_by_mqtt_lets_it_run_and_clears_the_card(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with (
        deciding(broker, tmp_path) as (orion, folder),
        person(orion, "ada", "admin") as ada,
        person(orion, "mia", "operator") as mia,
    ):
        heard = await mia.told(DELETE)
        card = await card_of(ada)
        assert [each["type"] for each in heard] == ["tool_call", "approval_required", "final"]
        assert heard[1] | {"approval_id": card["id"], "risk": "high"} == heard[1]
        assert heard[1]["summary"]

        result = await ada.decide(card)

        assert (result["type"], result["status"], result["approval_id"]) == (
            "decision_result",
            "approved",
            card["id"],
        )
        assert "error" not in result
        while (await ada.peer.heard(f"/approvals/{card['id']}")).payload:
            pass
        answer = await orion.http.get(f"commands/{heard[0]['command_id']}", headers={"Prefer": "wait=10"})
        assert answer.json()["status"] == "succeeded"
        assert not folder.exists()

        again = await ada.decide(card, "deny", "d2")
        assert (again["status"], again["error"]["code"]) == ("approved", "conflict")


async def test_a_no_by_mqtt_ends_it(broker: RunningBroker, tmp_path: Path) -> None:
    async with deciding(broker, tmp_path) as (orion, folder), person(orion, "ada", "admin") as ada:
        await ada.told(DELETE)

        result = await ada.decide(await card_of(ada), "deny")

        assert result["status"] == "denied"
        assert folder.is_dir()


@pytest.mark.parametrize(
    ("role", "settings", "changes"),
    [
        ("admin", {"mqtt_decisions": False}, {}),
        ("admin", {"mqtt_max_risk": Risk.MEDIUM}, {}),
        ("admin", {}, {"approval_hash": "0" * 64}),
        ("operator", {}, {}),
        ("viewer", {}, {}),
    ],
)
async def test_a_yes_that_does_not_count_changes_nothing(
    broker: RunningBroker, tmp_path: Path, role: str, settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    async with deciding(broker, tmp_path, **settings) as (orion, folder), person(orion, "mia", role) as mia:
        wanted = {"device_id": "laptop", "tool": "delete_path", "arguments": {"path": str(folder)}}
        command = (await orion.http.post("commands", json=wanted)).json()
        card = (await orion.http.get(f"approvals/{command['approval_id']}")).json()
        shown = {"id": card.get("approval_id") or card["id"], "hash": card["hash"]}

        result = await mia.decide(shown, **changes)

        assert (result["status"], result["error"]["code"]) == ("refused", "permission_denied")
        assert (await orion.http.get(f"approvals/{shown['id']}")).json()["status"] == "pending"
        assert folder.is_dir()


async def test_a_retained_decision_is_dropped(broker: RunningBroker, tmp_path: Path) -> None:
    async with deciding(broker, tmp_path) as (orion, folder), person(orion, "ada", "admin") as ada:
        await ada.told(DELETE)
        card = await card_of(ada)
        topic = ada.peer.topics.prefix + "/users/ada/decision"
        kept = '{"id":"kept","approval_id":"%s","approval_hash":"%s","decision":"approve","at":"2026-02-12T10:30:05.120Z"}'
        await ada.peer.client.publish(topic, (kept % (card["id"], card["hash"])).encode(), qos=1, retain=True)

        await ada.told("which devices are there?", "r2")

        assert ada.unread == 0
        assert folder.is_dir()


async def test_chunks_are_for_who_asks_for_them(broker: RunningBroker, tmp_path: Path) -> None:
    words = "There is nothing to be seen here."
    with fakes.ScriptedOllama(fakes.says(words), fakes.says(words)) as ollama:
        model = ModelSettings(host=ollama.url, name=fakes.MODEL)
        async with installation(broker, tmp_path, model=model) as orion, person(orion) as mia:
            streamed = await mia.told("What is there to see?", stream=True)
            plain = await mia.told("What is there to see?", "r2", stream=False)

    assert "".join(each["text"] for each in streamed if each["type"] == "chunk") == words
    assert {each["type"] for each in plain} == {"final"}


async def test_too_many_at_once_are_refused_and_others_get_their_turn(
    broker: RunningBroker, tmp_path: Path
) -> None:
    with fakes.ScriptedOllama(*[fakes.never_answers()] * 20) as ollama:
        model = ModelSettings(host=ollama.url, name=fakes.MODEL)
        async with installation(broker, tmp_path, model=model) as orion, person(orion) as mia:
            for number in range(8):  # two at work, four that wait, and two too many
                await mia.ask("What is there to see?", f"r{number}")
            refused = [await mia.response() for _ in range(2)]
            async with person(orion, "otto") as otto:
                await otto.ask("What is there to see?")
                async with asyncio.timeout(10):
                    while len(ollama.chats) < 3:
                        await asyncio.sleep(0.02)
            assert mia.unread == 0

    assert [each["error"]["code"] for each in refused] == ["busy", "busy"]
    assert len(ollama.chats) == 3
