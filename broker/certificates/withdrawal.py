"""Taking a device's certificates out of force, for good or for a while, and its session with them.

When one of these returns, the running Mosquitto has read the new list and the session is gone:
both are seen by real handshakes, not taken for granted.
"""

import asyncio
from datetime import datetime
from pathlib import Path

from broker.certificates import authority, clients, sessions
from broker.certificates.errors import NoAuthority
from broker.certificates.sessions import Pass

WITHIN = 2.0  # seconds
_GOOD, _HELD, _REVOKED = "good", "held", "revoked"


async def revoke(directory: Path, device_id: str, *, now: datetime, within_s: float = WITHIN) -> bool:
    """Take all certificates of a device out of force for good; False when it has none.

    Its session ends, with the messages that wait for it. Its password, if it has one, is
    another matter: see `Identities.remove`.

    Raises:
        ConnectFailed: the broker did not act in time. The list is written all the same, and
            holds from Mosquitto's next reload or start.
    """
    return await _withdraw(
        directory, device_id, frozenset({_GOOD, _HELD}), _REVOKED, now=now, within_s=within_s
    )


async def hold(directory: Path, device_id: str, *, now: datetime, within_s: float = WITHIN) -> bool:
    """Take them out of force until `release`. The session ends; what waits for it stays."""
    return await _withdraw(directory, device_id, frozenset({_GOOD}), _HELD, now=now, within_s=within_s)


async def release(directory: Path, device_id: str, *, now: datetime, within_s: float = WITHIN) -> bool:
    """Let a device in again whose certificates are on hold; False when none are."""
    listed = await asyncio.to_thread(_change, directory, device_id, frozenset({_HELD}), _GOOD, now)
    if listed is None:
        return False
    await sessions.await_list(directory, listed, within_s=within_s)
    return True


async def _withdraw(
    directory: Path, device_id: str, before: frozenset[str], after: str, *, now: datetime, within_s: float
) -> bool:
    listed = await asyncio.to_thread(_change, directory, device_id, before, after, now)
    if listed is None:
        return False
    if await sessions.await_list(directory, listed, within_s=within_s):
        # in this order: whoever is put out cannot come back
        await sessions.end_session(directory, device_id, now=now, forget=after == _REVOKED, within_s=within_s)
    return True


def _change(
    directory: Path, device_id: str, before: frozenset[str], after: str, now: datetime
) -> Pass | None:
    """Write the new list; a pass of our own that is on it, or None when there is nothing to change."""
    with authority.locked(directory):
        try:
            signer = authority.load(directory)
        except NoAuthority:
            return None
        listed = sessions.make_pass(signer, device_id, now=now)
        if not clients.change(directory, device_id, before=before, after=after, also=listed.serial):
            return None
        clients.ensure_list(directory, signer, now=now)
        return listed
