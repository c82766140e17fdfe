"""The lives of a device that are remembered: which `boot_id` last said `online`, and when.

A life that a later one followed is over. Its words may still arrive (QoS 1 repeats, a
broker that was killed brings old retained ones back), and they move nothing; only a
newer `online` of it is news: then two programs use one id.
"""

from datetime import datetime
from typing import Any

from controller.store.tables import Device
from schemas.devices import Presence, Profile
from schemas.wire import format_instant

KEPT = 8  # lives


def begin(row: Device, boot_id: str) -> None:
    """Make this the device's present life; figures of another one are not this one's."""
    if row.boot_id != boot_id:
        row.heartbeat = row.last_heartbeat = row.pulse = None
    row.boot_id = boot_id


def remember(row: Device, presence: Presence, *, hostname: str | None, now: datetime) -> None:
    """Note that a life said `online`, for the latest few lives."""
    before = said_online(row, presence.boot_id)
    at = presence.at if before is None else max(before, presence.at)
    life = {"at": at.isoformat(), "heard_at": format_instant(now), "hostname": hostname}
    lives: dict[str, Any] = {**(row.boots or {}), presence.boot_id: life}
    latest = sorted(lives, key=lambda boot_id: (lives[boot_id]["heard_at"], boot_id == presence.boot_id))
    row.boots = {boot_id: lives[boot_id] for boot_id in latest[-KEPT:]}


def said_online(row: Device, boot_id: str) -> datetime | None:
    """When that life last said `online`, by the device's clock; None: it is not remembered."""
    life = (row.boots or {}).get(boot_id)
    return datetime.fromisoformat(life["at"]) if life else None


def hostname(row: Device, boot_id: str) -> str | None:
    """What the computer of that life called itself."""
    life = (row.boots or {}).get(boot_id)
    return life["hostname"] if life else None


def is_repeated(row: Device, word: Presence | Profile) -> bool:
    """Whether a word of another life says nothing that is newer than what is known of that life."""
    known = said_online(row, word.boot_id)
    return word.boot_id != row.boot_id and known is not None and word.at <= known


def is_late_will(row: Device, profile: Profile | None, presence: Presence) -> bool:
    """Whether an `offline` speaks of an earlier life than the one that is known."""
    if row.boot_id is None or presence.boot_id == row.boot_id:
        return False
    # a device that died between its profile and its presence is known by the profile alone
    unborn = said_online(row, presence.boot_id) is None
    return not (unborn and profile is not None and presence.boot_id == profile.boot_id)
