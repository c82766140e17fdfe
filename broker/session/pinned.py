"""The authority of a broker that is known by its fingerprint only, before anything secret is said.

The broker's handshake carries its authority's certificate. That it is the pinned one proves
nothing yet: anybody can send it along. So a second handshake, which trusts it and nothing
else, must succeed with the name that was asked for.
"""

import hashlib
import hmac
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography import x509

from broker.session import tls

_EXPIRED, _NOT_YET = 10, 9  # OpenSSL's X509_V_ERR_…
_NAMES = frozenset({62, 64})  # of a host, of an address
_DER = 2  # _ssl.ENCODING_DER


class PinFailed(Exception):
    """The broker is not, or cannot be shown to be, the one that was meant; nothing was told to it."""


class NotReachable(PinFailed):
    """Nobody answers there."""


class NotEncrypted(PinFailed):
    """Whoever answers does not speak TLS."""


class AnotherAuthority(PinFailed):
    """It speaks TLS and is not of the pinned authority."""


class AnotherName(PinFailed):
    """It is the right broker, under a name that its certificate does not have."""


class AnotherTime(PinFailed):
    """Its certificate does not hold now, by the clock of this computer."""


def fetch_ca(host: str, port: int, fingerprint: str, *, within_s: float = 10.0) -> str:
    """The PEM of the authority with this SHA-256, proven to be the one of the broker at `host`. Blocks.

    Raises:
        PinFailed: one of its kinds, with a sentence for a person.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    deadline = time.monotonic() + within_s
    pinned = fingerprint.replace(":", "").lower()
    chain = _chain(host, port, where, deadline)
    for der in chain:
        if hmac.compare_digest(hashlib.sha256(der).hexdigest(), pinned):
            ca = ssl.DER_cert_to_PEM_cert(der)
            _prove(host, port, where, deadline, ca, chain[0])
            return ca
    raise _another(where)


def _chain(host: str, port: int, where: str, deadline: float) -> list[bytes]:
    """What a server shows of itself, believed in nothing."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.minimum_version = ssl.TLSVersion.TLSv1_2
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE  # nothing is said on this connection, and it ends here
    try:
        with _connected(host, port, where, deadline, looking) as connection:
            return _shown(connection)
    except ssl.SSLError as error:
        raise _not_encrypted(where, error.reason or str(error)) from error


def _prove(host: str, port: int, where: str, deadline: float, ca: str, leaf: bytes) -> None:
    try:
        with _connected(host, port, where, deadline, tls.context(ca)):
            return
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _NAMES:
            raise AnotherName(
                f"The broker at {where} is the right one, but its certificate is not for {host!r}. It is for: "
                f"{', '.join(_names(leaf))}. Use one of these, or add the name on the broker's computer "
                "(ORION_MQTT_TLS_NAMES) and restart the broker."
            ) from error
        if error.verify_code in (_EXPIRED, _NOT_YET):
            state = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
            raise AnotherTime(
                f"The certificate of the broker at {where} {state}, by the clock of this computer "
                f"({time.strftime('%Y-%m-%d %H:%M')}). Set the clock; if it is right, restart the broker."
            ) from error
        raise _another(where) from error
    except ssl.SSLError as error:
        raise _not_encrypted(where, error.reason or str(error)) from error


@contextmanager
def _connected(
    host: str, port: int, where: str, deadline: float, context: ssl.SSLContext
) -> Iterator[ssl.SSLSocket]:
    # connected first, so that what fails later is about TLS
    try:
        raw = socket.create_connection((host, port), timeout=_left(deadline, where))
    except OSError as error:
        raise NotReachable(
            f"Nobody can be reached at {where} ({error.strerror or error}). Is the broker's encrypted listener on, "
            "for other computers (ORION_MQTT_TLS_HOST), and not behind a firewall?"
        ) from error
    with raw:
        raw.settimeout(_left(deadline, where))
        try:
            connection = context.wrap_socket(raw, server_hostname=host)
        except ssl.SSLError:
            raise
        except OSError as error:  # it hung up, or waits for something else than a handshake
            raise _not_encrypted(where, error.strerror or str(error) or "it hung up") from error
        with connection:
            yield connection


def _left(deadline: float, where: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise NotReachable(f"{where} did not answer in time.")
    return left


if sys.version_info >= (3, 13):

    def _shown(connection: ssl.SSLSocket) -> list[bytes]:
        return connection.get_unverified_chain()

else:

    def _shown(connection: ssl.SSLSocket) -> list[bytes]:
        # Until Python 3.13 the chain is there, on the object behind the socket, without a public name.
        inner = getattr(connection, "_sslobj")  # noqa: B009 - no type knows it
        return [shown.public_bytes(_DER) for shown in inner.get_unverified_chain() or ()]


def _names(leaf: bytes) -> list[str]:
    try:
        listed = (
            x509.load_der_x509_certificate(leaf)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value
        )
    except (ValueError, x509.ExtensionNotFound):
        return ["no name at all"]
    return [
        *listed.get_values_for_type(x509.DNSName),
        *(str(address) for address in listed.get_values_for_type(x509.IPAddress)),
    ]


def _another(where: str) -> AnotherAuthority:
    return AnotherAuthority(
        f"Whoever answers at {where} is not the broker that was meant: somebody is between you and the broker, "
        "or the code is of another installation. Nothing was told to it."
    )


def _not_encrypted(where: str, reason: str) -> NotEncrypted:
    return NotEncrypted(
        f"{where} does not speak TLS as it must ({reason.lower().replace('_', ' ')}). "
        "Is this the port of the broker's encrypted listener (ORION_MQTT_TLS_PORT)?"
    )
