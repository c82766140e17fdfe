"""The files of certificates: made once, renewed in time, whole whatever is killed when."""

import asyncio
import contextlib
import hashlib
import itertools
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker import certificates, config, files
from broker.certificates import CertificateError, NoAuthority, authority, clients, server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("localhost", "127.0.0.1", "::1", "workshop")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    certificates.ensure(tmp_path, NAMES, now=NOON)
    return tmp_path


def own(directory: Path) -> x509.Certificate:
    made = server.load(directory)
    assert made is not None
    return made


def fits(directory: Path) -> bool:
    """Whether key, certificate, authority and list belong together."""
    content = (directory / config.SERVER).read_bytes()
    key = serialization.load_pem_private_key(content, password=None)
    leaf, top = x509.load_pem_x509_certificates(content)
    signer = authority.load(directory)
    leaf.verify_directly_issued_by(signer.certificate)
    revoked = x509.load_pem_x509_crl((directory / config.REVOKED).read_bytes())
    return (
        key.public_key() == leaf.public_key()
        and top == signer.certificate == authority.certificate(directory)
        and revoked.is_signature_valid(signer.key.public_key())
    )


def a_key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


def listed(directory: Path) -> set[int]:
    revoked = x509.load_pem_x509_crl((directory / config.REVOKED).read_bytes())
    return {each.serial_number for each in revoked}


def dated(directory: Path) -> datetime:
    return x509.load_pem_x509_crl((directory / config.REVOKED).read_bytes()).last_update_utc


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


def test_fingerprint_is_the_sha256_of_the_authority(directory: Path) -> None:
    der = authority.certificate(directory).public_bytes(serialization.Encoding.DER)

    assert certificates.fingerprint(directory) == hashlib.sha256(der).hexdigest()
    assert x509.load_pem_x509_certificate(certificates.ca_pem(directory).encode()) == authority.certificate(
        directory
    )


class Killed(BaseException):
    """The program ended here."""


@pytest.fixture
def deaths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Dies before the n-th file is replaced, when n stands in the list."""
    left: list[int] = []
    whole = files.replace

    def replace(path: Path, content: str) -> None:
        if left:
            left[0] -= 1
            if left[0] < 0:
                left.clear()
                raise Killed
        whole(path, content)

    monkeypatch.setattr(files, "replace", replace)
    yield left
    left.clear()


@pytest.mark.parametrize("at", range(5))
def test_killed_between_any_two_files_it_recovers(tmp_path: Path, deaths: list[int], at: int) -> None:
    for moment in (NOON, NOON + 80 * DAY):
        deaths[:] = [at]
        with contextlib.suppress(Killed):
            certificates.ensure(tmp_path, NAMES, now=moment)
        deaths.clear()
        pinned = certificates.fingerprint(tmp_path) if (tmp_path / config.AUTHORITY).exists() else None

        certificates.ensure(tmp_path, NAMES, now=moment)

        assert fits(tmp_path)
        assert pinned in (None, certificates.fingerprint(tmp_path))


@pytest.mark.parametrize("at", range(3))
def test_killed_while_revoking_it_is_revoked_or_was_never_asked(
    directory: Path, deaths: list[int], at: int
) -> None:
    made = x509.load_pem_x509_certificate(certificates.issue(directory, "lamp", a_key(), now=NOON).encode())
    deaths[:] = [at]
    with contextlib.suppress(Killed):
        asyncio.run(certificates.revoke(directory, "lamp", now=NOON))
    deaths.clear()
    (given,) = certificates.given(directory)["lamp"]

    certificates.ensure(directory, NAMES, now=NOON)

    assert (made.serial_number in listed(directory)) is (given.state == "revoked")
    assert fits(directory)


def test_a_certificate_is_written_down_before_it_is_handed_out(directory: Path, deaths: list[int]) -> None:
    deaths[:] = [0]
    with pytest.raises(Killed):
        certificates.issue(directory, "lamp", a_key(), now=NOON)
    assert certificates.given(directory) == {}


@pytest.mark.parametrize("damage", ["", "half a file", None])
def test_a_damaged_server_certificate_is_made_anew(directory: Path, damage: str | None) -> None:
    path = directory / config.SERVER
    path.write_text(path.read_text()[:300] if damage is None else damage)

    assert certificates.ensure(directory, NAMES, now=NOON)

    assert fits(directory)


def test_a_damaged_authority_is_never_replaced_by_itself(directory: Path) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    path.write_text("half")

    with pytest.raises(CertificateError, match=r"Restore it from a backup.*join anew"):
        certificates.ensure(directory, NAMES, now=NOON)
    assert path.read_text() == "half"


@pytest.mark.parametrize(
    "left", [config.AUTHORITY, config.SERVER, config.REVOKED, f"{config.CERTIFICATES}/clients.json"]
)
def test_a_lost_authority_is_never_replaced_by_itself(directory: Path, left: str) -> None:
    certificates.issue(directory, "lamp", a_key(), now=NOON)
    folder = directory / config.CERTIFICATES
    for path in folder.iterdir():
        if path != directory / left:
            path.unlink()

    with pytest.raises(CertificateError, match=r"Restore it from a backup.*join anew"):
        certificates.ensure(directory, NAMES, now=NOON)
    assert list(folder.iterdir()) == [directory / left]

    folder.rename(directory / "away")
    assert certificates.ensure(directory, NAMES, now=NOON)


def test_an_authority_that_others_could_read_is_taken_from_their_eyes(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    path.chmod(0o644)

    certificates.ensure(directory, NAMES, now=NOON)

    assert path.stat().st_mode & 0o777 == 0o600
    assert "join anew" in caplog.text


def test_an_authority_with_anothers_key_is_damaged(directory: Path) -> None:
    path = directory / config.CERTIFICATES / "authority.pem"
    other = authority.private_pem(ec.generate_private_key(ec.SECP256R1()))
    path.write_text(other + certificates.ca_pem(directory))

    with pytest.raises(CertificateError, match="damaged"):
        certificates.ensure(directory, NAMES, now=NOON)


def test_a_damaged_book_is_no_empty_list(directory: Path) -> None:
    (directory / config.CERTIFICATES / "clients.json").write_text("{}")

    with pytest.raises(CertificateError, match="damaged"):
        certificates.ensure(directory, NAMES, now=NOON)


def test_a_devices_certificate_names_it_and_is_for_nothing_else(directory: Path) -> None:
    key = a_key()

    made = x509.load_pem_x509_certificate(certificates.issue(directory, "lamp", key, now=NOON).encode())

    made.verify_directly_issued_by(authority.certificate(directory))
    assert made.subject.rfc4514_string() == "CN=lamp"
    assert made.public_key() == key
    use = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(use) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert server.names_of(made) == ()


def test_of_a_request_the_key_is_used_and_nothing_it_asks_for(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(authority.named("controller-main"))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )

    made = x509.load_pem_x509_certificate(certificates.issue(directory, "lamp", request, now=NOON).encode())

    assert made.subject.rfc4514_string() == "CN=lamp"
    assert made.public_key() == key.public_key()
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_request_that_its_sender_did_not_sign_is_refused(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(authority.named("lamp"))
        .sign(key, hashes.SHA256())
    )
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(CertificateError, match="not signed"):
        certificates.issue(directory, "lamp", x509.load_der_x509_csr(bytes(der)), now=NOON)


@pytest.mark.parametrize("name", ["controller-main", "join-1", "debug.someone", "", "a/b", "#", "+", "Lamp"])
def test_nobody_but_a_device_is_given_one(directory: Path, name: str) -> None:
    with pytest.raises(CertificateError):
        certificates.issue(directory, name, a_key(), now=NOON)


def test_ed25519_is_taken_and_weak_keys_are_not(directory: Path) -> None:
    certificates.issue(directory, "lamp", ed25519.Ed25519PrivateKey.generate().public_key(), now=NOON)
    small = ec.generate_private_key(ec.SECP192R1()).public_key()
    with pytest.raises(CertificateError, match="P-256"):
        certificates.issue(directory, "lamp", small, now=NOON)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(authority.named("lamp"))
        .sign(rsa.generate_private_key(65_537, 2048), hashes.SHA256())
    )
    with pytest.raises(CertificateError, match="P-256"):
        certificates.issue(directory, "lamp", request, now=NOON)


def test_before_the_first_start_there_is_nothing_to_issue_with(tmp_path: Path) -> None:
    with pytest.raises(NoAuthority, match="ORION_MQTT_TLS_PORT"):
        certificates.issue(tmp_path, "lamp", a_key(), now=NOON)
    with pytest.raises(NoAuthority):
        certificates.fingerprint(tmp_path)


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


def test_two_programs_at_once_lose_nothing(directory: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        for number in range(20):
            pool.submit(certificates.issue, directory, f"lamp{number}", a_key(), now=NOON)

    assert len(certificates.given(directory)) == 20
