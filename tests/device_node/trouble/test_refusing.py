"""A node refuses what it could not write down, and the refusal stands until it is acknowledged."""

import asyncio
from dataclasses import replace
from pathlib import Path

from broker.session import Session
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.conformance.wiretap import Wiretap
from tests.device_node.harness import DEVICE, a_command, controlling, cut_off, node, settings_for
from tests.device_node.trouble.breakage import folder_instead, journal_of, making, told


async def test_refusal_leaves_after_the_acknowledgement_of_its_command(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """A broker that has seen the refusal cannot deliver the command again once the journal is mended."""
    endpoint = await broker.add_device(DEVICE)
    wire = await asyncio.to_thread(Wiretap, endpoint.port)
    settings = settings_for(replace(endpoint, port=wire.port), tmp_path)
    await asyncio.to_thread(folder_instead, settings)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        command = a_command()
        await side.ask(command)
        from_node = [packet for packet in wire.packets() if packet.from_client]
    await asyncio.to_thread(wire.close)
    (reply,) = [
        number for number, packet in enumerate(from_node) if packet.kind == 3 and b'"rejected"' in packet.body
    ]
    assert 4 in [packet.kind for packet in from_node[:reply]]  # the PUBACK


async def test_command_delivered_a_second_time_is_not_known_to_be_new(
    broker: RunningBroker, tmp_path: Path
) -> None:
    """The flag of a repeated delivery counts as much as the controller's own count."""
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence")
        first = Session(endpoint, client_id=DEVICE)  # takes the message and does not acknowledge it
        await first.connect()
        command = making(tmp_path / "allowed", "perhaps")
        await side.send(Kind.COMMAND, command)
        (message,) = await first.receive(1)
        assert not message.dup
        await first.close(keep_will=True)

        await asyncio.to_thread(journal_of(settings).unlink)
        await asyncio.to_thread(folder_instead, settings)
        async with node(settings):
            assert (await side.final(command["id"]))["status"] == "interrupted"


async def test_refused_command_stays_refused_when_the_journal_is_mended(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = await asyncio.to_thread(folder_instead, settings)
    command = making(tmp_path / "allowed", "never")
    async with controlling(broker) as side:
        async with node(settings):
            event = await told(side, "journal_unusable")
            refused = await side.ask(command)
            await asyncio.to_thread(path.rmdir)
            resolved = await side.next("event")
            assert resolved["resolves"] == event["id"]
            await side.still_answers()
            assert await side.ask(command) == refused
        async with node(settings):  # also in its next life
            assert await side.ask(command) == refused
    assert not (tmp_path / "allowed" / "never").exists()


async def test_refusal_is_said_again_at_every_connect_until_its_ack(
    broker: RunningBroker, tmp_path: Path
) -> None:
    endpoint = await broker.add_device(DEVICE)
    settings = settings_for(endpoint, tmp_path)
    await asyncio.to_thread(folder_instead, settings)
    async with controlling(broker) as side, node(settings):
        await side.next("presence")
        kept, acked = a_command(), a_command()
        refused = await side.ask(kept)
        await side.ask(acked)
        await side.ack(acked["id"])
        await side.ask(a_command())  # so the Ack has been taken in
        before = side.replies_to(acked["id"])

        await cut_off(endpoint)

        assert await side.final(kept["id"]) == refused
        await side.ask(a_command())
        assert side.replies_to(acked["id"]) == before


async def test_refusal_without_an_ack_is_said_again_by_later_lives(
    broker: RunningBroker, tmp_path: Path
) -> None:
    settings = settings_for(await broker.add_device(DEVICE), tmp_path)
    path = await asyncio.to_thread(folder_instead, settings)
    command = a_command()
    async with controlling(broker) as side:
        async with node(settings):
            await side.next("presence")
            assert (await side.ask(command))["status"] == "rejected"
        async with node(settings):  # from the room that was taken before
            assert (await side.final(command["id"]))["status"] == "rejected"
            await asyncio.to_thread(path.rmdir)
            await side.next("event", lambda event: "resolves" in event)
        async with node(settings):  # from the journal, which has it now
            assert (await side.final(command["id"]))["status"] == "rejected"
            await side.ack(command["id"])
            await side.still_answers()
        before = side.replies_to(command["id"])
        async with node(settings):
            await side.still_answers()
        assert side.replies_to(command["id"]) == before
