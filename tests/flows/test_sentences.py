"""Sentences to real files and back, without a model."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.flows.installation import Installation, RunningNode


async def listed(folder: Path) -> list[str]:
    return sorted(await asyncio.to_thread(lambda: [entry.name for entry in folder.iterdir()]))


async def write(path: Path, text: str) -> None:
    await asyncio.to_thread(path.write_text, text)


async def decide(orion: Installation, approval_id: str, decision: str) -> dict[str, Any]:
    answer = await orion.http.post(
        f"approvals/{approval_id}/decision", json={"decision": decision}, headers={"Prefer": "wait=10"}
    )
    decided: dict[str, Any] = answer.json()
    return decided


@pytest.mark.parametrize(
    "text", ["Maak een map Vakantie op mijn laptop", "please create a folder Vakantie on my laptop"]
)
async def test_a_folder_is_made(orion: Installation, laptop: RunningNode, text: str) -> None:
    _, report = await orion.ask(text)

    assert (report["outcome"], report["planner"]) == ("calls", "offline")
    assert await listed(laptop.folder) == ["Vakantie"]


async def test_what_is_there_is_told(orion: Installation, laptop: RunningNode) -> None:
    await write(laptop.folder / "notes.txt", "hello")

    _, report = await orion.ask(f"What is in {laptop.folder} on my laptop?")

    assert report["calls"][0]["tool"] == "list_directory"
    assert "notes.txt" in report["text"]


async def test_deleting_asks_first_and_then_does_it(orion: Installation, laptop: RunningNode) -> None:
    await write(laptop.folder / "old.txt", "x")

    _, report = await orion.ask("Verwijder old.txt op mijn laptop")
    (call,) = report["calls"]
    assert (call["decision"], call["status"]) == ("ask", "awaiting_approval")
    assert await listed(laptop.folder) == ["old.txt"]
    card = (await orion.http.get(f"approvals/{call['approval_id']}")).json()
    assert card["commands"][0]["arguments"] == {"path": str(laptop.folder / "old.txt")}

    decided = await decide(orion, call["approval_id"], "approve")
    assert decided["results"][0]["status"] == "succeeded"
    assert await listed(laptop.folder) == []


async def test_a_denied_approval_leaves_everything_as_it_was(
    orion: Installation, laptop: RunningNode
) -> None:
    await write(laptop.folder / "old.txt", "x")
    _, report = await orion.ask("Delete old.txt on my laptop")

    decided = await decide(orion, report["calls"][0]["approval_id"], "deny")
    again = await orion.http.post(
        f"approvals/{report['calls'][0]['approval_id']}/decision", json={"decision": "approve"}
    )

    assert decided["results"][0]["error"]["code"] == "approval_denied"
    assert again.status_code == 409
    assert await listed(laptop.folder) == ["old.txt"]


async def test_outside_the_allowed_folder_nothing_happens(orion: Installation, laptop: RunningNode) -> None:
    _, report = await orion.ask("Maak een map /etc/orion-test op mijn laptop")

    assert report["outcome"] == "refused"
    assert report["calls"][0]["error"]["code"] == "path_not_allowed"
    assert not await asyncio.to_thread(Path("/etc/orion-test").exists)


async def test_several_steps_run_in_order(orion: Installation, laptop: RunningNode) -> None:
    _, report = await orion.ask(
        "maak een map Test op mijn laptop en zet er een bestand notes.txt in met 'hallo'"
    )

    assert [call["status"] for call in report["calls"]] == ["succeeded", "succeeded"]
    written = laptop.folder / "Test" / "notes.txt"
    assert await asyncio.to_thread(written.read_text) == "hallo"


async def test_a_change_understood_only_after_mending_typos_waits_for_a_person(
    orion: Installation, laptop: RunningNode
) -> None:
    _, report = await orion.ask("Mak een mapp Vakantie op mijn lapotp")

    assert [call["decision"] for call in report["calls"]] == ["ask"]
    assert await listed(laptop.folder) == []


async def test_what_is_not_understood_is_declined_with_examples(
    orion: Installation, laptop: RunningNode
) -> None:
    _, report = await orion.ask("vertel me een mop over kabouters")

    assert report["outcome"] == "declined"
    assert report["calls"] == []
    assert report["text"]


async def test_the_controller_answers_which_devices_there_are(
    orion: Installation, laptop: RunningNode
) -> None:
    _, report = await orion.ask("welke apparaten zijn er?")

    assert report["calls"][0]["tool"] == "list_devices"
    assert report["calls"][0]["device_id"] is None
    assert "laptop" in report["text"]


async def test_an_unknown_device_is_asked_about(orion: Installation, laptop: RunningNode) -> None:
    _, report = await orion.ask("Maak een map Test op de server")

    assert report["outcome"] == "question"
    assert report["question"]["options"]
    assert await listed(laptop.folder) == []


@pytest.mark.parametrize("answer", ["laptop", "op mijn laptop", "1", "Laptop (laptop)"])
async def test_an_answer_completes_the_sentence_it_was_asked_about(
    orion: Installation, laptop: RunningNode, answer: str
) -> None:
    _, asked = await orion.ask("Maak een map Vakantie op de server")

    _, report = await orion.ask(answer, session_id=asked["session_id"])

    assert report["outcome"] == "calls", report
    assert await listed(laptop.folder) == ["Vakantie"]


@pytest.mark.parametrize("answer", ["1", "Laptop (laptop)"])
async def test_an_answer_counts_also_where_the_id_is_another_devices_name(
    orion: Installation, laptop: RunningNode, answer: str
) -> None:
    pump = {"device_id": "pump", "name": "Laptop", "aliases": ["de laptop"]}
    (await orion.http.post("devices", json=pump)).raise_for_status()
    _, asked = await orion.ask("Maak een map Vakantie op laptop")
    assert asked["question"]["options"] == ["Laptop (laptop)", "Laptop (pump)"]

    _, report = await orion.ask(answer, session_id=asked["session_id"])

    assert report["outcome"] == "calls", report
    assert await listed(laptop.folder) == ["Vakantie"]


async def test_an_answer_that_fits_two_options_is_asked_about_again(
    orion: Installation, laptop: RunningNode
) -> None:
    for device_id in ("north", "south"):
        pump = {"device_id": device_id, "name": "Pump"}
        (await orion.http.post("devices", json=pump)).raise_for_status()
    _, asked = await orion.ask("Maak een map Vakantie op de pump")
    assert asked["outcome"] == "question"

    _, again = await orion.ask("pump", session_id=asked["session_id"])
    assert again["question"] == asked["question"]
    _, report = await orion.ask("Pump (south)", session_id=asked["session_id"])

    assert report["calls"][0]["device_id"] == "south"


async def test_another_sentence_is_not_taken_for_an_answer(orion: Installation, laptop: RunningNode) -> None:
    _, asked = await orion.ask("Maak een map Vakantie op de server")

    _, report = await orion.ask("welke apparaten zijn er?", session_id=asked["session_id"])

    assert report["calls"][0]["tool"] == "list_devices"
    assert await listed(laptop.folder) == []


async def test_too_long_a_text_is_refused_with_a_code(orion: Installation) -> None:
    answer = await orion.http.post("ask", json={"text": "a" * 10_001})

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_arguments"


async def test_ten_thousand_characters_are_read_and_declined(orion: Installation) -> None:
    _, report = await orion.ask("maak een map " + "a" * 9_900)

    assert report["outcome"] == "declined"
