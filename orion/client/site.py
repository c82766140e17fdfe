"""Where the controller is asked, and how its connections are made."""

import http.client
import ssl
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from orion.client.errors import ClientError, Unproven

HTTP, HTTPS = 80, 443


class Connection(http.client.HTTPConnection):
    """One that is not opened anew by itself: whoever answers then has proved nothing."""

    auto_open = 0


class TlsConnection(http.client.HTTPSConnection):
    """The same by TLS."""

    auto_open = 0


@dataclass(frozen=True)
class Site:
    """A host and a port. `origin`: how it is called by TLS; empty without. `ca`: who has signed, if not the system's."""

    host: str
    port: int
    origin: str = ""
    ca: Path | None = None
    setting: str = "ORION_HTTP_HOST and ORION_HTTP_PORT"

    @classmethod
    def at(cls, url: str, ca: Path | None) -> "Site":
        """As ORION_URL names it."""
        parts = urlsplit(url)
        encrypted = parts.scheme == "https"
        port = parts.port or (HTTPS if encrypted else HTTP)
        return cls(parts.hostname or "", port, url.lower() if encrypted else "", ca, "ORION_URL")

    @property
    def shown(self) -> str:
        """For people."""
        return self.origin or f"{self.host}:{self.port}"

    @cached_property
    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # of TLS as well
            reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ClientError(f"The authority {self.ca} (ORION_URL_CA) cannot be used: {reason}.") from error

    def connected(self, timeout: float) -> http.client.HTTPConnection:
        """An open connection. Over TLS its other end has shown a certificate for this host.

        Raises:
            Unproven: it has none that is trusted here, or speaks no TLS.
            OSError: nobody is there.
        """
        connection: http.client.HTTPConnection
        if self.origin:
            connection = TlsConnection(self.host, self.port, timeout=timeout, context=self._context)
        else:
            connection = Connection(self.host, self.port, timeout=timeout)
        try:
            with ExitStack() as undone:
                undone.callback(connection.close)
                connection.connect()
                undone.pop_all()
        except ssl.SSLCertVerificationError as error:
            raise Unproven(
                f"The certificate of {self.shown} is not trusted ({error.verify_message}), and nothing was sent. "
                "Use the name that it is for; the authority that signed it is named by ORION_URL_CA, a PEM file."
            ) from error
        except ssl.SSLError as error:
            raise Unproven(
                f"{self.shown} does not speak TLS as it should ({error.reason}), and nothing was sent. See ORION_URL."
            ) from error
        return connection
