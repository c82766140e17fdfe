"""Client certificates that are asked for: who gets one, and what an earlier one is left as."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from broker import certificates, config
from tests.controller.api.conftest import Api
from tests.controller.store.read_only import set_read_only

PATH = "devices/laptop/certificate"


def a_request() -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    return {"csr": made.public_bytes(serialization.Encoding.PEM).decode()}


def is_revoked(directory: Path, pem: str) -> bool:
    serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
    listed = x509.load_pem_x509_crl((directory / config.REVOKED).read_bytes())
    return listed.get_revoked_certificate_by_serial_number(serial) is not None


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    path = tmp_path / "broker"
    await asyncio.to_thread(certificates.ensure, path, ("localhost",), now=datetime.now(UTC))
    return path


async def test_a_certificate_that_cannot_be_noted_leaves_the_earlier_ones(
    api: Api, laptop: str, directory: Path
) -> None:
    earlier = (await api.http.post(PATH, json=a_request())).raise_for_status().json()["certificate"]
    await asyncio.to_thread(set_read_only, api.store, "ON")
    assert (await api.http.post(PATH, json=a_request())).status_code == 503
    await asyncio.to_thread(set_read_only, api.store, "OFF")
    assert not await asyncio.to_thread(is_revoked, directory, earlier)
