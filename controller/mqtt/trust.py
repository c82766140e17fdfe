"""Who signs: a message in an enrolled device's name is believed only with that device's signature.

Looked at before anything else is made of a message. Devices of third parties do not sign;
an installation may refuse them.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from broker.session import Received
from controller.services import devices
from controller.store.notices import KeyChanged, Notice, PlaceGone
from controller.store.store import Store
from schemas.signing import BadSignature, Verifier
from schemas.topics import Address, Kind

SIGNED = frozenset({Kind.PROFILE, Kind.EVENT, Kind.REPLY})
OF_DEVICES = SIGNED | {Kind.PRESENCE, Kind.HEARTBEAT}
UNSIGNED = "it does not sign, and such devices are forbidden here (ORION_ALLOW_UNSIGNED)"


class Trust:
    """The keys of all devices, in memory; kept up by what the store announces."""

    def __init__(self, store: Store, *, allow_unsigned: bool, now: Callable[[], datetime]) -> None:
        self._store = store
        self._allow_unsigned = allow_unsigned
        self._now = now
        self._verifiers: dict[str, Verifier | None] = {}  # of every device that has a place here
        self._told: dict[tuple[str, Kind], str] = {}

    async def load(self) -> None:
        """At start: learn every device's key."""
        for device_id, public_key in (await self._store.ask(devices.public_keys)).items():
            self._learn(device_id, public_key)

    def hear(self, notice: Notice) -> None:
        """A device was added, enrolled, revoked or removed."""
        match notice:
            case KeyChanged(device_id, public_key):
                self._learn(device_id, public_key)
            case PlaceGone(device_id):
                self._verifiers.pop(device_id, None)

    def fault(self, address: Address, message: Received) -> str | None:
        """Why this message is not its device's word; None: nothing speaks against it.

        What somebody forged is noted for a person, once an hour and kind.
        """
        if address.kind not in OF_DEVICES or address.owner not in self._verifiers:
            return None
        verifier = self._verifiers[address.owner]
        if verifier is None:
            return None if self._allow_unsigned else UNSIGNED
        if address.kind not in SIGNED or not message.payload:
            return None
        try:
            verifier.check(message.topic, message.payload, message.user_properties)
        except BadSignature as bad:
            self._note(address, bad.reason)
            return bad.reason
        return None

    def _learn(self, device_id: str, public_key: str | None) -> None:
        self._verifiers[device_id] = None if public_key is None else Verifier.of([public_key])

    def _note(self, address: Address, reason: str) -> None:
        now = self._now()
        hour = f"{now:%Y-%m-%dT%H}"
        if self._told.get((address.owner, address.kind)) == hour:
            return
        self._told[address.owner, address.kind] = hour  # as many as there are devices and kinds
        note = partial(
            devices.note_forgery, device_id=address.owner, kind=address.kind.value, reason=reason, now=now
        )
        self._store.write_soon(note)
