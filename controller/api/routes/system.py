"""The controller itself: is it well, and may somebody look over its shoulder."""

import asyncio
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from typing import Annotated, Any

from pydantic import BaseModel, StrictBool

from broker.administration import Administration
from broker.identities import IdentityError, UnknownIdentity
from broker.rights import Role
from controller.api import routing, shapes
from controller.api.deps import Administering, Asking, Controller, Entrusting
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.errors import Conflict
from controller.services import audit, devices, health
from controller.store import engine
from controller.store.store import Store, StoreBusy, StoreFailed
from schemas.ids import Username
from schemas.wire import format_instant

router = routing.router("system")

VERSION = metadata.version("orion-control-plane")  # read once: it is in a file


class NewDebugUser(BaseModel):
    """Somebody who may read every message and publish none."""

    model_config = asked({"username": "debug.user"})

    username: Username = "debug.user"


class Cleaning(BaseModel):
    """Whether to look only."""

    model_config = asked({"dry_run": True})

    dry_run: StrictBool = False


@router.get("/health")
async def well(controller: Controller) -> Annotated[Json, Shown(shapes.Health)]:
    """Whether the controller can do its work; needs no token and tells nothing else."""
    connected = controller.devices_door.connected
    return {"status": "ready" if connected else "degraded", "broker": "connected" if connected else "lost"}


@router.get("/system/version")
async def version(controller: Controller, _actor: Asking) -> Annotated[Json, Shown(shapes.Release)]:
    """Which release this is, which API it speaks, and which controller of an installation."""
    return {
        "version": VERSION,
        "api": routing.PREFIX.rpartition("/")[2],
        "instance": controller.settings.instance,
    }


@router.get("/system/database")
async def database(controller: Controller, _actor: Administering) -> Annotated[Json, Shown(shapes.Database)]:
    """Which database the controller works with, without the password."""
    return {"url": engine.shown(controller.store.url)}


@router.get("/system/doctor")
async def doctor(controller: Controller, _actor: Administering) -> Annotated[Json, Shown(shapes.Doctor)]:
    """What the controller knows of its own state; the command line adds the machine's side."""
    settings = controller.settings
    now = datetime.now(UTC)
    database = await _database(controller.store)
    ailing = None
    if "kind" in database:
        ailing = asdict(await controller.store.read(partial(devices.ailing, max_skew_s=settings.max_skew_s)))
    usage = await asyncio.to_thread(shutil.disk_usage, settings.data_dir)
    return {
        "instance": settings.instance,
        "at": format_instant(now),
        "broker": {
            "host": settings.endpoint.host,
            "port": settings.endpoint.port,
            "connected": controller.devices_door.connected,
            "administered": controller.administration is not None,
        },
        "identities": await _identities(controller.administration),
        "database": database,
        "devices": ailing,
        "disk_free_bytes": usage.free,
        "model": {
            "host": settings.model.shown_host,
            "name": settings.model.name,
            "trouble": await controller.assistant.trouble(),
        },
    }


async def _database(store: Store) -> dict[str, Any]:
    """What is known of the database. `trouble`: why it cannot be read, or takes no changes."""
    found: dict[str, Any] = {}
    try:
        found |= await store.read(health.database)
        await store.write(health.change)
    except (StoreFailed, StoreBusy) as error:
        found["trouble"] = str(error)
    return found


@router.post("/system/clean")
async def clean(
    controller: Controller, actor: Administering, wanted: Cleaning
) -> Annotated[Json, Shown(shapes.Cleaned)]:
    """Delete what is kept no longer, or say how much that would be."""
    if wanted.dry_run:
        return {"dry_run": True, "rows": await controller.cleaner.count()}
    return {"dry_run": False, "rows": await controller.cleaner.clean(actor=actor)}


async def _identities(administration: Administration | None) -> dict[str, Any]:
    """How many names the broker holds, how many it holds well, and what undoes them."""
    if administration is None:
        return {}
    try:
        return {
            "count": len(await administration.all()),
            "bound": administration.bound,
            "faults": await administration.faults(),
        }
    except IdentityError as error:
        return {"count": None, "bound": administration.bound, "faults": [str(error)]}


@router.post("/debug-users", status_code=201, responses=refusals(409))
async def add_debug_user(
    controller: Controller, actor: Entrusting, wanted: NewDebugUser
) -> Annotated[Json, Shown(shapes.DebugUser)]:
    """Let somebody subscribe to everything; the password is said here and never again."""
    if controller.administration is None:
        raise Conflict("This broker is administered elsewhere; make the user there.")
    password = await controller.administration.add_user(wanted.username, Role.DEBUG)
    endpoint = controller.settings.endpoint
    await _record(controller, actor, "debug_user.added", wanted.username)
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "username": wanted.username,
        "password": password,
        "topic": f"{controller.settings.prefix}/#",
    }


@router.delete("/debug-users/{username}", status_code=204, responses=refusals(404, 409))
async def remove_debug_user(controller: Controller, actor: Administering, username: str) -> None:
    """Take a debugging user away; other names are not touched."""
    if controller.administration is None:
        raise Conflict("This broker is administered elsewhere; remove the user there.")
    if (await controller.administration.all()).get(username) is not Role.DEBUG:
        raise UnknownIdentity(username)
    await controller.administration.remove(username, among=(Role.DEBUG,))
    await _record(controller, actor, "debug_user.removed", username)


async def _record(controller: Controller, actor: Administering, action: str, username: str) -> None:
    await controller.store.write(
        lambda session: audit.record(
            session, action, now=datetime.now(UTC), actor=actor, detail={"username": username}
        )
    )
