"""A device that was shut out is let in again on time, by whichever controller lives then."""

from datetime import timedelta

import pytest

from controller.errors import NotShutOut
from controller.services import devices
from controller.store.store import Store
from controller.store.tables import AuditEntry
from schemas.topics import Kind
from tests.broker.gate import WatchedGate
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import PAUSE, Door, arrive, opened, until
from tests.controller.mqtt.warden.loud import SMALL, connected, let_in, look, noisy, shut_out, told
from tests.factories import ADMIN, a_request


async def test_when_its_time_is_over_it_is_let_in_and_what_was_told_of_it_is_over(
    guarded: Door, gate: WatchedGate
) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)
    waiting = await guarded.submit(a_request(device_id="loud", when_online=True, valid_s=3600.0))

    guarded.clock.ahead += timedelta(seconds=PAUSE + 1)
    look(guarded)
    await let_in(guarded)

    (event,) = await told(guarded)
    assert event.resolved
    assert [entry.actor for entry in await guarded.audited("device.resumed")] == ["system"]
    async with connected(guarded, loud.endpoint) as back:
        await arrive(guarded, back, boot_id="boot-2")
        assert (await back.heard("/command"))["id"] == waiting.id


async def test_an_admin_lets_it_in_before_its_time(guarded: Door) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)

    await guarded.warden.let_in("loud", ADMIN)

    assert (await guarded.device("loud")).suspended_until is None
    entries: list[AuditEntry] = await guarded.audited("device.resumed")
    assert [entry.actor for entry in entries] == ["ada"]
    with pytest.raises(NotShutOut):
        await guarded.warden.let_in("loud", ADMIN)


async def test_a_controller_that_was_restarted_keeps_it_out_and_lets_it_in_on_time(
    broker: RunningBroker, store: Store, gate: WatchedGate
) -> None:
    async with opened(broker, store, gate=gate, allowance=SMALL) as first, noisy(first) as loud:
        await loud.flood()
        await shut_out(first)

    async with opened(broker, store, gate=gate, allowance=SMALL) as second:
        assert "loud" in second.warden
        assert not second.link._inbox.floods.hears("loud", Kind.EVENT, 10)
        second.clock.ahead += timedelta(seconds=PAUSE + 1)
        look(second)
        await let_in(second)
        assert second.link._inbox.floods.hears("loud", Kind.EVENT, 10)
        async with connected(second, loud.endpoint) as back:
            await arrive(second, back, boot_id="boot-2")


async def test_a_controller_that_died_before_the_broker_was_told_is_followed_by_one_that_tells_it(
    broker: RunningBroker, store: Store, gate: WatchedGate
) -> None:
    gate.broken = True
    async with opened(broker, store, gate=gate, allowance=SMALL) as first, noisy(first) as loud:
        await loud.flood()

        async def tried() -> bool:
            return ("suspend", "loud") in gate.asked

        await until(tried)
        gate.broken = False
        first.warden._untold.clear()  # it dies here
        async with opened(broker, store, gate=gate, allowance=SMALL):
            await loud.ended()


async def test_a_removed_device_leaves_no_ban_behind(guarded: Door) -> None:
    async with noisy(guarded) as loud:
        await loud.flood()
        await shut_out(guarded)

    await guarded.store.write(
        lambda session: devices.remove(session, "loud", actor=ADMIN, now=guarded.clock.now())
    )
    look(guarded)

    async def forgotten() -> bool:
        return "loud" not in guarded.warden

    await until(forgotten)
    assert guarded.link._inbox.floods.hears("loud", Kind.EVENT, 10)
