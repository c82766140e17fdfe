"""How our programs speak TLS: the broker is always verified, by name and by authority.

There is no way to turn that off, and nothing here or above it tries again without TLS.
"""

import errno
import ssl
from pathlib import Path


class _Socket(ssl.SSLSocket):
    """Does not stay open when it cannot be made: whoever began it has not got it yet."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # Making one reads once if the other side has reset the line already, and forgets to close.
        try:
            return super().recv(buflen, flags)
        except OSError as error:
            if self.version() is None and error.errno not in (errno.ENOTCONN, errno.EINVAL):
                self.close()
            raise

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in `ssl`
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


class Unusable(Exception):
    """What was given to verify with, or to be known by, cannot be used."""


def context(ca: str | None = None, *, identity: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, to a broker whose certificate is for its name and that `ca` signed.

    Args:
        ca: PEM of the only authority that is trusted; None is those of the system.
        identity: a file with key and certificate in PEM, to be known by at a broker that asks.

    Raises:
        Unusable: no certificate in `ca`, or no key and certificate in the file.
    """
    # An empty text would silently mean every authority of the system.
    if ca is not None and "BEGIN CERTIFICATE" not in ca:
        raise Unusable("there is no certificate in PEM")
    try:
        made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=ca)
    except ssl.SSLError as error:
        raise Unusable(f"the certificate cannot be read ({error.reason or error})") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = True
    made.verify_mode = ssl.CERT_REQUIRED
    made.sslsocket_class = _Socket
    if identity is not None:
        try:
            made.load_cert_chain(identity)
        except (OSError, ssl.SSLError) as error:
            raise Unusable(f"{identity} holds no key with its certificate") from error
    return made
