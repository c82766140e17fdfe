"""Devices as a list: what is shown of each, without the long words that it once said of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session

from controller.services import pages
from controller.services.actors import Actor, Role
from controller.services.devices.status import DeviceStatus
from controller.services.pages import Order, Page
from controller.store.tables import METADATA

_DEVICES = METADATA.tables["devices"]
_ORDER = Order.of("devices", "devices", "device_id", rising=True)


class Listed(NamedTuple):
    """What a list shows of a device."""

    device_id: str
    name: str | None
    aliases: list[str]
    groups: list[str]
    area: str | None
    hostname: str | None
    os_type: str | None
    policy: str
    adopted_at: datetime | None
    public_key: str | None
    status: str
    status_reason: str | None
    suspended_until: datetime | None
    last_seen_at: datetime | None
    last_heartbeat: datetime | None
    clock_skew_s: float | None


_SHOWN = [_DEVICES.c[name] for name in Listed._fields]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices; None: whichever. `text` stands somewhere in the id, a name or the host's."""

    status: DeviceStatus | None = None
    group: str | None = None
    area: str | None = None
    text: str | None = None


def listed(
    session: Session,
    wanted: Wanted | None = None,
    *,
    actor: Actor,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Listed]:
    """The devices that somebody sees, by id; in one statement.

    Raises:
        InvalidCursor: it is none of this list.
    """
    wanted = wanted or Wanted()
    query = select(*_SHOWN).order_by(*_ORDER.words)
    if wanted.status is not None:
        query = query.where(_DEVICES.c.status == wanted.status.value)
    if wanted.area is not None:
        query = query.where(_DEVICES.c.area == wanted.area)
    if cursor is not None:
        query = query.where(_ORDER.behind(cursor))
    fits = _picked(wanted, actor)
    if fits is None and limit is not None:
        query = query.limit(limit + 1)
    found: list[Listed] = []
    with session.execute(query) as rows:
        for row in map(Listed._make, rows):
            if fits is None or fits(row):
                found.append(row)
            if limit is not None and len(found) > limit:
                break
    return pages.cut(found, _ORDER, limit=limit)


def _picked(wanted: Wanted, actor: Actor) -> Callable[[Listed], bool] | None:
    """What the database cannot tell of a row in words that both kinds understand; None: nothing."""
    group, text = wanted.group, None if wanted.text is None else wanted.text.casefold()
    if actor.sees_all and group is None and text is None:
        return None

    def fits(row: Listed) -> bool:
        if group is not None and group not in row.groups:
            return False
        if text is not None and not any(text in said.casefold() for said in _words(row)):
            return False
        return actor.sees_all or actor.role_on(row.device_id, row.groups) is not Role.GUEST

    return fits


def _words(row: Listed) -> list[str]:
    return [each for each in (row.device_id, row.name, row.hostname, *row.aliases) if each]
