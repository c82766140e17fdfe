"""Client certificates: a device with one is let in without a password, on a listener of its own."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from cryptography import x509
from pydantic import BaseModel, Field

from broker import certificates
from broker.rights import DEVICES
from controller.api import routing, shapes
from controller.api.deps import Controller, Entrusting
from controller.api.routes.devices import DeviceIdPath
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.errors import AlreadyExists, Conflict, InvalidArguments, NotFound
from controller.services import audit, devices, names
from controller.store.store import Session

router = routing.router("devices", below="/devices")

MAX_REQUEST = 16_384  # characters


class CertificateWanted(BaseModel):
    """A certificate signing request in PEM. Only its key is used: the name is the device's id."""

    model_config = asked({"csr": "-----BEGIN CERTIFICATE REQUEST-----\n…"})

    csr: Annotated[str, Field(max_length=MAX_REQUEST)]


@router.post("/{device_id}/certificate", status_code=201, responses=refusals(404, 409))
async def issue(
    controller: Controller, actor: Entrusting, device_id: DeviceIdPath, wanted: CertificateWanted
) -> Annotated[Json, Shown(shapes.Certified)]:
    """Give a device a certificate for its key. Earlier ones hold until the device is revoked or removed."""
    directory, port = controller.settings.identities_dir, controller.settings.cert_port
    if directory is None or not port:
        raise Conflict("The broker lets nobody in by certificate: set ORION_MQTT_CERT_PORT and restart it.")
    try:
        request = x509.load_pem_x509_csr(wanted.csr.encode())
    except ValueError as error:
        raise InvalidArguments("That is no certificate signing request in PEM.") from error
    await controller.store.read(lambda session: _check(session, device_id))
    if controller.administration is not None:
        role = (await controller.administration.all()).get(device_id)
        if role is not None and role not in DEVICES:  # the name in a certificate is all that the broker asks
            raise AlreadyExists(f"{device_id!r} is the name of a user or of a part of Orion at the broker.")
    try:
        made = await asyncio.to_thread(
            partial(certificates.issue, directory, device_id, request, now=datetime.now(UTC))
        )
    except certificates.CertificateError as error:
        raise InvalidArguments(f"{error}") from error

    def note(session: Session) -> None:
        _check(session, device_id)
        audit.record(session, "device.certified", now=datetime.now(UTC), actor=actor, device_id=device_id)

    try:
        await controller.store.write(note)
    except (NotFound, Conflict):  # the device went or was revoked meanwhile, and this came after
        await certificates.revoke(directory, device_id, now=datetime.now(UTC))
        raise
    ca = await asyncio.to_thread(certificates.ca_pem, directory)
    return {"device_id": device_id, "certificate": made, "ca": ca, "port": port}


def _check(session: Session, device_id: str) -> None:
    row = devices.get(session, device_id)
    names.check_device(session, device_id)
    if devices.is_revoked(row):
        raise Conflict(
            f"{device_id!r} is revoked. Let it in again first: orion devices rotate {device_id}, or orion devices "
            f"invite {device_id}."
        )
