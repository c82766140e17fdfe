"""How devices get in: a code for one that joins, a key for one that whoever asks has at hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, Field, StrictBool

from broker.administration import Administration
from broker.identities import NameTaken
from broker.rights import DEVICES
from controller.api import routing, shapes
from controller.api.deps import Controller, Entrusting
from controller.api.routes.devices import DeviceIdPath, Names, place, usable_key
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.errors import Conflict
from controller.services import devices, invitations
from controller.store import authority
from controller.store.store import Session
from schemas.joining import username
from schemas.wire import format_instant

router = routing.router("devices", below="/devices")

LONGEST = timedelta(days=7)


class Invitation(Names):
    """What the device's place is to be like, if it has none, and how long the code is good."""

    model_config = asked({"name": "Workshop", "groups": ["workshop"], "valid_s": 900.0})

    valid_s: Annotated[float, Field(ge=10, le=LONGEST.total_seconds(), strict=True)] = 900.0
    adopt: StrictBool = False  # accept the tools of its first profile without a look


class Enrolment(BaseModel):
    """A device's public key, Ed25519 in base64url."""

    model_config = asked({"public_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"})

    public_key: Annotated[str, Field(max_length=64)]


@router.post("/{device_id}/invite", status_code=201, responses=refusals(404, 409))
async def invite(
    controller: Controller, actor: Entrusting, device_id: DeviceIdPath, wanted: Invitation
) -> Annotated[Json, Shown(shapes.Invited)]:
    """Make a join code; it is said here and never again. An earlier one for the device is void."""
    administration = _administration(controller)
    settings = controller.settings
    if not settings.join_port:
        raise Conflict(
            "Nobody can join: the broker has no encrypted listener (ORION_MQTT_TLS_PORT)."
            if settings.administrator is None
            else "Nobody can join: this controller reaches its broker without TLS. Where that broker has an encrypted "
            "listener, name it with mqtts:// in ORION_MQTT_URL; otherwise: orion devices add"
        )
    ca = await asyncio.to_thread(authority.read, settings.ca_path)
    new = place(wanted, device_id, adopt=wanted.adopt)
    valid = timedelta(seconds=wanted.valid_s)

    def work(session: Session) -> invitations.Invited:
        now = datetime.now(UTC)
        return invitations.invite(session, new, ca=ca.fingerprint, valid=valid, actor=actor, now=now)

    made = await controller.store.write(work)
    await administration.add_joining(made.code.invite_id, made.code.password)
    return {
        "device_id": device_id,
        "code": made.code.text,
        "expires_at": format_instant(made.expires_at),
        "port": settings.join_port,
        "prefix": settings.prefix,
        "broker_user": username(made.code.invite_id),
    }


@router.post("/{device_id}/enrol", responses=refusals(404, 409))
async def enrol(
    controller: Controller, actor: Entrusting, device_id: DeviceIdPath, wanted: Enrolment
) -> Annotated[Json, Shown(shapes.Enrolled)]:
    """Take in a device's key at once, with a new password: for whoever has the device at hand."""
    administration = controller.administration
    key = usable_key(wanted.public_key)

    def work(session: Session) -> None:
        devices.enrol(session, device_id, key, actor=actor, now=datetime.now(UTC))

    await controller.store.read(lambda session: devices.check_enrolment(session, device_id))
    password = None
    if administration is not None:
        try:
            password = await administration.add_device(device_id)
        except NameTaken:
            password = await administration.rotate(device_id, among=DEVICES)
    await controller.store.write(work)  # not before: a name that the broker refuses leaves all as it was
    keys = [key.to_json() for key in controller.keyring.keys]
    return {"device_id": device_id, "password": password, "keys": keys}


def _administration(controller: Controller) -> Administration:
    if controller.administration is None:
        raise Conflict(
            "The broker is administered elsewhere: set ORION_MQTT_ADMIN_USER, or make the device's user there."
        )
    return controller.administration
