"""Devices: prepare a place, look, adopt, change the policy, remove."""

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import to_json

from broker.identities import IdentityError, NameTaken, UnknownIdentity
from broker.rights import DEVICES
from controller.api import routing, shapes, views
from controller.api.deps import Administering, Asking, Controller, Entrusting
from controller.api.lately import Answer
from controller.api.paging import AnyLimit, Cursor, Filter, Pages
from controller.api.preconditions import Matching, tag
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals, versioned
from controller.api.shapes.shown import HASH, asked
from controller.errors import InvalidArguments, Refused
from controller.services import commands, devices, invitations, links, revisions
from controller.services.actors import Actor
from controller.services.policy import PolicyProfile
from controller.services.sight import Sight
from controller.store.store import Session
from controller.store.tables import Device
from schemas import signing
from schemas.ids import DeviceId, Label, ToolName

router = routing.router("devices", below="/devices")

DeviceIdPath = Annotated[DeviceId, Path()]
Texts = Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(max_length=100)]


class Names(BaseModel):
    """What a device is called and what is allowed on it; a list that is null does not narrow."""

    model_config = ConfigDict(extra="forbid")

    name: Label | None = None
    aliases: Annotated[list[Label], Field(max_length=20)] | None = None
    groups: Annotated[list[Label], Field(max_length=20)] | None = None
    area: Label | None = None
    policy: PolicyProfile | None = None
    allowed_tools: Annotated[list[ToolName], Field(max_length=200)] | None = None
    allowed_paths: Texts | None = None
    allowed_apps: Texts | None = None


class NewDevice(Names):
    """A place to prepare. With `public_key` (Ed25519, base64url) the device is enrolled at once."""

    model_config = asked(
        {
            "device_id": "workshop-pc",
            "name": "Workshop",
            "groups": ["workshop"],
            "allowed_paths": ["/srv/files"],
        }
    )

    device_id: DeviceId
    public_key: Annotated[str, Field(max_length=64)] | None = None
    adopt: StrictBool = False  # accept the tools of its first profile without a look


class Change(Names):
    """What to change; lists named in `unlimited` no longer narrow."""

    model_config = asked({"name": "Workshop", "policy": "observe", "unlimited": ["allowed_apps"]})

    unlimited: Annotated[
        list[Literal["allowed_tools", "allowed_paths", "allowed_apps"]], Field(max_length=3)
    ] = []


class Adoption(BaseModel):
    """The tools that somebody looked at: name and hash, as `GET` showed them. Null takes what there is."""

    model_config = asked({"tools": {"list_directory": HASH}})

    tools: Annotated[dict[ToolName, str], Field(max_length=200)] | None = None


@router.get("", response_model=Annotated[Json, Shown(shapes.Devices)])
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    status: devices.DeviceStatus | None = None,
    group: Filter = None,
    area: Filter = None,
    q: Filter = None,
    limit: AnyLimit = None,
    cursor: Cursor = None,
) -> Response:
    """The devices that somebody sees, by id; all of them without `limit`. `q`: somewhere in the id or a name."""
    wanted = devices.Wanted(status, group, area, q)
    look = partial(devices.listed, wanted=wanted, actor=actor, limit=limit, cursor=cursor)

    async def told() -> Answer:
        rows = await controller.store.ask(look)
        return Answer(to_json(views.page(rows, views.device)), rows.next)

    # several pages in browsers, several programs: they ask the same all the time
    key = (wanted, limit, cursor, None if actor.sees_all else actor)
    found = await controller.lately.told(key, told, tables=("devices",))
    return pages.sent(found.body, found.following)


@router.post("", status_code=201, responses=refusals(409))
async def add(
    controller: Controller, actor: Entrusting, wanted: NewDevice
) -> Annotated[Json, Shown(shapes.DeviceAdded)]:
    """Prepare a place and an identity on the broker; the password is said here and never again."""
    if wanted.public_key is None and not controller.settings.allow_unsigned:
        raise Refused(
            "Devices that do not sign are forbidden here (ORION_ALLOW_UNSIGNED). "
            f"One of ours joins with a code: orion devices invite {wanted.device_id}"
        )
    new = place(wanted, wanted.device_id, adopt=wanted.adopt)
    key = None if wanted.public_key is None else usable_key(wanted.public_key)

    def work(session: Session) -> Device:
        now = datetime.now(UTC)
        row = devices.add(session, new, actor=actor, now=now)
        if key is not None:
            devices.enrol(session, row.device_id, key, actor=actor, now=now)
        return row

    row = await controller.store.write(work)
    password = None
    if controller.administration is not None:
        try:
            password = await controller.administration.add_device(wanted.device_id)
        except (IdentityError, OSError):
            # there is no identity to take away: the name is somebody else's, or could not be given
            await controller.store.write(
                lambda session: devices.remove(session, wanted.device_id, actor=actor, now=datetime.now(UTC))
            )
            raise
    await controller.devices_door.look_again(wanted.device_id)
    return views.device(row) | {
        "mqtt": views.connection(controller.settings, wanted.device_id, password),
        "keys": [each.to_json() for each in controller.keyring.keys],
    }


def usable_key(text: str) -> str:
    """A device's public key, once it is known to be one.

    Raises:
        InvalidArguments: it is none.
    """
    try:
        signing.public_key(text)
    except signing.BadKey as error:
        raise InvalidArguments(f"public_key: {error}.") from error
    return text


def place(wanted: Names, device_id: str, *, adopt: bool) -> devices.NewDevice:
    """A place as it was asked for."""
    return devices.NewDevice(
        device_id=device_id,
        name=wanted.name,
        aliases=tuple(wanted.aliases or ()),
        groups=tuple(wanted.groups or ()),
        area=wanted.area,
        policy=wanted.policy or PolicyProfile.ASSIST,
        allowed_tools=frozen(wanted.allowed_tools),
        allowed_paths=frozen(wanted.allowed_paths),
        allowed_apps=frozen(wanted.allowed_apps),
        adopt_first=adopt,
    )


@router.get(
    "/{device_id}",
    response_model=Annotated[Json, Shown(shapes.DeviceLinked)],
    responses=refusals(404) | versioned(),
)
async def one(controller: Controller, actor: Asking, device_id: DeviceIdPath) -> Response:
    """One device, with its tools, what is allowed on it, and what it hangs on.

    Its ETag is the version of its place: what the device itself says all the time is no part of that.
    """

    def look(session: Session) -> Answer:
        row = devices.get(session, device_id)
        found = links.of(session, device_id, sight=Sight(session, actor))
        whole = views.device_whole(row) | views.links(found)
        return Answer(to_json(whole), version=revisions.of_place(row))

    # what hangs on it is named as far as it is seen; else a device is the same for all who see it
    key = (device_id, None if actor.sees_all else actor)
    told = partial(controller.store.read, look)
    return (await controller.lately.told(key, told, tables=("devices", "device_links"))).sent()


@router.post("/{device_id}/adopt", responses=refusals(404, 409, 412, 428) | versioned())
async def adopt(
    controller: Controller,
    actor: Administering,
    device_id: DeviceIdPath,
    match: Matching,
    response: Response,
    wanted: Adoption | None = None,
) -> Annotated[Json, Shown(shapes.DeviceWhole)]:
    """Accept the tools that the device offers now, if they are the ones that were looked at."""
    seen = wanted.tools if wanted else None

    def accept(session: Session) -> Device:
        match.check(revisions.of_place(devices.get(session, device_id)))
        return devices.adopt(session, device_id, actor=actor, now=datetime.now(UTC), seen=seen)

    row = await controller.store.write(accept)
    tag(response, revisions.of_place(row))
    return views.device_whole(row)


@router.post("/{device_id}/resume", responses=refusals(404, 409))
async def resume(
    controller: Controller, actor: Administering, device_id: DeviceIdPath
) -> Annotated[Json, Shown(shapes.DeviceWhole)]:
    """Let a device in that was shut out because it sent too much, before its time."""
    await controller.warden.let_in(device_id, actor)
    return views.device_whole(await controller.store.ask(lambda session: devices.get(session, device_id)))


@router.patch("/{device_id}", responses=refusals(404, 412, 428) | versioned())
async def change(
    controller: Controller,
    actor: Administering,
    device_id: DeviceIdPath,
    wanted: Change,
    match: Matching,
    response: Response,
) -> Annotated[Json, Shown(shapes.DeviceWhole)]:
    """Change names, policy profile or lists, and leave the others."""
    change = devices.PolicyChange(
        name=wanted.name,
        aliases=frozen(wanted.aliases),
        groups=frozen(wanted.groups),
        area=wanted.area,
        policy=wanted.policy,
        allowed_tools=frozen(wanted.allowed_tools),
        allowed_paths=frozen(wanted.allowed_paths),
        allowed_apps=frozen(wanted.allowed_apps),
        unlimited=frozenset(wanted.unlimited),
    )

    def narrow(session: Session) -> Device:
        match.check(revisions.of_place(devices.get(session, device_id)))
        return narrowed(session, device_id, change, actor=actor)

    row = await controller.store.write(narrow)
    tag(response, revisions.of_place(row))
    return views.device_whole(row)


def narrowed(session: Session, device_id: str, change: devices.PolicyChange, *, actor: Actor) -> Device:
    """A device's place once it is changed; what waits for the device is judged by what holds now."""
    now = datetime.now(UTC)
    row = devices.change(session, device_id, change, actor=actor, now=now)
    commands.withdraw(session, device_id, now=now)
    return row


@router.delete("/{device_id}", status_code=204, responses=refusals(404, 412, 428))
async def remove(
    controller: Controller, actor: Administering, device_id: DeviceIdPath, match: Matching
) -> None:
    """Take the device's place and its identity away; its connection ends."""

    def take_away(session: Session) -> None:
        now = datetime.now(UTC)
        match.check(revisions.of_place(devices.get(session, device_id)))
        devices.remove(session, device_id, actor=actor, now=now)
        invitations.void(session, device_id, now=now)
        commands.withdraw(session, device_id, now=now)  # a later device of that id gets nothing of this one

    await controller.store.write(take_away)
    try:
        if controller.administration is not None:
            with suppress(UnknownIdentity, NameTaken):  # who has its name and is no device keeps it
                await controller.administration.remove(device_id, among=DEVICES)
    finally:  # not earlier: what it says until its session has ended, its will too, is cleared as well
        controller.devices_door.forget(device_id)


def frozen(texts: list[str] | None) -> tuple[str, ...] | None:
    """A list as the services take it."""
    return None if texts is None else tuple(texts)
