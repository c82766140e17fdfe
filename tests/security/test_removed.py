"""A device that was removed: its line, its session, its queue, its will, its words."""

from tests.conformance.fake_device import FakeDevice
from tests.conformance.wire_peer import PREFIX, Peer, fresh, stamp, until
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in

GONE = Attacker.REVOKED


@attempt(
    GONE,
    "stay connected",
    never="its line lives for two seconds more",
    control="another device's line stays",
)
def test_its_line(stand: Stand, seen: Seen) -> None:
    device = stand.device()
    seen.control(not device.peer.gone)
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    until(lambda: device.peer.gone, within=2, what="the end of its line")
    stand.lamp.fence()

    assert not stand.lamp.peer.gone
    seen.became("the broker ends it within 2 s")


@attempt(
    GONE,
    "come back with its password",
    never="it is let in",
    control="before, it was let in with this password",
)
def test_its_password(stand: Stand, seen: Seen) -> None:
    device = stand.device(born=False)
    seen.control(let_in(stand.peer(device)) == "let in")
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    outcome = let_in(stand.peer(device))

    assert outcome != "let in"
    seen.became(outcome)


@attempt(
    GONE,
    "leave a Last Will and retained words behind",
    never="somebody believes later that it is there, or hears its will",
    control="the will of a device that has its place is delivered",
)
def test_its_last_words(stand: Stand, seen: Seen) -> None:
    truth, word = fresh(), fresh()
    honest, device = stand.device(born=False), stand.device()
    device.peer.close()
    said = {"state": "offline", "at": stamp(), "reason": "connection_lost"}

    def with_a_will(one: FakeDevice, mark: str) -> Peer:
        dying = stand.peer(one, will=(f"{one.topic}/presence", said | {"boot_id": mark}, 0))
        dying.connect()
        return dying

    with_a_will(honest, truth).drop()
    removed = with_a_will(device, word)
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    until(lambda: removed.gone, what="the end of its line")
    seen.control(stand.spy.expect(f"{honest.topic}/presence", boot_id=truth))
    for kind in ("presence", "profile"):
        topic = f"{device.topic}/{kind}"
        stand.spy.expect_cleared(topic)

    seen.became("with its removal what was retained is cleared; nothing of it is left")


@attempt(
    GONE,
    "receive what was queued for it, by a later device of the same name",
    never="an order for the earlier one comes",
    control="an order for the later one comes",
)
def test_its_queue(stand: Stand, seen: Seen) -> None:
    device = stand.device()
    device.peer.drop()
    stand.overseer.publish(f"{device.topic}/command", old := {"id": fresh()})
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    later = Peer(stand.site.port, device.id, stand.place(device.id))
    assert let_in(later) == "let in"
    later.subscribe(f"{device.topic}/command")
    stand.overseer.publish(f"{device.topic}/command", new := {"id": fresh()})

    seen.control(later.expect(f"{device.topic}/command", id=new["id"]))
    assert not later.all(f"{device.topic}/command", id=old["id"])
    later.close()
    seen.became("the queue ended with the place")


@attempt(
    GONE,
    "let its rights live on in its name as a user: publish and listen under the old password",
    never="anything is delivered to or from it",
    control="the messages of a device that has its place arrive",
)
def test_its_rights(stand: Stand, seen: Seen) -> None:
    device = stand.device()
    seen.control(stand.spy.expect(f"{device.topic}/event", id=device.event()))
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    until(lambda: device.peer.gone, what="the end of its line")
    mark = stand.spy.mark()
    for level in range(3):
        peer = Peer(stand.site.port, device.id, device.password, client_id=f"{device.id}-{level}")
        assert let_in(peer) != "let in"
    stand.lamp.fence()

    assert not [
        topic for topic in stand.spy.topics(after=mark) if topic == f"{PREFIX}/devices/{device.id}/event"
    ]
    seen.became("not let in under any client id")


@attempt(
    Attacker.DEVICE,
    "go on without a signature where devices that do not sign are forbidden",
    never="the controller takes what it says, or orders it about",
    control="a device that signs is ordered about, and believed",
)
def test_an_unsigned_device_where_that_is_forbidden(stand: Stand, seen: Seen) -> None:
    stand.restart_controller(ORION_ALLOW_UNSIGNED="false")
    try:
        event = stand.lamp.event()
        path = stand.victim.path()
        made = stand.victim.make(path)
        mark = stand.lamp.peer.mark()
        told = stand.order(stand.lamp.id, "light", wait=3, on=True)

        assert made["status"] == "succeeded", made
        seen.control(path.is_dir())
        assert event not in stand.events()
        assert not stand.lamp.peer.all(f"{stand.lamp.topic}/command", after=mark)
    finally:
        stand.restart_controller()
    stand.lamp.presence()
    stand.lamp.fence()
    seen.became(f"nothing is stored; an order to it is `{told['status']}`")
