"""Remembering, recalling and forgetting, and once more elsewhere: sentences to the end, without a model."""

from pathlib import Path
from typing import Any

import pytest

from tests.broker.running import RunningBroker
from tests.flows.installation import Installation, RunningNode, installation, running_controller, running_node
from tests.flows.test_sentences import decide, listed, write


async def remembered(orion: Installation) -> list[str]:
    items = (await orion.http.get("memory")).json()["items"]
    return [item["value"] for item in items]


def told(report: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    return report["outcome"], [(call["tool"], call["status"]) for call in report["calls"]]


@pytest.mark.parametrize(
    ("remember", "fact", "ask", "forget"),
    [
        (
            "Onthoud dat de NAS in de meterkast staat",
            "de NAS in de meterkast staat",
            ("Wat weet je over de NAS?", "Waar staat de NAS?"),
            "Vergeet dat van de NAS",
        ),
        (
            "Remember that the NAS is in the meter cupboard",
            "the NAS is in the meter cupboard",
            ("What do you know about the NAS?", "Where is the NAS?"),
            "Forget about the NAS",
        ),
        (
            "Onthoud dat de printer in de kelder staat",
            "de printer in de kelder staat",
            ("Waar staat de printer?",),
            "Vergeet waar de printer staat",
        ),
        (
            "Remember that the printer is in the cellar",
            "the printer is in the cellar",
            ("Where is the printer?",),
            "Forget where the printer is",
        ),
    ],
)
async def test_what_is_said_is_remembered_recalled_and_forgotten(
    orion: Installation, remember: str, fact: str, ask: tuple[str, ...], forget: str
) -> None:
    _, kept = await orion.ask(remember)
    answers = [(await orion.ask(question))[1] for question in ask]
    _, again = await orion.ask(remember)
    assert await remembered(orion) == [fact]
    _, gone = await orion.ask(forget)
    _, empty = await orion.ask(ask[0])

    assert told(kept) == told(again) == ("calls", [("remember", "succeeded")])
    assert all(fact in answer["text"] for answer in answers)
    assert (told(gone)[1], fact in gone["text"]) == ([("forget", "succeeded")], True)
    assert fact not in empty["text"]
    assert await remembered(orion) == []


async def test_there_is_nothing_to_forget_and_that_is_said(orion: Installation) -> None:
    _, report = await orion.ask("Vergeet alles over de boormachine")

    assert told(report) == ("calls", [("forget", "failed")])
    assert report["calls"][0]["error"]["code"] == "not_found"


async def test_the_audit_has_what_happened_to_a_memory_and_not_what_it_is(orion: Installation) -> None:
    await orion.ask("Onthoud dat de sleutel onder de mat ligt")

    entries = (await orion.http.get("audit", params={"action": "memory"})).json()["items"]
    assert [entry["action"] for entry in entries] == ["memory.set"]
    assert "mat" not in str(entries)


@pytest.fixture
async def work_pc(orion: Installation, tmp_path: Path) -> Any:
    async with running_node(orion, tmp_path / "work", "work-pc", name="Werk-PC") as node:
        yield node


@pytest.mark.parametrize("words", ["doe dat ook op de werk-pc", "do that on the work pc too"])
async def test_the_last_order_is_given_once_more_on_another_device(
    orion: Installation, laptop: RunningNode, work_pc: RunningNode, words: str
) -> None:
    _, first = await orion.ask("Maak een map Vakantie op mijn laptop")
    _, between = await orion.ask("Onthoud dat Vakantie begint in juli", session_id=first["session_id"])
    _, report = await orion.ask(words, session_id=between["session_id"])

    assert told(report) == ("calls", [("create_directory", "succeeded")])
    assert report["calls"][0]["device_id"] == "work-pc"
    assert await listed(work_pc.folder) == await listed(laptop.folder) == ["Vakantie"]


async def test_an_order_that_was_denied_elsewhere_can_still_be_repeated(
    orion: Installation, laptop: RunningNode, tmp_path: Path
) -> None:
    await orion.add_device("work-pc", name="Werk-PC")  # nobody has looked at its tools yet
    _, first = await orion.ask("Maak een map Vakantie op mijn laptop")

    for _ in range(2):
        _, report = await orion.ask("doe dat ook op de werk-pc", session_id=first["session_id"])
        assert told(report) == ("refused", [("create_directory", "denied")])


async def test_what_needed_a_yes_needs_one_again(
    orion: Installation, laptop: RunningNode, work_pc: RunningNode
) -> None:
    for node in (laptop, work_pc):
        await write(node.folder / "old.txt", "x")
    _, first = await orion.ask("Verwijder old.txt op mijn laptop")
    await decide(orion, first["calls"][0]["approval_id"], "approve")

    _, report = await orion.ask("doe dat ook op de werk-pc", session_id=first["session_id"])

    assert told(report) == ("calls", [("delete_path", "awaiting_approval")])
    assert await listed(work_pc.folder) == ["old.txt"]
    await decide(orion, report["calls"][0]["approval_id"], "approve")
    assert await listed(work_pc.folder) == []


async def test_a_device_that_nobody_knows_is_asked_about_and_the_answer_completes_it(
    orion: Installation, laptop: RunningNode, work_pc: RunningNode
) -> None:
    _, first = await orion.ask("Maak een map Vakantie op mijn laptop")
    _, asked = await orion.ask("doe dat ook op de server", session_id=first["session_id"])
    _, report = await orion.ask("werk-pc", session_id=first["session_id"])

    assert asked["outcome"] == "question"
    assert told(report) == ("calls", [("create_directory", "succeeded")])
    assert await listed(work_pc.folder) == ["Vakantie"]


async def test_without_an_order_there_is_nothing_to_repeat(
    orion: Installation, laptop: RunningNode, work_pc: RunningNode
) -> None:
    _, other = await orion.ask("Maak een map Vakantie op mijn laptop")
    _, report = await orion.ask("doe dat ook op de werk-pc")

    assert other["session_id"] != report["session_id"]
    assert told(report) == ("declined", [])
    assert await listed(work_pc.folder) == []


async def test_a_conversation_goes_on_after_a_restart_of_the_controller(
    broker: RunningBroker, tmp_path: Path
) -> None:
    async with installation(broker, tmp_path) as orion:
        async with running_node(orion, tmp_path / "node") as laptop:
            _, first = await orion.ask("Maak een map Vakantie op mijn laptop")
            _, asked = await orion.ask("Onthoud dat de NAS in de meterkast staat")
        settings = orion.settings
    async with running_controller(settings) as http:
        again = Installation(broker, settings, http)
        async with running_node(again, tmp_path / "work", "work-pc", name="Werk-PC") as work_pc:
            _, report = await again.ask("doe dat ook op de werk-pc", session_id=first["session_id"])
            _, where = await again.ask("Waar staat de NAS?", session_id=asked["session_id"])

            assert told(report) == ("calls", [("create_directory", "succeeded")])
            assert await listed(work_pc.folder) == await listed(laptop.folder) == ["Vakantie"]
            assert "meterkast" in where["text"]
