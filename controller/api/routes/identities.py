"""Identities at the broker: taken away, or with another password."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from broker.identities import KEPT, NameTaken, UnknownIdentity
from broker.rights import DEVICES, Role
from controller.api import views
from controller.api.deps import Asking, Controller
from controller.api.routes.devices import DeviceIdPath
from controller.api.routes.users import UsernamePath
from controller.errors import Conflict, Refused
from controller.services import audit, revocation

router = APIRouter(tags=["devices"])


@router.post("/devices/{device_id}/revoke")
async def revoke(controller: Controller, actor: Asking, device_id: DeviceIdPath) -> dict[str, Any]:
    """Let a device in no more: its session and its rights end, its place stays.

    Can be repeated, also after a part of it failed.

    Raises:
        Conflict: this broker's names are made elsewhere.
    """
    if controller.administration is None:
        raise Conflict(
            "This broker is administered elsewhere: take the device's name away there. "
            f"To take its place away as well: orion devices remove {device_id}"
        )
    # what comes of it until the broker has acted is not believed any more
    row = await controller.store.write(
        lambda session: revocation.revoke(session, device_id, actor=actor, now=datetime.now(UTC))
    )
    with suppress(UnknownIdentity, NameTaken):  # it was revoked before; who has its name now is no device
        await controller.administration.remove(device_id, among=DEVICES)
    if row.boot_id is not None:
        controller.devices_door.say_revoked(device_id, row.boot_id)
    return views.device(row)


@router.post("/devices/{device_id}/rotate")
async def rotate(controller: Controller, actor: Asking, device_id: DeviceIdPath) -> dict[str, Any]:
    """Replace a device's password; the new one is said here and never again. Its session ends.

    A device that was revoked is let in again with it.

    Raises:
        Conflict: this broker's passwords are made elsewhere.
        Refused: it would not be believed, since it does not sign.
    """
    row = await controller.store.read(lambda session: revocation.check_rotation(session, device_id))
    if controller.administration is None:
        raise Conflict("This broker is administered elsewhere; change the password there.")
    if row.public_key is None and not controller.settings.allow_unsigned:
        raise Refused(
            "Devices that do not sign are forbidden here (ORION_ALLOW_UNSIGNED). "
            f"One of ours joins with a code: orion devices invite {device_id}"
        )
    try:
        password = await controller.administration.rotate(device_id, among=DEVICES)
    except UnknownIdentity:
        password = await controller.administration.add_device(device_id)
    row = await controller.store.write(
        lambda session: revocation.note_rotation(session, device_id, actor=actor, now=datetime.now(UTC))
    )
    return views.device(row) | {"mqtt": views.connection(controller.settings, device_id, password)}


@router.get("/identities")
async def listed(controller: Controller, _actor: Asking) -> dict[str, Any]:
    """Everybody who has a name at the broker."""
    everybody = {} if controller.administration is None else await controller.administration.all()
    return {"items": [{"username": name, "role": role.value} for name, role in everybody.items()]}


@router.post("/identities/{username}/rotate")
async def rotate_own(controller: Controller, actor: Asking, username: UsernamePath) -> dict[str, Any]:
    """Replace a password that Orion's own programs use; nothing that is sent to them is lost.

    On our broker nobody needs to be told: each program reads it where it is kept. Another broker's
    is said here once, for the setting `mqtt_url`.

    Raises:
        Conflict: it is a device's or user's, or this broker's passwords are made elsewhere.
    """
    if controller.administration is None:
        raise Conflict("This broker is administered elsewhere; change the password there.")
    role = (await controller.administration.all()).get(username)
    if role is None:
        raise UnknownIdentity(username)
    if role not in KEPT:
        noun = "devices" if role is Role.DEVICE else "users"
        raise Conflict(f"{username!r} has a password of its own: orion {noun} rotate {username}")
    password = await controller.administration.rotate(username)
    await controller.store.write(
        lambda session: audit.record(
            session, "identity.rotated", now=datetime.now(UTC), actor=actor, detail={"username": username}
        )
    )
    shown: dict[str, Any] = {"username": username, "role": role.value}
    if controller.settings.administrator is None:
        return shown
    if username == controller.settings.endpoint.username:
        controller.devices_door.use(password)
    return shown | {"password": password}
