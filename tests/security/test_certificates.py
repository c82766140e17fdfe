"""Identities by client certificate: revoked, another's, self-made, none."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from broker import certificates
from broker.certificates import authority
from broker.session import tls
from tests.broker.encrypted import a_certificate
from tests.conformance.fake_device import FakeDevice
from tests.conformance.wire_peer import Peer, fresh, until
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in


def with_certificate(stand: Stand, identity: Path | None, **how: str) -> Peer:
    """A client at the listener that asks for a certificate and for no password."""
    name, client_id = how.get("username"), how.get("client_id", f"x-{fresh()[:8]}")
    peer = Peer(stand.cert_port, name, None if name is None else "wrong", client_id=client_id)
    ca = certificates.ca_pem(stand.site.directory / "data" / "broker")
    peer.client.tls_set_context(tls.context(ca, identity=identity))
    return peer


def comes(peer: Peer) -> str:
    """What becomes of a connection, in a word."""
    try:
        return let_in(peer, clean=True)
    except (ssl.SSLError, ConnectionError):
        return "the TLS handshake fails"


def certified(stand: Stand) -> tuple[FakeDevice, Path]:
    """A device that has a certificate as well, and the file with its key."""
    device = stand.device(born=False)
    folder = stand.site.directory / "certificates"
    folder.mkdir(exist_ok=True)
    return device, a_certificate(stand.site.directory / "data" / "broker", folder, device.id)


def refused(said: str) -> str:
    """Either way is out: TLS 1.3 tells a client of a refused certificate only after its handshake."""
    assert said != "let in"
    return "not let in"


@attempt(
    Attacker.REVOKED,
    "come back with its certificate",
    never="it is let in",
    control="before the removal it was let in with it, without a password",
)
def test_a_revoked_certificate(stand: Stand, seen: Seen) -> None:
    device, identity = certified(stand)
    first = with_certificate(stand, identity)
    seen.control(comes(first) == "let in")
    first.close()
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()

    seen.became(refused(comes(with_certificate(stand, identity))), "it is on the list of the revoked")


@attempt(
    Attacker.REVOKED,
    "stay connected by its certificate",
    never="its line lives for two seconds more, or it still speaks",
    control="before the removal its words arrived",
)
def test_a_revoked_certificates_line(stand: Stand, seen: Seen) -> None:
    device, identity = certified(stand)
    peer = with_certificate(stand, identity)
    assert comes(peer) == "let in"
    peer.publish(f"{device.topic}/event", {"word": (word := fresh())})
    seen.control(stand.spy.expect(f"{device.topic}/event", word=word))
    stand.http.delete(f"devices/{device.id}", headers={"If-Match": "*"}).raise_for_status()
    until(lambda: peer.gone, within=2, what="the end of its line")

    seen.became("the broker ends it within 2 s")


@attempt(
    Attacker.DEVICE,
    "come by its own certificate as another device: under that one's {what}",
    never="it is let in as the other, or hears what is for the other",
    control="it hears what is for itself",
)
@pytest.mark.parametrize("what", ["client id", "name"])
def test_another_name_beside_a_certificate(stand: Stand, seen: Seen, what: str) -> None:
    device, identity = certified(stand)
    how = {"client_id": stand.lamp.id} if what == "client id" else {"username": stand.lamp.id}
    peer = with_certificate(stand, identity, **how)
    outcome = comes(peer)
    peer.subscribe(f"{stand.lamp.topic}/command", f"{device.topic}/ack")
    stand.light(stand.lamp)
    stand.overseer.publish(f"{device.topic}/ack", said := {"id": fresh()})

    seen.control(peer.expect(f"{device.topic}/ack", id=said["id"]) and not stand.lamp.peer.gone)
    assert not peer.all(f"{stand.lamp.topic}/command")
    peer.close()
    seen.became(outcome, "it is who its certificate says")


def self_made(folder: Path, name: str) -> Path:
    """A certificate in somebody's name that no authority of ours made."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begun = datetime.now(UTC) - timedelta(hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / f"self-made-{fresh()[:8]}.pem"
    path.write_text(authority.private_pem(key) + authority.pem(made))
    return path


@attempt(
    Attacker.NOTHING,
    "come to the listener for certificates with {what}",
    never="it is let in",
    control="a device with a certificate of ours is let in",
)
@pytest.mark.parametrize(
    "what", ["none", "none, under a device's client id", "a self-made one in a device's name"]
)
def test_no_certificate_of_ours(stand: Stand, seen: Seen, what: str, tmp_path: Path) -> None:
    device, identity = certified(stand)
    theirs = self_made(tmp_path, device.id) if "self-made" in what else None
    client_id = device.id if "client id" in what else f"x-{fresh()[:8]}"
    outcome = refused(comes(with_certificate(stand, theirs, client_id=client_id)))
    honest = with_certificate(stand, identity)

    seen.control(comes(honest) == "let in")
    honest.close()
    seen.became(outcome)
