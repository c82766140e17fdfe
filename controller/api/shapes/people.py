"""Users, what was granted to them, the keys of their programs, and names at the broker."""

from typing import Annotated

from pydantic import BaseModel, Field

from broker.rights import Role as BrokerRole
from controller.api.shapes.devices import Connection
from controller.api.shapes.shown import ID, MOMENT, SAID_ONCE, Items, Json, Page, example, page
from controller.services.actors import Role
from controller.services.users import UserRole
from schemas.wire import Instant

_GRANT: Json = {
    "device_id": None,
    "group": "workshop",
    "role": "operator",
    "granted_by": "admin",
    "granted_at": MOMENT,
}
_PERSON: Json = {"issuer": "https://login.example", "subject": "248289761001"}
_LINKED: Json = {
    **_PERSON,
    "username": "ada",
    "linked_by": "admin",
    "linked_at": MOMENT,
    "used_at": None,
}
_USER: Json = {
    "username": "ada",
    "role": "viewer",
    "grants": [_GRANT],
    "added_by": "admin",
    "added_at": MOMENT,
    "signs_in": True,
    "identities": [_PERSON],
    "disabled_at": None,
}
_CONNECTION: Json = {
    "host": "127.0.0.1",
    "port": 1883,
    "username": "ada",
    "client_id": "ada",
    "prefix": "orion/v1",
    "password": SAID_ONCE,
}
_KEY: Json = {
    "key_id": ID.format(6),
    "name": "backups",
    "username": "ada",
    "scopes": ["commands:write"],
    "devices": ["workshop-*"],
    "opens": True,
    "created_at": MOMENT,
    "expires_at": "2026-05-13T10:30:05.120Z",
    "last_used_at": None,
    "revoked_at": None,
}


class GrantHeld(BaseModel):
    """A role on one device, or on a group."""

    device_id: str | None
    group: str | None
    role: Role


class KeyShown(BaseModel):
    """What an API key leaves of what its user may. No devices: all that its user sees."""

    key_id: str
    scopes: list[str]
    devices: list[str]


class Me(BaseModel):
    """Who is asking, and what as: their role on all devices, what was granted to them, what their key leaves."""

    model_config = example(
        {
            "username": "ada",
            "role": "viewer",
            "grants": [{"device_id": None, "group": "workshop", "role": "operator"}],
            "key": None,
        }
    )

    username: str
    role: Role
    grants: list[GrantHeld]
    key: KeyShown | None


class Nothing(BaseModel):
    """An object without fields."""

    model_config = example({})


class Grant(GrantHeld):
    """The same, with who gave it."""

    granted_by: str
    granted_at: Instant


class GrantGiven(Grant):
    """The same, with whose it is."""

    model_config = example({**_GRANT, "username": "ada"})

    username: str


class PersonThere(BaseModel):
    """Somebody as an identity provider knows them."""

    model_config = example(_PERSON)

    issuer: str
    subject: str


class Linked(PersonThere):
    """Who a user is at an identity provider, and by whose word. `used_at`: when they came in so last."""

    model_config = example(_LINKED)

    username: str
    linked_by: str
    linked_at: Instant
    used_at: Instant | None


class LinkedOnes(Items[Linked]):
    """Who a user is at which provider."""

    model_config = example({"items": [_LINKED]})


class User(BaseModel):
    """One user. `signs_in`: whether they have a password for this API."""

    model_config = example(_USER)

    username: str
    role: UserRole
    grants: list[Grant]
    added_by: str
    added_at: Instant
    signs_in: bool
    identities: list[PersonThere]
    disabled_at: Instant | None


class Users(Page[User]):
    """Users, by name."""

    model_config = page(_USER)


class UserConnected(User):
    """A user, and what they connect to the broker with."""

    model_config = example({**_USER, "mqtt": _CONNECTION})

    mqtt: Connection


class PasswordChanged(User):
    """A user with another password; one that was made here is said once."""

    model_config = example(_USER)

    password: Annotated[str | None, Field(description="There only if it was made here.")] = None


class ApiKey(BaseModel):
    """One key, without what opens anything. `opens`: whether it still does."""

    model_config = example(_KEY)

    key_id: str
    name: str
    username: str
    scopes: list[str]
    devices: Annotated[list[str], Field(description="Patterns of ids; none: all that its user sees.")]
    opens: bool
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None


class ApiKeys(Page[ApiKey]):
    """Keys, the newest first."""

    model_config = page(_KEY)


class ApiKeyMade(ApiKey):
    """A new key. It is said here and never again."""

    model_config = example({**_KEY, "key": SAID_ONCE})

    key: str


class Identity(BaseModel):
    """A name at the broker, and what it is for."""

    username: str
    role: Annotated[str, Field(json_schema_extra={"enum": [role.value for role in BrokerRole]})]


class Identities(Items[Identity]):
    """Everybody who has a name at the broker."""

    model_config = example({"items": [{"username": "workshop-pc", "role": "device"}]})


class IdentityRotated(Identity):
    """One with another password; it is said only where no program of ours can read it."""

    model_config = example({"username": "controller-main", "role": "controller"})

    password: str | None = None


class DebugUser(BaseModel):
    """Somebody who may read every message. The password is said once."""

    model_config = example(
        {
            "host": "127.0.0.1",
            "port": 1883,
            "username": "debug.user",
            "password": SAID_ONCE,
            "topic": "orion/v1/#",
        }
    )

    host: str
    port: int
    username: str
    password: str
    topic: str
