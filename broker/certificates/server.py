"""The broker's own certificate: for which names it is, and when it is made anew.

`server.pem` holds the key, the certificate and the authority's certificate, so Mosquitto is
given one file for both `certfile` and `keyfile`, and whoever joins finds the authority in the
handshake. A renewal has a new key.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker import config, files
from broker.certificates import authority
from broker.certificates.authority import Authority
from broker.certificates.errors import CertificateError

LIFE = timedelta(days=90)
ANSWER_WITHIN = 3.0  # seconds
MAX_ADDRESSES = 100  # of this computer: a handshake must stay small
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\Z")


def path(directory: Path) -> Path:
    """Key, certificate and authority, in this order."""
    return directory / config.SERVER


def own_names(more: Iterable[str] = ()) -> tuple[str, ...]:
    """What this computer is called: its names, its addresses, and what was set beside them.

    Raises:
        CertificateError: one that was set is neither a name nor an address.
    """
    host = socket.gethostname().lower()
    short = host.partition(".")[0]
    found = dict.fromkeys(["localhost", "127.0.0.1", "::1"])
    found |= dict.fromkeys(name for name in (host, short, f"{short}.local") if _NAME.match(name))
    found |= dict.fromkeys(sorted(_addresses())[:MAX_ADDRESSES])
    found |= dict.fromkeys(_checked(name) for name in more)
    return tuple(found)


def ensure(directory: Path, signer: Authority, names: Iterable[str], *, now: datetime) -> bool:
    """Make the certificate, or make it anew when it must be; whether it was made. Hold the lock."""
    names = tuple(names)
    if _is_good(directory, signer, names, now):
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    made = signer.sign(
        x509.CertificateBuilder()
        .subject_name(authority.named("Orion broker"))
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(authority.usage(digital_signature=True), critical=True)
        # a device's certificate has the other one: it cannot pass for the broker, nor this for a device
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False),
        until=authority.after(now, LIFE),
    )
    chain = authority.pem(made) + authority.pem(signer.certificate)
    files.replace(path(directory), authority.private_pem(key) + chain)
    return True


def load(directory: Path) -> x509.Certificate | None:
    """The certificate as it is kept; None when there is none that can be read."""
    try:
        return x509.load_pem_x509_certificates(path(directory).read_bytes())[0]
    except (OSError, ValueError):
        return None


def is_served(directory: Path, host: str, port: int) -> bool:
    """Whether who listens there shows the certificate that is kept. Blocks on the network."""
    kept = load(directory)
    try:
        shown = ssl.get_server_certificate((host, port), timeout=ANSWER_WITHIN)
    except OSError:
        return False
    return kept is not None and x509.load_pem_x509_certificate(shown.encode("ascii")) == kept


def names_of(made: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that a certificate is for."""
    try:
        listed = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *listed.get_values_for_type(x509.DNSName),
        *(str(address) for address in listed.get_values_for_type(x509.IPAddress)),
    )


def _is_good(directory: Path, signer: Authority, names: tuple[str, ...], now: datetime) -> bool:
    try:
        content = path(directory).read_bytes()
        kept, above = x509.load_pem_x509_certificates(content)
        key = serialization.load_pem_private_key(content, password=None)
        kept.verify_directly_issued_by(signer.certificate)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    end = kept.not_valid_after_utc
    # an authority near its own end cannot give a whole life: then each look would make a new one
    is_last = end == signer.certificate.not_valid_after_utc and end > now
    return (
        above == signer.certificate
        and kept.public_key() == key.public_key()
        and (is_last or not authority.is_ending(end, LIFE, now=now))
        and _covers(set(names_of(kept)), set(names))
    )


def _covers(kept: set[str], wanted: set[str]) -> bool:
    # Networks come and go: an address that this computer lost stays until the next renewal.
    return wanted <= kept and all(_is_address(name) for name in kept - wanted)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _addresses() -> Iterator[str]:
    for interface in psutil.net_if_addrs().values():
        for each in interface:
            if each.family in (socket.AF_INET, socket.AF_INET6):
                address = ipaddress.ip_address(each.address.partition("%")[0])
                # a link-local address means something on one wire only, and nobody can verify it
                if not address.is_link_local:
                    yield str(address)


def _checked(name: str) -> str:
    if _is_address(name):
        return str(ipaddress.ip_address(name))
    if _NAME.match(name):
        return name.lower()
    raise CertificateError(f"{name!r} (ORION_MQTT_TLS_NAMES) is neither a host name nor an address.")


def _general(name: str) -> x509.GeneralName:
    if _is_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)
