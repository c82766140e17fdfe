"""The private certificate authority of one broker.

Key and certificate stand in ONE file that is replaced whole, here as for the server: at no
moment, wherever a program is killed, does a key lie beside a certificate that it does not fit.
An authority is made once and never replaced by itself: every device that joined pinned it.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker import config, files
from broker.certificates.errors import CertificateError, NoAuthority

logger = logging.getLogger(__name__)

LIFE = timedelta(days=20 * 365)
# Every certificate is valid from this moment on, which a right clock has passed: one that was
# made while the clock was ahead must not be unusable once the clock is right.
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs, and with what."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, builder: x509.CertificateBuilder, *, until: datetime) -> x509.Certificate:
        """Complete a certificate; it ends with the authority's own at the latest."""
        return (
            builder.issuer_name(self.certificate.subject)
            .serial_number(x509.random_serial_number())
            .not_valid_before(EPOCH)
            .not_valid_after(min(until, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signed_by(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def folder(directory: Path) -> Path:
    """Where the certificates of the broker of `directory` are."""
    return directory / config.CERTIFICATES


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only one who changes the certificates."""
    files.make_private_directory(directory)
    with files.locked(directory / "certificates.lock"):
        yield


def public_path(directory: Path) -> Path:
    """The authority's certificate alone, for whoever may not see its key."""
    return directory / config.AUTHORITY


def ensure(directory: Path, *, now: datetime) -> Authority:
    """Make the authority at a first start; the one that is there every time. Hold the lock.

    Raises:
        CertificateError: it cannot be read, or it is gone and what it signed is not.
    """
    path = folder(directory) / "authority.pem"
    if not path.exists():
        _check_first(directory, path)
        files.make_private_directory(folder(directory))
        files.replace(path, _made(now))
    authority = load(directory)
    public = pem(authority.certificate)
    if _text(public_path(directory)) != public:
        files.replace(public_path(directory), public)
    return authority


def load(directory: Path) -> Authority:
    """The authority as it is kept.

    Raises:
        NoAuthority: none was made yet.
        CertificateError: it cannot be read.
    """
    path = folder(directory) / "authority.pem"
    try:
        if files.make_private(path):
            logger.warning(
                "%s could be read by others, and no longer can; if they may have, stop the broker, move its folder "
                "%s away, start it, and let every device that uses TLS join anew",
                path,
                path.parent.name,
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise NoAuthority(path) from None
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror}") from error
    try:
        key = serialization.load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise CertificateError(
            f"{path} is damaged. Restore it from a backup; or move it away, and let every device that "
            "uses TLS join anew."
        )
    return Authority(certificate, key)


def certificate(directory: Path) -> x509.Certificate:
    """The authority's certificate, without its key."""
    path = public_path(directory)
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise NoAuthority(path) from None
    except (OSError, ValueError):
        raise CertificateError(f"{path} cannot be read; the broker writes it anew when it starts.") from None


def fingerprint(directory: Path) -> str:
    """SHA-256 of the authority's certificate (DER), in hexadecimal digits: what a join code pins."""
    return hashlib.sha256(certificate(directory).public_bytes(serialization.Encoding.DER)).hexdigest()


def ca_pem(directory: Path) -> str:
    """The authority's certificate, as programs take it."""
    return pem(certificate(directory))


def pem(made: x509.Certificate | x509.CertificateRevocationList) -> str:
    """A certificate or list as text."""
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii")


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """A key as text: for a file that only its owner may read, and nothing else."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def named(common_name: str) -> x509.Name:
    """A subject that is a common name and nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(**given: bool) -> x509.KeyUsage:
    """A key usage in which only what is named is allowed."""
    denied = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(denied | given))


def signed_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How what is signed names its signer's key."""
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def after(now: datetime, life: timedelta) -> datetime:
    """The end of a life that begins now; a clock that is years behind counts as `EPOCH`."""
    return max(now, EPOCH) + life


def is_ending(end: datetime, life: timedelta, *, now: datetime) -> bool:
    """Whether less than a third of a life is left."""
    return end - now < life / 3


def _check_first(directory: Path, path: Path) -> None:
    # it is written before all of these: where one of them is, it was there
    later = (config.AUTHORITY, config.SERVER, config.REVOKED, config.BOOK)
    if any((directory / name).exists() for name in later):
        raise CertificateError(
            f"{path} is missing, and what it signed is there. Restore it from a backup; or move the folder "
            f"{path.parent} away, and let every device that uses TLS join anew."
        )


def _made(now: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # A name of its own: two installations' authorities cannot be taken for each other.
    name = named(f"Orion {own.digest.hex()[:12]}")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(EPOCH)
        .not_valid_after(after(now, LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    return private_pem(key) + pem(made)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
