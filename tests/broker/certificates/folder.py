"""A folder of certificates as tests read it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker import config
from broker.certificates import authority, server

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("localhost", "127.0.0.1", "::1", "workshop")


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
