"""Our node against a stranger's controller: killed, cut off and asked again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.conftest import Bench
from tests.conformance.device_side import FINAL, a_path, birth_of, cancelling
from tests.conformance.mortal import Mortal
from tests.conformance.wire_peer import Json, stamp, until
from tests.conformance.wiretap import Wiretap, read_topic

PUBLISH, PUBACK = 3, 4


@pytest.fixture
def mortal(bench: Bench, tmp_path: Path) -> Iterator[Mortal]:
    node = Mortal(bench, "mortal", tmp_path)
    try:
        yield node
    finally:
        node.leave()


@pytest.fixture
def tap(bench: Bench) -> Iterator[Wiretap]:
    wire = Wiretap(bench.site.port)
    try:
        yield wire
    finally:
        wire.close()


def first_of(batch: list[Json], looks: Callable[[Json], object]) -> None:
    """Wait until one of these commands has come as far as this."""
    until(lambda: any(looks(command) for command in batch))


def test_whenever_it_is_killed_no_command_runs_twice_or_ends_in_two_ways(mortal: Mortal) -> None:
    orders = []
    for looks in (None, mortal.said, mortal.times, mortal.ends):
        mortal.live()
        batch = [mortal.marking(after=0.05) for _ in range(6)]
        for command in batch:
            mortal.send(command)
        if looks is not None:
            first_of(batch, looks)
        mortal.die()
        orders += batch
    mortal.live()
    told = {command["id"]: mortal.ends(command) for command in orders}
    for command in orders:
        other = mortal.marking()["arguments"] if told[command["id"]] else command["arguments"]
        mortal.order(command | {"attempt": 2, "arguments": other})
    for command in orders:
        mortal.end(command)
    mortal.fence()

    for command in orders:
        status, times = mortal.end(command), mortal.times(command)
        assert told[command["id"]] <= {status}
        assert times <= 1, (status, command["id"])
        if status == "succeeded":
            assert times == 1
        elif status != "interrupted":
            assert times == 0, status
    assert len(mortal.effects.read_text().split()) == sum(mortal.times(command) for command in orders)


def test_another_life_begins_with_what_was_not_acked_in_order(mortal: Mortal, tap: Wiretap) -> None:
    bench = mortal.bench
    first_life = mortal.live()
    gone = bench.command(mortal.name, "read_file", {"path": str(a_path(bench))})
    kinds = {
        "acked": mortal.marking(),
        "succeeded": mortal.marking(),
        "rejected": bench.command(mortal.name, "no_such_tool", {}),
        "failed": gone,
        "expired": mortal.marking(issued_at=stamp(-60), expires_at=stamp(-1)),
        "cancelled": mortal.marking(),
    }
    bench.judge.publish(bench.topic(mortal.name, "cancel"), cancelling(kinds["cancelled"]))
    for name, command in kinds.items():
        mortal.order(command)
        assert mortal.end(command) == ("succeeded" if name == "acked" else name)
    mortal.ack([kinds.pop("acked"), {"id": "never-heard-of"}])
    mortal.fence()
    mortal.die()
    mark = bench.judge.mark()
    spared = mortal.marking()
    bench.judge.publish(bench.topic(mortal.name, "cancel"), cancelling(spared), retain=True)
    second_life = mortal.live(port=tap.port)
    for command in kinds.values():
        mortal.end(command, after=mark)
    bench.judge.expect(bench.topic(mortal.name, "heartbeat"), after=mark)
    bench.judge.publish(bench.topic(mortal.name, "cancel"), b"", retain=True)

    assert second_life != first_life
    until(lambda: "heartbeat" in birth_of(tap, 0))
    order = birth_of(tap, 0)
    born = order.index("profile")
    assert order[:born].count("subscribe") == order[:born].count("suback") > 0
    assert order[born : born + 2] == ["profile", "presence"]
    assert set(order[born + 2 : -1]) == {"reply"}
    again = [
        str(seen.json()["command_id"])
        for seen in bench.judge.all(mortal.replies_to, after=mark)
        if seen.json()["status"] in FINAL
    ]
    kept = {command["id"] for command in kinds.values()}
    assert list(dict.fromkeys(name for name in again if name in kept)) == [
        command["id"] for command in kinds.values()
    ]
    assert all(mortal.ends(command) == {name} for name, command in kinds.items())
    mortal.order(spared)
    assert mortal.end(spared) == "succeeded"  # a retained cancel cancels nothing
    # once all are acked, nothing is left for a third life to say
    bench.judge.publish(bench.topic(mortal.name, "ack"), {"at": stamp(), "replies": [*again, spared["id"]]})
    mortal.fence()
    mark = bench.judge.mark()
    tap.cut()
    bench.online(mortal.name, after=mark)
    mortal.fence()
    later = {str(seen.json()["command_id"]) for seen in bench.judge.all(mortal.replies_to, after=mark)}
    assert not later & {*again, spared["id"]}


def test_a_cancel_outlives_the_device_that_heard_it_first(mortal: Mortal) -> None:
    bench = mortal.bench
    mortal.live()
    command, done = mortal.marking(), mortal.marking()
    bench.judge.publish(bench.topic(mortal.name, "cancel"), cancelling(command))
    mortal.order(done)
    assert mortal.end(done) == "succeeded"
    mortal.die()
    mark = bench.judge.mark()
    mortal.order(command)
    bench.judge.publish(bench.topic(mortal.name, "cancel"), cancelling(done))
    mortal.live()

    assert mortal.end(command) == "cancelled"
    assert mortal.end(done, after=mark) == "succeeded"
    mortal.fence()
    assert (mortal.times(command), mortal.times(done)) == (0, 1)


def test_a_cancel_at_any_moment_leaves_one_end_that_is_true(mortal: Mortal) -> None:
    bench = mortal.bench
    mortal.live()
    orders = [mortal.marking(before=0.02 * number) for number in range(16)]
    cancel = bench.topic(mortal.name, "cancel")
    for number, command in enumerate(orders):
        if number % 4 == 0:
            bench.judge.send(cancel, cancelling(command))
        mortal.send(command)
        if number % 4 == 1:
            bench.judge.send(cancel, cancelling(command))
    for number, command in enumerate(orders):
        if number % 4 == 2:
            bench.judge.send(cancel, cancelling(command))
    ends = [mortal.end(command) for command in orders]
    last = mortal.marking(before=0.5)  # longer than any of the above could still take
    mortal.order(last)
    assert mortal.end(last) == "succeeded"

    for number, (command, status) in enumerate(zip(orders, ends, strict=True)):
        assert mortal.ends(command) == {status}
        assert status in ({"cancelled"} if number % 4 == 0 else {"succeeded", "cancelled"})
        # one that was stopped during its run may have got as far as its effect
        least = int(status == "succeeded")
        most = 1 if number % 4 else 0
        assert least <= mortal.times(command) <= most
        if number % 4 == 3:
            assert status == "succeeded"


def test_what_takes_more_than_a_second_is_accepted_before(mortal: Mortal) -> None:
    mortal.live()
    orders = [mortal.marking(before=0.25 * number) for number in range(1, 7)]
    for command in orders:
        mortal.send(command)
    for command in orders:
        assert mortal.end(command) == "succeeded"

    for command in orders:
        said = [seen.json() for seen in mortal.said(command)]
        statuses = [reply["status"] for reply in said]
        assert statuses[0] == "accepted" or said[0]["duration_ms"] <= 1000
        assert statuses.count("succeeded") == 1


def test_a_cut_line_repeats_nothing_and_no_puback_crosses_it(mortal: Mortal, tap: Wiretap) -> None:
    bench = mortal.bench
    mortal.live(port=tap.port)
    orders = [mortal.marking() for _ in range(24)]
    for number, command in enumerate(orders):
        mortal.send(command)
        if number % 8 == 4:
            mark = bench.judge.mark()
            tap.cut()
            bench.online(mortal.name, after=mark)
    for command in orders:
        assert mortal.end(command) in {"succeeded", "rejected"}
    mortal.fence()

    for command in orders:
        assert mortal.times(command) == (mortal.end(command) == "succeeded")
    assert tap.lines >= 4
    for line in range(tap.lines):
        given: set[bytes] = set()
        for packet in tap.packets(line=line):
            if packet.kind == PUBLISH and not packet.from_client and packet.flags & 6:
                at = 2 + len(read_topic(packet).encode())
                given.add(packet.body[at : at + 2])
            elif packet.kind == PUBACK and packet.from_client:
                assert packet.body[:2] in given
