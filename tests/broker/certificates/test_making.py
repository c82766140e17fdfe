"""The files of certificates are made once, for their owner only, and for the names that were asked for."""

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from broker import certificates, config
from broker.certificates import CertificateError, authority, server
from tests.broker.certificates.folder import DAY, NAMES, NOON, fits, own


def test_first_start_makes_all_of_it_for_its_owner_only(directory: Path) -> None:
    assert fits(directory)
    for path in (directory / config.CERTIFICATES).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE((directory / config.CERTIFICATES).stat().st_mode) == 0o700


def test_second_start_changes_nothing(directory: Path) -> None:
    before = {path: path.read_bytes() for path in (directory / config.CERTIFICATES).iterdir()}

    assert not certificates.ensure(directory, NAMES, now=NOON + DAY)

    assert {path: path.read_bytes() for path in (directory / config.CERTIFICATES).iterdir()} == before


def test_the_certificate_is_for_what_it_was_asked_for(directory: Path) -> None:
    assert set(server.names_of(own(directory))) == set(NAMES)
    facts = certificates.look(directory)
    assert set(facts.names) == set(NAMES)
    assert facts.server_until == NOON + server.LIFE
    assert facts.authority_until == NOON + authority.LIFE


def test_own_names_are_those_of_this_computer_and_those_set() -> None:
    names = certificates.own_names(("Workshop.example.org", "192.0.2.7", "2001:DB8::1"))

    assert {"localhost", "127.0.0.1", "::1", "workshop.example.org", "192.0.2.7", "2001:db8::1"} <= set(names)
    assert not [name for name in names if name.startswith("fe80") or "%" in name]


@pytest.mark.parametrize(
    "name", ["", "two words", "a/b", "-", "x" * 64, "ünïcode", "a..b", "a\nb", "a." * 400]
)
def test_what_is_no_name_is_refused_with_its_setting(name: str) -> None:
    with pytest.raises(CertificateError, match="ORION_MQTT_TLS_NAMES"):
        certificates.own_names((name,))


def test_fingerprint_is_the_sha256_of_the_authority(directory: Path) -> None:
    der = authority.certificate(directory).public_bytes(serialization.Encoding.DER)

    assert certificates.fingerprint(directory) == hashlib.sha256(der).hexdigest()
    assert x509.load_pem_x509_certificate(certificates.ca_pem(directory).encode()) == authority.certificate(
        directory
    )
