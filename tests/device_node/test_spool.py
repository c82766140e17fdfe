"""What waits for an Ack."""

from device_node.spool import Kind, Spool, Spooled


def an_entry(number: int, kind: Kind = Kind.REPLY) -> Spooled:
    return Spooled(kind, f"{kind}-{number}", "t", str(number).encode())


def test_order_is_kept_until_the_ack() -> None:
    spool = Spool(10)
    for number in range(4):
        spool.add(an_entry(number))
    spool.remove(Kind.REPLY, ["reply-1", "unknown"])
    spool.remove(Kind.EVENT, ["reply-2"])
    assert [entry.payload for entry in spool.pending()] == [b"0", b"2", b"3"]


def test_same_id_is_kept_once() -> None:
    spool = Spool(10)
    spool.add(an_entry(1))
    spool.add(an_entry(1))
    assert len(spool.pending()) == 1


def test_full_spool_gives_up_the_oldest_event_before_any_reply() -> None:
    spool = Spool(3)
    for entry in (an_entry(0), an_entry(1, Kind.EVENT), an_entry(2, Kind.EVENT), an_entry(3)):
        spool.add(entry)
    assert [entry.id for entry in spool.pending()] == ["reply-0", "event-2", "reply-3"]
    assert spool.dropped == 1


def test_spool_of_replies_alone_stays_bounded() -> None:
    spool = Spool(2)
    for number in range(5):
        spool.add(an_entry(number))
    assert [entry.id for entry in spool.pending()] == ["reply-3", "reply-4"]
