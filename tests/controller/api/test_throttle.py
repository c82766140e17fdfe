"""How often a password may be tried."""

import pytest

from controller.api.access import throttle
from controller.api.access.throttle import Throttle, TooManyTries


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def waits(guard: Throttle, clock: Clock, tries: int, *, name: str = "mia", address: str = "a") -> list[int]:
    """What each wrong try costs, made as soon as it may be."""
    found = []
    for _ in range(tries):
        before = clock.now
        while True:
            try:
                guard.begin(name, address)
            except TooManyTries as error:
                clock.now += error.retry_after
            else:
                break
        found.append(round(clock.now - before))
    return found


def test_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    clock = Clock()

    found = waits(Throttle(clock), clock, 16)

    assert found == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_the_right_password_begins_anew() -> None:
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 6)

    guard.forgive("mia", "a")

    assert waits(guard, clock, 4) == [0, 0, 0, 0]


def test_who_has_not_tried_for_an_hour_begins_anew() -> None:
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 8)

    clock.now += throttle.FORGIVEN + 1

    assert waits(guard, clock, 4) == [0, 0, 0, 0]


def test_one_address_cannot_go_through_all_names() -> None:
    clock = Clock()
    guard = Throttle(clock)
    for number in range(throttle.ADDRESS_FREE):
        guard.begin(f"name{number}", "a")

    with pytest.raises(TooManyTries):
        guard.begin("another", "a")
    guard.begin("another", "b")


def test_signing_in_rightly_from_one_address_is_never_slowed() -> None:
    clock = Clock()
    guard = Throttle(clock)

    for number in range(10 * throttle.ADDRESS_FREE):
        guard.begin(f"name{number}", "office")
        guard.forgive(f"name{number}", "office")


def test_spelling_a_name_in_other_letters_is_no_new_name() -> None:
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 4)

    with pytest.raises(TooManyTries):
        guard.begin("MIA", "a")


def test_nobody_makes_somebody_wait_from_afar() -> None:
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 16, address="the guesser's")

    guard.begin("mia", "her own")


def guessed_from_everywhere(guard: Throttle) -> int:
    """How often one name can be tried at once, by somebody with as many addresses as they like."""
    for number in range(10 * throttle.NAME_FREE):
        try:
            guard.begin("mia", f"address {number}")
        except TooManyTries:
            return number
    pytest.fail("there is no end")


def test_many_addresses_guess_one_name_so_often_and_no_more() -> None:
    clock = Clock()
    guard = Throttle(clock)

    assert guessed_from_everywhere(guard) == throttle.NAME_FREE
    guard.begin("another", "elsewhere")
    for _ in range(20):  # and one each quarter of an hour after that
        clock.now += throttle.MOST
        guard.begin("mia", f"at {clock.now}")
    with pytest.raises(TooManyTries):
        guard.begin("mia", "and another")


def test_a_name_that_is_forgiven_begins_anew_everywhere() -> None:
    clock = Clock()
    guard = Throttle(clock)
    guessed_from_everywhere(guard)
    waits(guard, clock, 8, name="ada", address="b")

    guard.forget("MIA")

    assert waits(guard, clock, 4, address="here") == [0, 0, 0, 0]
    assert guessed_from_everywhere(guard) == throttle.NAME_FREE - 4
    with pytest.raises(TooManyTries):
        guard.begin("ada", "b")


def test_the_right_password_forgives_nothing_that_was_tried_elsewhere() -> None:
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 6, address="the guesser's")

    guard.begin("mia", "her own")
    guard.forgive("mia", "her own")

    with pytest.raises(TooManyTries):
        guard.begin("mia", "the guesser's")


def test_tries_that_are_refused_push_nobodys_waits_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_KEPT", 100)
    clock = Clock()
    guard = Throttle(clock)
    waits(guard, clock, 12, name="admin", address="b")
    for number in range(throttle.ADDRESS_FREE):
        guard.begin(f"name{number}", "a")

    for number in range(1_000):
        with pytest.raises(TooManyTries):
            guard.begin(f"another{number}", "a")

    with pytest.raises(TooManyTries):
        guard.begin("admin", "b")


def test_an_ipv6_subscriber_is_one_address() -> None:
    guard = Throttle(Clock())
    for number in range(throttle.ADDRESS_FREE):
        guard.begin(f"name{number}", f"2001:db8::{number:x}")

    with pytest.raises(TooManyTries):
        guard.begin("another", "2001:db8::ffff")
    guard.begin("another", "2001:db8:0:1::1")


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST_KEPT", 10)
    guard = Throttle(Clock())

    for number in range(100):
        guard.begin(f"name{number}", f"address{number}")

    assert len(guard._counts) <= 12
