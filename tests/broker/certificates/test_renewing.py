"""A certificate is renewed in time, and the authority stays what it was."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker import certificates
from broker.certificates import authority, server
from tests.broker.certificates.folder import DAY, NAMES, NOON, fits, own


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True), (89, True), (400, True)])
def test_it_is_renewed_when_less_than_a_third_of_its_life_is_left(
    directory: Path, days: int, *, renewed: bool
) -> None:
    first, pinned = own(directory), certificates.fingerprint(directory)

    certificates.ensure(directory, NAMES, now=NOON + days * DAY)

    assert (own(directory) != first) is renewed
    assert (own(directory).public_key() != first.public_key()) is renewed
    assert certificates.fingerprint(directory) == pinned
    assert fits(directory)


def test_a_new_name_renews_it(directory: Path) -> None:
    assert certificates.ensure(directory, (*NAMES, "192.0.2.7"), now=NOON)
    assert "192.0.2.7" in server.names_of(own(directory))


def test_a_name_that_was_taken_away_renews_it_but_a_lost_address_does_not(directory: Path) -> None:
    certificates.ensure(directory, (*NAMES, "192.0.2.7", "extra"), now=NOON)

    assert not certificates.ensure(directory, (*NAMES, "extra"), now=NOON)
    assert certificates.ensure(directory, NAMES, now=NOON)
    assert set(server.names_of(own(directory))) == set(NAMES)


@pytest.mark.parametrize("year", [1970, 2026, 2037])
def test_made_with_a_wrong_clock_it_holds_when_the_clock_is_right(tmp_path: Path, year: int) -> None:
    certificates.ensure(tmp_path, NAMES, now=datetime(year, 1, 1, tzinfo=UTC))

    certificates.ensure(tmp_path, NAMES, now=NOON)  # the next look

    for made in (own(tmp_path), authority.certificate(tmp_path)):
        assert made.not_valid_before_utc < NOON < made.not_valid_after_utc
    assert fits(tmp_path)


def test_an_authority_near_its_end_is_kept_and_its_certificates_end_with_it(directory: Path) -> None:
    pinned = certificates.fingerprint(directory)
    late = NOON + authority.LIFE - 10 * DAY

    assert certificates.ensure(directory, NAMES, now=late)

    assert certificates.fingerprint(directory) == pinned
    assert own(directory).not_valid_after_utc == authority.certificate(directory).not_valid_after_utc
    assert not certificates.ensure(directory, NAMES, now=late + DAY)
