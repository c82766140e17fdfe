"""What can go wrong with the broker's certificates.

* CertificateError
  - NoAuthority
"""

from pathlib import Path


class CertificateError(Exception):
    """A certificate cannot be made or read; the message is a sentence for a person."""


class NoAuthority(CertificateError):
    """This broker has made no certificates yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not there: the broker makes its certificate authority when it first starts "
            "with an encrypted listener (ORION_MQTT_TLS_PORT)."
        )
        self.path = path
