"""Two devices and people who may differ on them, for the tests of who sees and does what."""

from datetime import UTC, datetime
from functools import partial

from controller.services import commands, devices
from controller.services.accounts import apikeys, grants
from controller.services.accounts.apikeys import NewKey
from controller.services.accounts.grants import Place
from controller.services.actors import Actor, Role
from controller.services.users import UserRole
from controller.store.store import Session
from controller.store.tables import ToolExecution
from tests.controller.api.conftest import Api
from tests.controller.api.people import sign_in, somebody
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_request

OWN, OTHER = "printer", "server"
LAB = "lab"
# name: the role everywhere, what was granted, and which devices are there for them
PEOPLE: dict[str, tuple[UserRole, tuple[Place, Role] | None, set[str]]] = {
    "anna": (UserRole.ADMIN, None, {OWN, OTHER}),
    "otto": (UserRole.OPERATOR, None, {OWN, OTHER}),
    "vera": (UserRole.VIEWER, None, {OWN, OTHER}),
    "vic": (UserRole.VIEWER, (Place(device_id=OWN), Role.OPERATOR), {OWN, OTHER}),
    "kim": (UserRole.GUEST, (Place(device_id=OWN), Role.OPERATOR), {OWN}),
    "lee": (UserRole.GUEST, (Place(group=LAB), Role.VIEWER), {OWN}),
    "gus": (UserRole.GUEST, None, set()),
}
OPERATORS = {OWN: {"anna", "otto", "vic", "kim"}, OTHER: {"anna", "otto"}}  # who may order something there


async def a_fleet(api: Api) -> None:
    """Both devices, adopted and online; one of them in the lab."""

    def place(session: Session) -> None:
        for device_id, groups in ((OWN, (LAB,)), (OTHER, ("office",))):
            devices.add(session, a_place(device_id, groups=groups), actor=ADMIN, now=NOON)
            devices.store_profile(session, device_id, a_profile(device_id), now=NOON)
            devices.store_presence(session, device_id, a_presence(), now=NOON)

    await api.store.write(place)


async def token_of(api: Api, name: str) -> str:
    """Let one of the people in; what they show."""
    role, granted, _ = PEOPLE[name]
    await somebody(api, name, role)
    if granted is not None:
        place, on_it = granted
        await api.store.write(
            partial(grants.give, username=name, place=place, role=on_it, actor=ADMIN, now=NOON)
        )
    answer = await sign_in(api, name)
    return str(answer.json()["access_token"])


async def ordered(api: Api, device_id: str, *, by: Actor = ADMIN, tool: str = "create_directory") -> str:
    """A command that somebody has given; its id."""
    request = a_request(tool, device_id=device_id, arguments={"path": "Test"}, user_query="the words of it")
    row = await api.store.write(partial(commands.submit, request=request, actor=by, now=datetime.now(UTC)))
    return row.id


async def a_key(api: Api, username: str, *scopes: str, devices: tuple[str, ...] = ()) -> str:
    """An API key of somebody who is there."""
    wanted = NewKey("a program", scopes or tuple(apikeys.SCOPES), devices)
    _, key = await api.store.write(
        partial(apikeys.create, username=username, wanted=wanted, actor=ADMIN, now=datetime.now(UTC))
    )
    return key


async def row_of(api: Api, command_id: str) -> ToolExecution:
    """A command as it stands."""
    return await api.store.read(lambda session: commands.get(session, command_id))
