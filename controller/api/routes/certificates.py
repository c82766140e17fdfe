"""Client certificates: a device with one is let in without a password, on a listener of its own."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from cryptography import x509
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from broker import certificates
from controller.api.deps import Asking, Controller
from controller.api.routes.devices import DeviceIdPath
from controller.errors import Conflict, InvalidArguments
from controller.services import audit, devices
from controller.store.store import Session

router = APIRouter(prefix="/devices", tags=["devices"])

MAX_REQUEST = 16_384  # characters


class Request(BaseModel):
    """A certificate signing request in PEM. Only its key is used: the name is the device's id."""

    model_config = ConfigDict(extra="forbid")

    csr: Annotated[str, Field(max_length=MAX_REQUEST)]


@router.post("/{device_id}/certificate", status_code=201)
async def issue(
    controller: Controller, actor: Asking, device_id: DeviceIdPath, wanted: Request
) -> dict[str, Any]:
    """Give a device a certificate for its key. Earlier ones hold until the device is revoked or removed."""
    directory, port = controller.settings.identities_dir, controller.settings.cert_port
    if directory is None or not port:
        raise Conflict("The broker lets nobody in by certificate: set ORION_MQTT_CERT_PORT and restart it.")
    try:
        request = x509.load_pem_x509_csr(wanted.csr.encode())
    except ValueError as error:
        raise InvalidArguments("That is no certificate signing request in PEM.") from error
    await controller.store.read(lambda session: devices.get(session, device_id))
    try:
        made = await asyncio.to_thread(
            partial(certificates.issue, directory, device_id, request, now=datetime.now(UTC))
        )
    except certificates.CertificateError as error:
        raise InvalidArguments(f"{error}") from error

    def note(session: Session) -> None:
        audit.record(session, "device.certified", now=datetime.now(UTC), actor=actor, device_id=device_id)

    await controller.store.write(note)
    ca = await asyncio.to_thread(certificates.ca_pem, directory)
    return {"device_id": device_id, "certificate": made, "ca": ca, "port": port}
