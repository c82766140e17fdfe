"""The `Administration` of a broker with the dynamic-security plugin: one client and one role a name.

Whatever changes a role ends the sessions of all who hold it, so nobody shares one. A name is
ours if its description says so; no other client of that broker is ever changed.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import replace

from broker import rights
from broker.dynsec.control import Answer, Control, Json, conversation
from broker.identities import names
from broker.identities.activity import await_active
from broker.identities.errors import BrokerUnreachable, IdentityError, NameTaken, UnknownIdentity
from broker.identities.passwords import new_password
from broker.rights import ANYBODY, Rights, Role
from broker.session import ConnectFailed, Endpoint, Session
from schemas.topics import Topics

logger = logging.getLogger(__name__)

ACTS_WITHIN = 5.0  # seconds until somebody new is let in
PAGE = 100  # clients in one answer, which has to fit into a packet
BOUND = 1_000  # clients; the plugin writes its whole file at every change
_OURS = "orion:"  # before the role, in a client's description

_ROLE_EXISTS = "Role already exists"
_CLIENT_EXISTS = "Client already exists"
_NO_CLIENT = "Client not found"
_NO_ROLE = "Role not found"


class Remote:
    """A broker that is run elsewhere. `admin` is where it is, and who may administer it."""

    bound: int | None = BOUND

    def __init__(self, admin: Endpoint, topics: Topics) -> None:
        self.admin = admin
        self._topics = topics

    async def add_device(self, device_id: str) -> str:
        return await self._add(names.of_device(device_id), Role.DEVICE, new_password())

    async def add_user(self, username: str, role: Role) -> str:
        return await self._add(names.of_user(username, role), role, new_password())

    async def add_joining(self, invite_id: str, password: str) -> None:
        await self._add(names.of_joining(invite_id), Role.JOINING, password)

    async def ensure_controller(self, instance: str, password: str) -> None:
        """Give a controller its name, rights and this password, unless it has its name already."""
        username = names.of_controller(instance)
        async with conversation(self.admin) as control:
            if await _client(control, username) is not None:
                return
        await self._add(username, Role.CONTROLLER, password)

    async def rotate(self, username: str, *, among: Collection[Role] = ANYBODY) -> str:
        password = new_password()
        async with conversation(self.admin) as control:
            await _ours(control, username, among)
            await _done(control, {"command": "setClientPassword", "username": username, "password": password})
        return password

    async def suspend(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        async with conversation(self.admin) as control:
            await _ours(control, username, among)
            # not the role: Mosquitto 2.0.11 drops the subscriptions with it and tells nobody
            await _done(control, {"command": "disableClient", "username": username})

    async def resume(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        async with conversation(self.admin) as control:
            client = await _ours(control, username, among)
            if client.get("disabled"):
                await _done(control, {"command": "enableClient", "username": username})

    async def remove(self, username: str, *, among: Collection[Role] = ANYBODY) -> None:
        password = new_password()
        async with conversation(self.admin) as control:
            await _ours(control, username, among)
            answers = await control.ask(
                {"command": "setClientPassword", "username": username, "password": password},
                {"command": "removeClientRole", "username": username, "rolename": _role_name(username)},
                {"command": "enableClient", "username": username},
            )
            _check(answers, but=_NO_ROLE)
            try:
                # the broker keeps a deleted client's session for whoever gets the name next: a clean
                # start in the client's place ends it, and what is queued in it
                await self._await_active(username, password)
            finally:
                await _delete(control, username)

    async def all(self) -> dict[str, Role]:
        found: dict[str, Role] = {}
        async with conversation(self.admin) as control:
            async for client in _clients(control):
                if (role := _role_of(client)) is not None:
                    found[str(client["username"])] = role
        return dict(sorted(found.items()))

    async def faults(self) -> list[str]:
        found: list[str] = []
        async with conversation(self.admin) as control:
            (answer,) = await _done(control, {"command": "getDefaultACLAccess"})
            unbound = [
                str(client.get("username"))
                async for client in _clients(control)
                if not client.get("clientid") and client.get("username") != self.admin.username
            ]
        allowed = {each.get("acltype") for each in answer.data.get("acls") or [] if each.get("allow")}
        if allowed & {"publishClientSend", "subscribe"}:
            found.append(
                "everybody may publish or subscribe what is not forbidden: setDefaultACLAccess … deny"
            )
        if unbound and "publishClientReceive" in allowed:
            found.append(
                f"who connects as {unbound[0]!r} may take a device's client id, and with it what waits for "
                "that device: setClientId, or setDefaultACLAccess publishClientReceive deny"
            )
        if await _lets_strangers_in(self.admin):
            found.append("it lets in who has no name: allow_anonymous false")
        return found

    async def _add(self, username: str, role: Role, password: str) -> str:
        async with conversation(self.admin) as control:
            await self._claim(control, username, role, password)
            try:
                await self._await_active(username, password)
            except BrokerUnreachable:
                await _delete(control, username)
                raise
        logger.info("Added %s %s to the broker", role, username)
        return password

    async def _claim(self, control: Control, username: str, role: Role, password: str) -> None:
        """Make the role, which is had once, then the client that holds it."""
        acls = _acls(rights.of(role, username, self._topics))
        making = {"command": "createRole", "rolename": _role_name(username), "acls": acls}
        (made,) = await control.ask(making)
        if made.error == _ROLE_EXISTS:
            # of somebody, or of a program that died before it made the client
            await _check_free(control, username)
            await _done(control, {"command": "deleteRole", "rolename": _role_name(username)}, making)
        elif made.error is not None:
            raise _refused(made)
        (added,) = await control.ask(
            {
                "command": "createClient",
                "username": username,
                "clientid": username,
                "password": password,
                "textdescription": f"{_OURS}{role.value}",
                "roles": [{"rolename": _role_name(username)}],
            }
        )
        if added.error is not None:
            if made.error is None:
                await control.ask({"command": "deleteRole", "rolename": _role_name(username)})
            if added.error == _CLIENT_EXISTS:
                await _check_free(control, username)
            raise _refused(added)

    async def _await_active(self, username: str, password: str) -> None:
        endpoint = replace(self.admin, username=username, password=password)
        try:
            await await_active(endpoint, within_s=ACTS_WITHIN)
        except ConnectFailed as error:
            raise BrokerUnreachable(f"The broker does not let {username!r} in: {error.reason}.") from error


def _role_name(username: str) -> str:
    return f"orion-{username}"


def _acls(granted: Rights) -> list[Json]:
    """Filters as the plugin's rules. Reading is two rights: to subscribe, and to be sent what matches."""
    found = [("publishClientSend", each) for each in granted.publish]
    for each in granted.read:
        found += [(kind, each) for kind in ("subscribePattern", "unsubscribePattern", "publishClientReceive")]
    for each in granted.shared:
        found += [(kind, each) for kind in ("subscribePattern", "unsubscribePattern")]
    allowed: list[Json] = [{"acltype": kind, "topic": topic, "allow": True} for kind, topic in found]
    denied: list[Json] = [
        # looked at first
        {"acltype": "publishClientReceive", "topic": each, "allow": False, "priority": 1}
        for each in granted.hidden
    ]
    return denied + allowed


def _role_of(client: Json) -> Role | None:
    """What a client is to us; None when it is none of ours."""
    said = str(client.get("textdescription", ""))
    if not said.startswith(_OURS):
        return None
    try:
        return Role(said.removeprefix(_OURS))
    except ValueError:
        return None


async def _clients(control: Control) -> AsyncIterator[Json]:
    offset = 0
    while True:
        listing = {"command": "listClients", "verbose": True, "count": PAGE, "offset": offset}
        (answer,) = await _done(control, listing)
        page = answer.data.get("clients") or []
        for client in page:
            yield client
        offset += len(page)
        if len(page) < PAGE:
            return


async def _lets_strangers_in(broker: Endpoint) -> bool:
    stranger = replace(broker, username=None, password=None)
    session = Session(stranger, client_id=f"stranger-{secrets.token_hex(6)}", session_expiry_s=0)
    try:
        await session.connect(within_s=ACTS_WITHIN)
    except ConnectFailed:
        return False
    await session.close()
    return True


async def _client(control: Control, username: str) -> Json | None:
    (answer,) = await control.ask({"command": "getClient", "username": username})
    if answer.error == _NO_CLIENT:
        return None
    if answer.error is not None:
        raise _refused(answer)
    client = answer.data.get("client")
    return client if isinstance(client, dict) else {}


async def _ours(control: Control, username: str, among: Collection[Role]) -> Json:
    client = await _client(control, username)
    role = None if client is None else _role_of(client)
    if client is None or role is None:
        raise UnknownIdentity(username)
    if role not in among:
        raise NameTaken(username, role)
    return client


async def _check_free(control: Control, username: str) -> None:
    client = await _client(control, username)
    if client is not None:
        raise NameTaken(username, _role_of(client))


async def _delete(control: Control, username: str) -> None:
    # in this order: Mosquitto 2.0.11 dies of a role that is deleted while somebody holds it
    answers = await control.ask(
        {"command": "deleteClient", "username": username},
        {"command": "deleteRole", "rolename": _role_name(username)},
    )
    _check(answers, but=_NO_ROLE)


async def _done(control: Control, *commands: Json) -> list[Answer]:
    """Have commands done that must all succeed."""
    answers = await control.ask(*commands)
    _check(answers)
    return answers


def _check(answers: list[Answer], *, but: str | None = None) -> None:
    for answer in answers:
        if answer.error not in (None, but):
            raise _refused(answer)


def _refused(answer: Answer) -> IdentityError:
    return IdentityError(f"The broker's dynamic-security plugin refused {answer.command}: {answer.error}.")
