"""A device is given a certificate that names it and is for nothing else, and nobody else is given one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker import certificates
from broker.certificates import CertificateError, NoAuthority, authority, server
from tests.broker.certificates.folder import NOON, a_key


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


def test_two_programs_at_once_lose_nothing(directory: Path) -> None:
    with ThreadPoolExecutor(10) as pool:
        for number in range(20):
            pool.submit(certificates.issue, directory, f"lamp{number}", a_key(), now=NOON)

    assert len(certificates.given(directory)) == 20
