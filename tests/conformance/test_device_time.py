"""Our node against a stranger's controller whose clock is days away from the device's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.conformance.conftest import Bench
from tests.conformance.mortal import Mortal
from tests.conformance.wire_peer import Json, properties, stamp

DAYS = 3 * 24 * 3600.0


@pytest.fixture
def adrift(bench: Bench, tmp_path: Path) -> Iterator[Mortal]:
    node = Mortal(bench, "adrift", tmp_path)
    try:
        yield node
    finally:
        node.leave()


def lasting(seconds: int) -> Properties:
    return properties(PacketTypes.PUBLISH, MessageExpiryInterval=seconds)


def at_clock(ahead: float, **changes: Any) -> Json:
    """The times of a command that lives for a minute, by a clock that is so many seconds ahead."""
    return {"issued_at": stamp(ahead), "expires_at": stamp(ahead + 60)} | changes


@pytest.mark.parametrize("ahead", [-DAYS, DAYS], ids=["the device is ahead", "the device is behind"])
def test_a_wrong_clock_neither_loses_nor_repeats_a_command(adrift: Mortal, ahead: float) -> None:
    adrift.live()
    command = adrift.marking(**at_clock(ahead))
    adrift.order(command, extra=lasting(60))
    assert adrift.end(command) == "succeeded"
    late = adrift.marking(**at_clock(ahead, issued_at=stamp(ahead - 120), expires_at=stamp(ahead - 60)))
    adrift.order(late, extra=lasting(60))
    assert adrift.end(late) == "expired"  # the earlier of the two, by the clock that it learned
    adrift.die()
    mark = adrift.bench.judge.mark()
    adrift.live()
    for sent in (command, late):
        adrift.order(sent | {"attempt": 2}, extra=lasting(60))
    after = adrift.marking(**at_clock(ahead))
    adrift.order(after, extra=lasting(60))

    assert adrift.end(after) == "succeeded"
    assert adrift.end(command, after=mark) == "succeeded"
    assert adrift.end(late, after=mark) == "expired"
    assert [adrift.times(sent) for sent in (command, late, after)] == [1, 0, 1]


@pytest.mark.parametrize("killed", [False, True])
def test_what_expires_before_the_latest_time_seen_is_expired(adrift: Mortal, *, killed: bool) -> None:
    adrift.live()
    newest = adrift.marking(**at_clock(DAYS))
    adrift.order(newest, extra=lasting(60))
    assert adrift.end(newest) == "succeeded"
    if killed:
        adrift.die()
    else:
        adrift.leave()
    adrift.live()
    old = adrift.marking()
    adrift.order(old, extra=lasting(60))

    assert adrift.end(old) == "expired"
    assert adrift.times(old) == 0
