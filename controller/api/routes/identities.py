"""Identities at the broker: taken away, or with another password."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from broker.identities import KEPT, IdentityError, NameTaken, NotWritten, UnknownIdentity
from broker.rights import DEVICES, Role
from controller.api import routing, shapes, views
from controller.api.deps import Administering, Controller, Entrusting
from controller.api.routes.devices import DeviceIdPath
from controller.api.routes.users import UsernamePath
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.errors import Conflict, Incomplete, Refused
from controller.services import audit, devices, revocation
from controller.store.store import StoreFailed

router = routing.router("devices")


@router.post("/devices/{device_id}/revoke", responses=refusals(404, 409))
async def revoke(
    controller: Controller, actor: Administering, device_id: DeviceIdPath
) -> Annotated[Json, Shown(shapes.DeviceRevoked)]:
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
    unrecorded: StoreFailed | None = None
    try:
        # what comes of it until the broker has acted is not believed any more
        row = await controller.store.write(
            lambda session: revocation.revoke(session, device_id, actor=actor, now=datetime.now(UTC))
        )
    except StoreFailed as error:
        # no room for a record is no reason to leave it in
        row = await controller.store.ask(lambda session: devices.get(session, device_id))
        unrecorded = error
    try:
        with suppress(UnknownIdentity, NameTaken):  # it was revoked before; who has its name now is no device
            await controller.administration.remove(device_id, among=DEVICES)
    except IdentityError as error:
        raise _not_out(device_id, error, unrecorded) from error
    if row.boot_id is not None:
        controller.devices_door.say_revoked(device_id, row.boot_id)
    if unrecorded is not None:
        raise Incomplete(
            f"{device_id} is out: its session and its rights at the broker have ended. That is not recorded: "
            f"{unrecorded.said} Until it is, a join code for it still holds, and what waits for it is kept. "
            f"Make room, then revoke it once more so that it is recorded: orion devices revoke {device_id}"
        ) from unrecorded
    return views.device(row) | {"can_join": bool(controller.settings.join_port)}


def _not_out(device_id: str, error: IdentityError, unrecorded: StoreFailed | None) -> Incomplete:
    """What is to be done about a device that the broker still lets in, or may."""
    recorded = (
        "It is recorded as revoked, so the controller believes nothing of it and sends it nothing."
        if unrecorded is None
        else f"Nor is it recorded: {unrecorded.said}"
    )
    if not isinstance(error, NotWritten):
        again = f"Revoke it once more when that is mended: orion devices revoke {device_id}"
        return Incomplete(f"{device_id} may still be let in: {error} {recorded} {again}")
    return Incomplete(
        f"{device_id} is NOT out: {error.said}, so its session goes on and its password still opens the broker. "
        f"{recorded} Make room at once, then revoke it once more: orion devices revoke {device_id}. "
        "If that takes a while, stop the broker until then: nobody is let in meanwhile."
    )


@router.post("/devices/{device_id}/rotate", responses=refusals(404, 409))
async def rotate(
    controller: Controller, actor: Entrusting, device_id: DeviceIdPath
) -> Annotated[Json, Shown(shapes.DeviceRotated)]:
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
    try:
        row = await controller.store.write(
            lambda session: revocation.note_rotation(session, device_id, actor=actor, now=datetime.now(UTC))
        )
    except StoreFailed as error:
        raise _unsaid(device_id, error, "devices") from error
    return views.device(row) | {"mqtt": views.connection(controller.settings, device_id, password)}


@router.get("/identities", tags=["system"])
async def listed(controller: Controller, _actor: Administering) -> Annotated[Json, Shown(shapes.Identities)]:
    """Everybody who has a name at the broker."""
    everybody = {} if controller.administration is None else await controller.administration.all()
    return {"items": [{"username": name, "role": role.value} for name, role in everybody.items()]}


@router.post("/identities/{username}/rotate", tags=["system"], responses=refusals(404, 409))
async def rotate_own(
    controller: Controller, actor: Entrusting, username: UsernamePath
) -> Annotated[Json, Shown(shapes.IdentityRotated)]:
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
    if controller.settings.administrator is not None and username == controller.settings.endpoint.username:
        controller.devices_door.use(password)
    try:
        await controller.store.write(
            lambda session: audit.record(
                session, "identity.rotated", now=datetime.now(UTC), actor=actor, detail={"username": username}
            )
        )
    except StoreFailed as error:
        raise _unsaid(username, error, "identities") from error
    shown: dict[str, Any] = {"username": username, "role": role.value}
    return shown if controller.settings.administrator is None else shown | {"password": password}


def _unsaid(username: str, error: StoreFailed, noun: str) -> Incomplete:
    """What became of a password that was replaced and could not be recorded."""
    return Incomplete(
        f"The old password of {username} counts no more, and the new one is not said, since that cannot be "
        f"recorded: {error.said} Make room, then rotate it once more: orion {noun} rotate {username}"
    )
