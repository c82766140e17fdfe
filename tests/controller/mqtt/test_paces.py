"""Somebody who speaks too fast is told so, and not heard at all beyond that."""

from controller.mqtt.paces import BURST, EVERY, REFUSED_AT_MOST, Pace, Paces


class Hand:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_taken_then_refused_then_dropped() -> None:
    paces = Paces(Hand())

    judged = [paces.judge("mia", "request") for _ in range(200)]

    assert judged[: int(BURST)] == [Pace.TAKEN] * int(BURST)
    assert judged.count(Pace.REFUSED) == REFUSED_AT_MOST
    assert judged[-1] is Pace.DROPPED


def test_time_gives_it_back_and_no_more_than_a_burst() -> None:
    hand = Hand()
    paces = Paces(hand)
    for _ in range(int(BURST)):
        paces.judge("mia", "request")

    assert paces.judge("mia", "decision") is Pace.TAKEN
    assert paces.judge("otto", "request") is Pace.TAKEN
    hand.now += EVERY
    assert [paces.judge("mia", "request") for _ in range(2)] == [Pace.TAKEN, Pace.REFUSED]
    hand.now += 1_000_000
    assert [paces.judge("mia", "request") for _ in range(11)] == [Pace.TAKEN] * 10 + [Pace.REFUSED]
