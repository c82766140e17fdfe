"""How devices get in: codes, keys and certificates, and what the controller signs with."""

from pydantic import BaseModel

from controller.api.shapes.shown import MOMENT, SAID_ONCE, Items, Json, example
from schemas.keys import Key
from schemas.wire import Instant

KEY: Json = {
    "key_id": "Sx3mWOAs2sKOoaZm0FY3Rg",
    "public": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    "not_before": MOMENT,
    "not_after": "2027-02-12T10:30:05.120Z",
}


class Invited(BaseModel):
    """A join code; it is said here and never again."""

    model_config = example(
        {
            "device_id": "workshop-pc",
            "code": "aeaeim-quy4aa-caqdaq-cqmbyi-befawd-anbyh6-bypc4p-solzxh-5du6v2-7m5xxo-74hr6l-z7j5pw-674pt6-x37t67-576hpv-pa",
            "expires_at": MOMENT,
            "port": 8883,
            "prefix": "orion/v1",
            "broker_user": "join-abcdefgh",
        }
    )

    device_id: str
    code: str
    expires_at: Instant
    port: int
    prefix: str
    broker_user: str


class Enrolled(BaseModel):
    """A device whose key was taken in, and what it needs. The password is said once."""

    model_config = example({"device_id": "workshop-pc", "password": SAID_ONCE, "keys": [KEY]})

    device_id: str
    password: str | None
    keys: list[Key]


class Certified(BaseModel):
    """A device's certificate and the authority that vouches for it, in PEM."""

    model_config = example(
        {
            "device_id": "workshop-pc",
            "certificate": "-----BEGIN CERTIFICATE-----\n…",
            "ca": "-----BEGIN CERTIFICATE-----\n…",
            "port": 8884,
        }
    )

    device_id: str
    certificate: str
    ca: str
    port: int


class KeyMade(Key):
    """A new key of the controller, which counts from `not_before` on."""

    model_config = example(KEY)


class SigningKey(Key):
    """A key of the controller. `signs`: it is the one that signs now."""

    signs: bool


class SigningKeys(Items[SigningKey]):
    """The public keys that devices believe."""

    model_config = example({"items": [KEY | {"signs": True}]})
