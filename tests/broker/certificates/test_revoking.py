"""What is revoked is on the list for ever, what is on hold comes back, and the list never ages."""

import asyncio
import itertools
from pathlib import Path

from cryptography import x509

from broker import certificates, config
from broker.certificates import clients
from tests.broker.certificates.folder import DAY, NAMES, NOON, a_key, dated, listed


def test_revoking_lists_every_certificate_of_that_device_and_no_other(directory: Path) -> None:
    made = {
        name: x509.load_pem_x509_certificate(
            certificates.issue(directory, name.partition(".")[0], a_key(), now=NOON).encode()
        ).serial_number
        for name in ("lamp.1", "lamp.2", "pump.1")
    }

    assert asyncio.run(certificates.revoke(directory, "lamp", now=NOON))

    assert listed(directory) & set(made.values()) == {made["lamp.1"], made["lamp.2"]}
    assert not asyncio.run(certificates.revoke(directory, "lamp", now=NOON))
    assert not asyncio.run(certificates.revoke(directory, "nobody", now=NOON))


def test_what_is_on_hold_comes_back_and_what_is_revoked_does_not(directory: Path) -> None:
    first = x509.load_pem_x509_certificate(certificates.issue(directory, "lamp", a_key(), now=NOON).encode())
    assert asyncio.run(certificates.hold(directory, "lamp", now=NOON))
    assert first.serial_number in listed(directory)

    assert asyncio.run(certificates.release(directory, "lamp", now=NOON))
    assert first.serial_number not in listed(directory)

    asyncio.run(certificates.hold(directory, "lamp", now=NOON))
    asyncio.run(certificates.revoke(directory, "lamp", now=NOON))
    assert not asyncio.run(certificates.release(directory, "lamp", now=NOON))
    assert first.serial_number in listed(directory)


def test_each_list_is_dated_later_than_the_one_before_whatever_the_clock_says(directory: Path) -> None:
    dates = [dated(directory)]
    for number, clock in enumerate((NOON, NOON, NOON - 365 * DAY, NOON + 400 * DAY)):
        certificates.issue(directory, f"lamp{number}", a_key(), now=NOON)
        asyncio.run(certificates.revoke(directory, f"lamp{number}", now=clock))
        dates.append(dated(directory))

    assert all(earlier < later for earlier, later in itertools.pairwise(dates))
    assert dates[-1] < NOON


def test_the_list_is_renewed_before_it_ends(directory: Path) -> None:
    first = dated(directory)

    assert not certificates.ensure(directory, NAMES, now=NOON + 19 * DAY)
    assert certificates.ensure(directory, NAMES, now=NOON + 21 * DAY)

    renewed = x509.load_pem_x509_crl((directory / config.REVOKED).read_bytes())
    assert renewed.last_update_utc > first
    assert renewed.next_update_utc == NOON + 21 * DAY + clients.LIST_LIFE
