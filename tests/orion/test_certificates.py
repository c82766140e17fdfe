"""A device with a client certificate needs no password, and is out once it is revoked or removed."""

import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tests.orion.installation import Installation, running
from tests.ports import free_port


def a_request(folder: Path) -> Path:
    """A key and its signing request, as a device's maker would make them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever it says")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "lamp.key").write_bytes(pem)
    path = folder / "lamp.csr"
    path.write_bytes(request.public_bytes(serialization.Encoding.PEM))
    return path


def says(folder: Path, port: int, topic: str) -> bool:
    """Whether mosquitto_pub gets something published with the certificate."""
    words = [
        "mosquitto_pub",
        "-V",
        "5",
        "-q",
        "1",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-m",
        "{}",
        "-t",
        topic,
    ]
    words += ["--cafile", str(folder / "ca.pem"), "--cert", str(folder / "lamp.pem")]
    words += ["--key", str(folder / "lamp.key")]
    said = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    return said.returncode == 0 and "warning" not in said.stderr.lower()


def test_a_certificate_stands_in_for_a_password_until_the_device_goes(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, "--no-node", ORION_MQTT_CERT_PORT=str(port)) as installation:
        installation.data("devices", "add", "lamp")
        made = installation.data("devices", "certificate", "lamp", str(a_request(tmp_path)))
        (tmp_path / "lamp.pem").write_text(made["certificate"])
        (tmp_path / "ca.pem").write_text(made["ca"])
        assert made["port"] == port
        assert says(tmp_path, port, "orion/v1/devices/lamp/event")
        assert not says(tmp_path, port, "orion/v1/devices/another/event")

        (tmp_path / "bad.csr").write_text("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n")
        refused = installation.data("devices", "certificate", "lamp", str(tmp_path / "bad.csr"), exit_code=2)
        assert "no certificate signing request" in refused["error"]["message"]

        installation.data("devices", "revoke", "lamp", "--yes")
        again = installation.data("devices", "certificate", "lamp", str(tmp_path / "lamp.csr"), exit_code=1)
        assert "orion devices rotate lamp" in again["error"]["message"]
        assert not says(tmp_path, port, "orion/v1/devices/lamp/event")

        installation.data("devices", "remove", "lamp", "--yes")

        assert not says(tmp_path, port, "orion/v1/devices/lamp/event")


def test_where_certificates_let_nobody_in_the_setting_is_named(
    tmp_path: Path, installation: Installation
) -> None:
    request = str(a_request(tmp_path))
    refused = installation.data("devices", "certificate", "laptop", request, exit_code=1)
    assert "ORION_MQTT_CERT_PORT" in refused["error"]["message"]
