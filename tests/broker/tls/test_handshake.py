"""TLS 1.2 and 1.3 are taken, less is refused, and strict verifiers are content."""

import asyncio
import ssl

import pytest

from tests.broker.encrypted import EncryptedBroker, handshake


def only(version: ssl.TLSVersion, base: ssl.SSLContext) -> ssl.SSLContext:
    if version < ssl.TLSVersion.TLSv1_2:
        base.set_ciphers("ALL:@SECLEVEL=0")  # our own side must not be what refuses
    base.minimum_version = base.maximum_version = version
    return base


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_modern_tls_is_taken(secure: EncryptedBroker, version: ssl.TLSVersion) -> None:
    def shake() -> str | None:
        with handshake(secure.tls_port, only(version, secure.context())) as connection:
            return connection.version()

    assert (await asyncio.to_thread(shake) or "").replace(".", "_") == version.name


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("port", ["tls_port", "cert_port"])
async def test_tls_1_1_is_refused(secure: EncryptedBroker, port: str) -> None:
    def shake() -> None:
        with handshake(getattr(secure, port), only(ssl.TLSVersion.TLSv1_1, secure.context())):
            pass

    # the server says so: it is not this side that lacks the version
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        await asyncio.to_thread(shake)


async def test_strict_verifiers_are_content(secure: EncryptedBroker) -> None:
    context = secure.context()
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 asks for by itself

    def shake() -> str | None:
        with handshake(secure.tls_port, context) as connection:
            return connection.version()

    assert await asyncio.to_thread(shake)
