"""An enrolled node acts on nothing that its controller did not sign, and signs what it says."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker.session import PublishProperties
from device_node.settings import NodeSettings
from schemas.ids import new_id
from schemas.keys import KEY_ID_PROPERTY, SIGNATURE_PROPERTY, Key
from schemas.signing import Signer, Verifier
from schemas.topics import Kind
from schemas.wire import format_instant
from tests.broker.running import RunningBroker
from tests.device_node.harness import (
    DEVICE,
    TOPICS,
    ControllerSide,
    a_cancel,
    a_command,
    a_key,
    controlling,
    node,
    settings_for,
)

CONTROLLER = Signer.generate()
OWN = Signer.generate()
FORGER = Signer.generate()
COMMAND = TOPICS.device(DEVICE, Kind.COMMAND)


async def enrolled(broker: RunningBroker, tmp_path: Path, *keys: Key) -> NodeSettings:
    endpoint = await broker.add_device(DEVICE)
    known = keys or (a_key(CONTROLLER),)
    return settings_for(endpoint, tmp_path, signer=OWN, controller_keys=known)


async def marker(side: ControllerSide, tmp_path: Path) -> tuple[dict[str, object], Path]:
    """A command that leaves a mark on disk."""
    mark = tmp_path / "allowed" / new_id()
    return a_command("create_directory", arguments={"path": str(mark)}), mark


async def test_signed_commands_run_and_everything_that_counts_is_signed(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = await enrolled(broker, tmp_path)
    believed = Verifier.of([OWN.public])
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        command, mark = await marker(side, tmp_path)
        assert (await side.ask(command))["status"] == "succeeded"
        assert mark.is_dir()
        await side.ack(str(command["id"]))
        await side.still_answers()
        signed = [one for one, _ in side.seen if "/profile" in one.topic or "/reply/" in one.topic]
        assert len(signed) >= 3
        for one in signed:
            believed.check(one.topic, one.payload, one.user_properties)


async def test_an_unsigned_command_is_dropped_without_an_answer(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        command, mark = await marker(side, tmp_path)
        await side.send(Kind.COMMAND, command, signed=())
        event = await side.next("event")
        assert (event["type"], event["data"]["code"]) == ("error_occurred", "bad_signature")
        await side.still_answers()
        assert not mark.exists()
        assert side.replies_to(str(command["id"])) == []


async def test_a_forged_command_is_not_run_and_answered_once(broker: RunningBroker, tmp_path: Path) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        command, mark = await marker(side, tmp_path)
        await side.send(Kind.COMMAND, command, signed=FORGER.sign(COMMAND, json.dumps(command).encode()))
        reply = await side.final(str(command["id"]))
        assert (reply["status"], reply["error"]["code"]) == ("rejected", "bad_signature")
        assert not mark.exists()
        # it was not journalled: the real one with that id runs
        assert (await side.ask(command))["status"] == "succeeded"
        assert mark.is_dir()
        # and has its own answer from then on
        await side.send(Kind.COMMAND, command, signed=FORGER.sign(COMMAND, json.dumps(command).encode()))
        await side.still_answers()
        assert side.replies_to(str(command["id"])) == ["rejected", "succeeded"]


async def test_a_signature_does_not_serve_another_message(broker: RunningBroker, tmp_path: Path) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        honest, _ = await marker(side, tmp_path)
        command, mark = await marker(side, tmp_path)
        payload = json.dumps(command).encode()
        stolen = CONTROLLER.sign(COMMAND, json.dumps(honest).encode())
        elsewhere = CONTROLLER.sign(TOPICS.device("another", Kind.COMMAND), payload)
        named = ((KEY_ID_PROPERTY, CONTROLLER.key_id), FORGER.sign(COMMAND, payload)[1])
        twice = (*CONTROLLER.sign(COMMAND, payload), (SIGNATURE_PROPERTY, "x"))
        for signed in (stolen, elsewhere, named, twice):
            await side.send(Kind.COMMAND, command, signed=signed)
        await side.still_answers()
        assert not mark.exists()


async def test_a_forged_cancel_stops_nothing_and_a_forged_ack_forgets_nothing(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        command, mark = await marker(side, tmp_path)
        await side.send(Kind.CANCEL, a_cancel(str(command["id"])), signed=())
        assert (await side.ask(command))["status"] == "succeeded"
        forged = {"at": format_instant(datetime.now(UTC)), "replies": [command["id"]]}
        await side.send(Kind.ACK, forged, signed=())
        # what has no Ack is sent again
        assert (await side.final(str(command["id"])))["status"] == "succeeded"
        assert mark.is_dir()


async def test_keys_follow_each_other(broker: RunningBroker, tmp_path: Path) -> None:
    settings = await enrolled(broker, tmp_path)
    following = Signer.generate()
    kept: list[Sequence[Key]] = []
    believed = asyncio.Event()

    async def keep(keys: Sequence[Key]) -> None:
        kept.append(keys)
        believed.set()

    async with controlling(broker, signer=CONTROLLER) as side, node(settings, keep_keys=keep):
        await side.next("presence")
        await side.announce(a_key(FORGER), by=FORGER)  # by a stranger
        await side.announce(a_key(CONTROLLER), a_key(following), by=CONTROLLER)
        async with asyncio.timeout(5):
            await believed.wait()
        assert [key.key_id for key in kept[0]] == [CONTROLLER.key_id, following.key_id]
        side.signer = following
        await side.still_answers()
        side.signer = CONTROLLER
        await side.still_answers()
        side.signer = FORGER
        refused = await side.ask(a_command())
        assert refused["error"]["code"] == "bad_signature"


async def test_a_node_that_was_away_learns_of_the_next_key_before_its_commands(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = await enrolled(broker, tmp_path)
    following = Signer.generate()
    async with controlling(broker, signer=following) as side:
        await side.announce(a_key(following), by=CONTROLLER)
        async with node(settings):
            await side.next("presence", lambda message: message["state"] == "online")
            await side.still_answers()


async def test_an_announcement_of_what_is_known_by_a_key_of_before_is_no_matter(
    broker: RunningBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    following, last = Signer.generate(), Signer.generate()
    settings = await enrolled(broker, tmp_path, a_key(following))
    async with controlling(broker, signer=following) as side, node(settings):
        await side.next("presence")
        await side.announce(a_key(following), by=CONTROLLER)  # who was away may know this one
        await side.still_answers()
        assert "unknown key" not in caplog.text
        await side.announce(a_key(last), by=CONTROLLER)
        await side.still_answers()
        assert "unknown key" in caplog.text
        await side.announce(a_key(last), by=following)
        side.signer = last
        await side.still_answers()


async def test_a_key_is_over_once_a_later_moment_is_certain(broker: RunningBroker, tmp_path: Path) -> None:
    following = Signer.generate()
    ends = datetime.now(UTC) - timedelta(seconds=1)
    settings = await enrolled(broker, tmp_path, a_key(CONTROLLER, until=ends), a_key(following))
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        # its own clock may be wrong: as long as nothing is certain, the key counts
        command = a_command(issued_at=format_instant(ends - timedelta(seconds=30)))
        assert (await side.ask(command))["status"] == "succeeded"
        side.signer = following
        await side.still_answers()
        side.signer = CONTROLLER
        assert (await side.ask(a_command()))["error"]["code"] == "bad_signature"


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b'{"keys": [], "at": "2026-01-01T00:00:00.000Z"}', b"\xff"]
)
async def test_a_signed_announcement_that_cannot_be_read_changes_nothing(
    broker: RunningBroker, tmp_path: Path, payload: bytes
) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        properties = PublishProperties(user_properties=CONTROLLER.sign(TOPICS.keys(), payload))
        await side.session.publish(TOPICS.keys(), payload, properties=properties)
        await side.still_answers()


async def test_an_old_announcement_does_not_bring_an_old_key_back(
    broker: RunningBroker, tmp_path: Path
) -> None:
    following = Signer.generate()
    settings = await enrolled(broker, tmp_path, a_key(CONTROLLER), a_key(following))
    async with controlling(broker, signer=following) as side, node(settings):
        await side.next("presence")
        await side.announce(a_key(following), by=following)
        earlier = datetime.now(UTC) - timedelta(hours=1)
        await side.announce(a_key(CONTROLLER), a_key(following), by=following, at=earlier)
        side.signer = CONTROLLER
        assert (await side.ask(a_command()))["error"]["code"] == "bad_signature"
        side.signer = following
        await side.still_answers()


async def test_a_flood_of_forged_commands_is_answered_a_few_times(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = await enrolled(broker, tmp_path)
    async with controlling(broker, signer=CONTROLLER) as side, node(settings):
        await side.next("presence")
        forged = [a_command() for _ in range(40)]
        for command in forged:
            await side.send(Kind.COMMAND, command, signed=FORGER.sign(COMMAND, json.dumps(command).encode()))
        await side.still_answers()
        answered = [command for command in forged if side.replies_to(command["id"])]
        assert len(answered) == 10
