"""Letting `orion` in by a code that somebody types in a browser elsewhere (RFC 8628)."""

import platform
import re
import time
from dataclasses import dataclass, field

from orion.client import Client, ClientError, Json, NoAnswer, NotRunning, Refused
from orion.exits import Exit

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5.0  # seconds more between two looks, where we were told that we look too often


@dataclass
class Waiting:
    """A code that waits for an answer."""

    address: str
    code: str
    minutes: int
    _client: Client = field(repr=False)
    _form: dict[str, str] = field(repr=False)
    _every_s: float
    _until: float

    def grant(self) -> Json:
        """What somebody's yes has granted. Waits, also for a controller that is started again meanwhile.

        Raises:
            ClientError: they said no, or nobody answered in time.
        """
        while True:
            time.sleep(self._every_s)
            try:
                return self._client.form("/auth/token", self._form)
            except Refused as refused:
                if refused.error == "slow_down":
                    self._every_s += SLOWER
                elif refused.error != "authorization_pending":
                    raise
            except (NotRunning, NoAnswer):
                if time.monotonic() >= self._until:
                    raise
            if time.monotonic() >= self._until:
                raise ClientError("Nobody said yes in time.", code="expired", exit_code=Exit.DENIED)


def begin(client: Client) -> Waiting:
    """Ask for a code."""
    name = f"orion command line on {re.sub('[^ -~]', '?', platform.node()) or 'a computer'}"[:64]
    begun = client.form("/auth/device", {"client_id": name})
    form = {"grant_type": GRANT, "device_code": str(begun["device_code"]), "client_id": name}
    lives = float(begun["expires_in"])
    return Waiting(
        str(begun["verification_uri"]),
        str(begun["user_code"]),
        round(lives / 60),
        client,
        form,
        float(begun.get("interval", 5)),
        time.monotonic() + lives,
    )
