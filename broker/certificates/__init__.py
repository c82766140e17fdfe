"""The certificates of one supervised broker: its authority, its own, and those of devices.

Everything lies in one folder below the broker's, for its owner's eyes only. Whatever is killed
and wherever, the next `ensure` puts right what was left half done.

What is not `async` blocks on files: call it in a worker thread.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from broker.certificates import authority, clients, server
from broker.certificates.authority import ca_pem, fingerprint
from broker.certificates.clients import Given, given
from broker.certificates.errors import CertificateError, NoAuthority
from broker.certificates.server import is_served, own_names
from broker.certificates.sessions import end_session
from broker.certificates.withdrawal import hold, release, revoke

__all__ = [
    "CertificateError",
    "Facts",
    "Given",
    "NoAuthority",
    "ca_pem",
    "end_session",
    "ensure",
    "fingerprint",
    "given",
    "hold",
    "is_served",
    "issue",
    "look",
    "own_names",
    "release",
    "revoke",
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the certificates say, for whoever looks after the broker."""

    authority_until: datetime
    server_until: datetime | None  # None: it is missing or damaged
    names: tuple[str, ...]
    fingerprint: str


def ensure(directory: Path, names: tuple[str, ...], *, now: datetime) -> bool:
    """Make what is missing, renew what is near its end or for other names; whether anything is new.

    The authority is made once and stays.

    Raises:
        CertificateError: the authority or the book of given certificates is damaged.
    """
    with authority.locked(directory):
        signer = authority.ensure(directory, now=now)
        made = server.ensure(directory, signer, names, now=now)
        return clients.ensure_list(directory, signer, now=now) or made


def issue(
    directory: Path, device_id: str, key: clients.Key | x509.CertificateSigningRequest, *, now: datetime
) -> str:
    """Give a device a certificate; it is let in with it as that device, without a password.

    Earlier ones of the same device keep holding until `revoke`.

    Raises:
        NoAuthority: the broker has never started with an encrypted listener.
        CertificateError: not a device id, or not a key that we take.
    """
    with authority.locked(directory):
        signer = authority.load(directory)
        return authority.pem(clients.issue(directory, signer, device_id, key, now=now))


def look(directory: Path) -> Facts:
    """What is there, without changing anything.

    Raises:
        CertificateError: there is no authority, or it cannot be read.
    """
    top, own = authority.certificate(directory), server.load(directory)
    return Facts(
        authority_until=top.not_valid_after_utc,
        server_until=None if own is None else own.not_valid_after_utc,
        names=() if own is None else server.names_of(own),
        fingerprint=fingerprint(directory),
    )
