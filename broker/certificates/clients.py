"""Certificates of devices, and the list of those that no longer hold.

`clients.json` is the truth: which certificates each device was given, and which of them are
revoked or on hold. Mosquitto's list (`revoked.pem`) is written from it, and anew before it ends.
Whoever calls holds the lock.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import TypeAdapter, ValidationError

from broker import config, files
from broker.certificates import authority
from broker.certificates.authority import EPOCH, Authority
from broker.certificates.errors import CertificateError
from schemas.ids import RESERVED, DeviceId

LIFE = timedelta(days=2 * 365)
LIST_LIFE = timedelta(days=30)
TRIALS = 16  # certificates of our own on the list: as many changes may be under way at once
Key = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_DEVICE_ID = TypeAdapter[str](DeviceId)


@dataclass(frozen=True, slots=True)
class Given:
    """One certificate that a device was given."""

    serial: int
    until: datetime
    state: str = "good"  # or `held`, or `revoked`


def list_path(directory: Path) -> Path:
    """The revoked certificates, as Mosquitto reads them."""
    return directory / config.REVOKED


def given(directory: Path) -> dict[str, list[Given]]:
    """Every certificate that was ever given, by device."""
    return _read(directory).devices


def issue(
    directory: Path,
    signer: Authority,
    device_id: str,
    key: Key | x509.CertificateSigningRequest,
    *,
    now: datetime,
    life: timedelta = LIFE,
) -> x509.Certificate:
    """Give a device a certificate for its key. Of a request only the key is used.

    Raises:
        CertificateError: not a device's id, not a key that we take, or a request that its
            sender did not sign.
    """
    made = _made(signer, device_id, _key_of(key), until=authority.after(now, life))
    book = _read(directory)
    # written down first: a certificate that is not could never be revoked
    book.devices.setdefault(device_id, []).append(Given(made.serial_number, made.not_valid_after_utc))
    _write(directory, book)
    return made


def unlisted(signer: Authority, device_id: str, key: Key, *, now: datetime) -> x509.Certificate:
    """A certificate of a few minutes for our own use, in a device's name; it is not written down."""
    return _made(signer, device_id, key, until=authority.after(now, timedelta(minutes=10)))


def change(directory: Path, device_id: str, *, before: frozenset[str], after: str, also: int) -> bool:
    """Move a device's certificates from one of the states `before` to `after`; whether there were any.

    `also` is a serial number of our own that goes onto the list, beside those of changes that may
    be under way: a certificate to try whether Mosquitto has read it.
    """
    book = _read(directory)
    mine = book.devices.get(device_id, [])
    if not any(each.state in before for each in mine):
        return False
    book.devices[device_id] = [
        Given(each.serial, each.until, after if each.state in before else each.state) for each in mine
    ]
    book.trials = (*book.trials, also)[-TRIALS:]
    book.number += 1
    _write(directory, book)
    return True


def ensure_list(directory: Path, signer: Authority, *, now: datetime) -> bool:
    """Write Mosquitto's list when it is missing, behind, or near its end; whether it was written."""
    book = _read(directory)
    path = list_path(directory)
    try:
        kept = x509.load_pem_x509_crl(path.read_bytes())
    except (OSError, ValueError):
        pass
    else:
        ends = kept.next_update_utc
        if (
            kept.is_signature_valid(signer.key.public_key())
            and kept.last_update_utc == _dated(book.number)
            and ends is not None
            and not authority.is_ending(ends, LIST_LIFE, now=now)
        ):
            return False
        if kept.last_update_utc == _dated(book.number):
            book.number += 1
            _write(directory, book)
    files.replace(path, authority.pem(_listed(book, signer, now)))
    return True


@dataclass
class _Book:
    devices: dict[str, list[Given]]
    number: int = 0
    trials: tuple[int, ...] = ()


def _made(signer: Authority, device_id: str, key: Key, *, until: datetime) -> x509.Certificate:
    try:
        _DEVICE_ID.validate_python(device_id)
    except ValidationError:
        raise CertificateError(f"{device_id!r} is not a device id.") from None
    if RESERVED.match(device_id):
        # the name in a certificate IS the identity: this one would be the controller's
        raise CertificateError(f"Device ids cannot begin with {device_id.partition('-')[0]}-.")
    return signer.sign(
        x509.CertificateBuilder()
        .subject_name(authority.named(device_id))
        .public_key(key)
        .add_extension(authority.usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False),
        until=until,
    )


def _key_of(key: Key | x509.CertificateSigningRequest) -> Key:
    if isinstance(key, x509.CertificateSigningRequest):
        if not key.is_signature_valid:
            raise CertificateError("The request for a certificate is not signed by the key that is in it.")
        asked = key.public_key()
    else:
        asked = key
    if isinstance(asked, ed25519.Ed25519PublicKey) or (
        isinstance(asked, ec.EllipticCurvePublicKey) and asked.curve.key_size >= 256
    ):
        return asked
    raise CertificateError("A device's certificate is for a key on P-256, P-384, P-521 or Ed25519.")


def _listed(book: _Book, signer: Authority, now: datetime) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(_dated(book.number))
        .next_update(authority.after(now, LIST_LIFE))
        .add_extension(x509.CRLNumber(book.number), critical=False)
        .add_extension(authority.signed_by(signer.certificate), critical=False)
    )
    revoked = [each.serial for mine in book.devices.values() for each in mine if each.state != "good"]
    for serial in [*revoked, *book.trials]:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(EPOCH).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer.key, hashes.SHA256())


def _dated(number: int) -> datetime:
    # A list's date says its order, not its hour: of two lists OpenSSL believes the one that is
    # dated later, also after two in one second or a clock that was set back.
    return EPOCH + timedelta(seconds=number)


def _read(directory: Path) -> _Book:
    path = _book_path(directory)
    try:
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return _Book(
            {
                device_id: [
                    Given(int(each["serial"], 16), datetime.fromisoformat(each["until"]), each["state"])
                    for each in mine
                ]
                for device_id, mine in read["devices"].items()
            },
            read["number"],
            tuple(int(each, 16) for each in read["trials"]),
        )
    except FileNotFoundError:
        return _Book({})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # an empty list in its place would let in everybody who was revoked
        raise CertificateError(f"{path} is damaged: restore it from a backup.") from error


def _write(directory: Path, book: _Book) -> None:
    written = {
        "number": book.number,
        "trials": [f"{each:x}" for each in book.trials],
        "devices": {
            device_id: [
                {
                    "serial": f"{each.serial:x}",
                    "until": each.until.astimezone(UTC).isoformat(),
                    "state": each.state,
                }
                for each in mine
            ]
            for device_id, mine in sorted(book.devices.items())
        },
    }
    files.replace(_book_path(directory), json.dumps(written, indent=1) + "\n")


def _book_path(directory: Path) -> Path:
    return directory / config.BOOK
