"""Users: people and programs that speak over MQTT, with their names and passwords at the broker."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field, SecretStr

from broker.identities import NameTaken, UnknownIdentity
from broker.rights import USERS
from broker.rights import Role as BrokerRole
from controller.api import routing, shapes, views
from controller.api.deps import Administering, Controller, Entrusting, Parts, Personally
from controller.api.paging import AnyLimit, Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import CHOSEN, asked
from controller.errors import Conflict, InvalidArguments, Refused
from controller.services import identities, users
from controller.services.accounts import grants, passwords
from controller.services.actors import Actor, Role
from controller.services.pages import Page
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import GrantRow, Identity, User
from schemas.ids import Username

router = routing.router("users", below="/users")

Secret = Annotated[SecretStr, Field(max_length=4 * passwords.LONGEST)]
UsernamePath = Annotated[Username, Path()]


class NewUser(BaseModel):
    """Somebody to be let in."""

    model_config = asked({"username": "ada", "role": "operator"})

    username: Username
    role: UserRole


class NewPassword(BaseModel):
    """Another password to sign in with. None makes one for one sign-in. `current`: needed from who is no administrator."""

    model_config = asked({"password": CHOSEN}, hide_input_in_errors=True)

    password: Secret | None = None
    current: Secret | None = None


class RoleChange(BaseModel):
    """What somebody may reach from now on."""

    model_config = asked({"role": "viewer"})

    role: UserRole


@router.get("")
async def listed(
    controller: Controller,
    _actor: Administering,
    pages: Pages,
    limit: AnyLimit = None,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.Users)]:
    """Users by name; all of them without `limit`."""

    def look(session: Session) -> tuple[Page[User], dict[str, list[GrantRow]], list[Identity]]:
        rows = users.listed(session, limit=limit, cursor=cursor)
        granted = grants.of_users(session, [row.username for row in rows])
        return rows, granted, identities.listed(session)

    rows, granted, linked = await controller.store.read(look)
    return pages.shown(rows, lambda row: views.user(row, granted.get(row.username, ()), linked))


@router.post("", status_code=201, responses=refusals(409))
async def add(
    controller: Controller, actor: Entrusting, wanted: NewUser
) -> Annotated[Json, Shown(shapes.UserConnected)]:
    """Let somebody in; the password is said here and never again."""
    name, role = wanted.username, wanted.role
    row = await controller.store.write(
        lambda session: users.add(session, name, role, actor=actor, now=datetime.now(UTC))
    )
    async with AsyncExitStack() as undoing:
        undoing.push_async_callback(_forget, controller, actor, name)
        password = None
        if controller.administration is not None:
            password = await controller.administration.add_user(name, BrokerRole(role.value))
        undoing.pop_all()
    return await _view(controller, row) | _connection(controller, name, password)


@router.get("/{username}", responses=refusals(404))
async def one(
    controller: Controller, _actor: Administering, username: UsernamePath
) -> Annotated[Json, Shown(shapes.User)]:
    """One user."""
    return await _view(controller, await controller.store.ask(partial(users.get, username=username)))


@router.patch("/{username}", responses=refusals(404, 409))
async def change_role(
    controller: Controller, actor: Entrusting, username: UsernamePath, wanted: RoleChange
) -> Annotated[Json, Shown(shapes.UserConnected)]:
    """Give somebody another role, and with it a new password: the old session ends."""
    row = await controller.store.write(
        lambda session: users.change_role(session, username, wanted.role, actor=actor, now=datetime.now(UTC))
    )
    password = None
    if controller.administration is not None and row.disabled_at is None:
        await _shut_out(controller, username)
        password = await controller.administration.add_user(username, BrokerRole(row.role))
    return await _view(controller, row) | _connection(controller, username, password)


@router.post("/{username}/rotate", responses=refusals(404, 409))
async def rotate(
    controller: Controller, actor: Entrusting, username: UsernamePath
) -> Annotated[Json, Shown(shapes.UserConnected)]:
    """Replace somebody's password; the new one is said here and never again.

    Raises:
        Conflict: this broker's passwords are made elsewhere, or it is somebody who has none there.
    """
    row = await controller.store.ask(partial(users.get, username=username))
    if username == users.ADMIN:
        raise Conflict(
            f"{username!r} signs in here alone, and has no name at the broker: orion users password {username}"
        )
    if row.disabled_at is not None:
        raise Conflict(f"{username} is let in nowhere now: orion users enable {username}")
    if controller.administration is None:
        raise Conflict("This broker is administered elsewhere; change the password there.")
    try:
        password = await controller.administration.rotate(username, among=USERS)
    except UnknownIdentity:  # a change of role that was cut off left the name without a password
        password = await controller.administration.add_user(username, BrokerRole(row.role))
    await controller.store.write(
        lambda session: users.note_rotation(session, username, actor=actor, now=datetime.now(UTC))
    )
    return await _view(controller, row) | _connection(controller, username, password)


@router.put("/{username}/password", responses=refusals(404, 429))
async def change_password(
    controller: Controller, actor: Personally, username: UsernamePath, wanted: NewPassword
) -> Annotated[Json, Shown(shapes.PasswordChanged)]:
    """Give somebody another password to sign in with; what is open by the old one is over.

    Raises:
        Refused: it is somebody else's and the caller no administrator, or the current one does not fit.
    """
    doorkeeper, before = controller.doorkeeper, None
    if actor.role is not Role.ADMIN and username != actor.user:
        raise Refused("Somebody else's password is an administrator's to change.")
    if wanted.current is not None:
        before = await doorkeeper.check(username, wanted.current.get_secret_value())
    elif actor.role is not Role.ADMIN:
        raise Refused("To change your own password give the current one too.")
    chosen = None if wanted.password is None else wanted.password.get_secret_value()
    if chosen is None and actor.role is not Role.ADMIN:
        raise InvalidArguments("password: which one it is to be is missing.")
    row, made = await doorkeeper.change_password(username, chosen, before=before, actor=actor)
    return await _view(controller, row) | ({} if made is None else {"password": made})


@router.post("/{username}/disable", responses=refusals(404, 409))
async def disable(
    controller: Controller, actor: Administering, username: UsernamePath
) -> Annotated[Json, Shown(shapes.User)]:
    """Let somebody in nowhere until they are enabled again; what they have open is over."""
    row = await controller.store.write(
        lambda session: users.disable(session, username, actor=actor, now=datetime.now(UTC))
    )
    await _shut_out(controller, username)
    return await _view(controller, row)


@router.post("/{username}/enable", responses=refusals(404, 409))
async def enable(
    controller: Controller, actor: Entrusting, username: UsernamePath
) -> Annotated[Json, Shown(shapes.UserConnected)]:
    """Let somebody in again. At the broker they get a new password, said here and never again."""
    row = await controller.store.write(
        lambda session: users.enable(session, username, actor=actor, now=datetime.now(UTC))
    )
    controller.doorkeeper.forgive(username)
    password = None
    if controller.administration is not None:
        await _shut_out(controller, username)
        password = await controller.administration.add_user(username, BrokerRole(row.role))
    return await _view(controller, row) | _connection(controller, username, password)


@router.delete("/{username}", status_code=204, responses=refusals(404, 409))
async def remove(controller: Controller, actor: Administering, username: UsernamePath) -> None:
    """Take somebody's name away; their session ends."""
    await controller.store.ask(partial(users.removable, username=username))
    await _shut_out(controller, username)
    await _forget(controller, actor, username)


async def _shut_out(controller: Parts, username: str) -> None:
    if controller.administration is None:
        return
    try:
        await controller.administration.remove(username, among=USERS)
    except (UnknownIdentity, NameTaken):  # who has the name there and is no user keeps it
        return


async def _forget(controller: Parts, actor: Actor, username: str) -> None:
    await controller.store.write(
        lambda session: users.remove(session, username, actor=actor, now=datetime.now(UTC))
    )


async def _view(controller: Parts, row: User) -> dict[str, Any]:
    name = row.username
    granted, linked = await controller.store.read(
        lambda session: (grants.listed(session, username=name), identities.listed(session, username=name))
    )
    return views.user(row, granted, linked)


def _connection(controller: Parts, username: str, password: str | None) -> dict[str, Any]:
    endpoint = controller.settings.endpoint
    connection: dict[str, Any] = {
        "host": endpoint.host,
        "port": endpoint.port,
        "username": username,
        "client_id": username,
        "prefix": controller.settings.prefix,
    }
    return {"mqtt": connection | ({} if password is None else {"password": password})}
