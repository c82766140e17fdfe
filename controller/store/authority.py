"""The certificate authority of the broker, as devices are told of it when they join."""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from controller.errors import Conflict
from schemas.joining import NO_CA


@dataclass(frozen=True, slots=True)
class Authority:
    """`pem` is empty where the system's own authorities vouch for the broker."""

    pem: str
    fingerprint: bytes  # SHA-256 of the certificate in DER


def read(path: Path | None) -> Authority:
    """Who vouches for the broker. Blocks.

    Raises:
        Conflict: the file is not there or holds no certificate.
    """
    if path is None:
        return Authority("", NO_CA)
    try:
        made = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise Conflict(
            f"The broker's CA {path} cannot be read: {error.strerror}. Start the broker first."
        ) from error
    except ValueError as error:
        raise Conflict(f"{path} holds no certificate.") from error
    return Authority(made.public_bytes(Encoding.PEM).decode(), made.fingerprint(SHA256()))
