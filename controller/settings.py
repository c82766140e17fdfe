"""What a controller is told at its start. Values only: `orion` reads environment, file and flags."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from broker.session import Endpoint
from schemas.devices import Risk
from schemas.ids import Instance
from schemas.topics import DEFAULT_PREFIX


class ModelSettings(BaseModel):
    """The language model. Without one that answers, the offline planner serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="http://127.0.0.1:11434", repr=False)  # it may hold a password
    name: str = "gpt-oss:120b"
    api_key: SecretStr | None = None  # sent to Ollama's own cloud only
    context_tokens: Annotated[int, Field(ge=2_048)] = 16_384
    think: Literal["low", "medium", "high"] | bool | None = "low"  # as the model family knows it
    fast_path: bool = False  # let the offline planner serve first where it is sure

    @property
    def shown_host(self) -> str:
        """The host as people may see it."""
        return re.sub(r"^(\w+://)?[^/@]*@", r"\1", self.host)


class OidcSettings(BaseModel):
    """An identity provider that people sign in with, and what of it is believed."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: str
    client_id: str
    client_secret: SecretStr | None = None  # None: a public client
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    username_claim: str = "preferred_username"  # what somebody new is called by
    new_users: Literal["guest", "viewer", "operator"] | None = None  # None: nobody new is let in


class ControllerSettings(BaseModel):
    """One controller. `identities_dir` is None where the broker is not ours to administer."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    data_dir: Path
    endpoint: Endpoint
    identities_dir: Path | None = None
    administrator: Endpoint | None = None  # of a broker that is run elsewhere, if we may administer it
    database_url: str = Field(repr=False)  # it may hold a password
    instance: Instance = "main"
    prefix: str = DEFAULT_PREFIX
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8180
    public_url: str = "http://127.0.0.1:8180"  # where people's browsers find us
    oidc: OidcSettings | None = None  # None: people sign in by password alone
    trusted_proxies: tuple[
        IPv4Network | IPv6Network, ...
    ] = ()  # whose word on a caller's address is believed
    http_names: tuple[str, ...] = ()  # that it is asked by, beside its own
    cors_origins: tuple[str, ...] = ()  # whose pages may ask
    api_rate: Annotated[float, Field(ge=0)] = 100.0  # requests a second that a user may make for long; 0: any
    api_burst: Annotated[int, Field(ge=1)] = 400  # and at once
    ca_path: Path | None = None  # the broker's certificate authority, for devices that join
    join_port: Annotated[int, Field(ge=0, le=65_535)] = 0  # where they find the broker; 0: nobody can join
    cert_port: Annotated[int, Field(ge=0, le=65_535)] = 0  # where certificates let in; 0: nowhere
    allow_unsigned: bool = True  # work with devices that do not sign what they say
    heartbeat_s: Annotated[float, Field(gt=0)] = 30.0  # three missed ones make a device stale
    max_skew_s: Annotated[float, Field(gt=0)] = 30.0  # a device's clock that is further away is told of
    mqtt_max_risk: Risk = Risk.LOW  # what people's words that come by MQTT may cause at most
    mqtt_decisions: bool = False  # whether approvals may be decided by MQTT
    device_rate: Annotated[float, Field(gt=0)] = 50.0  # messages a second that a device may send for long
    device_bytes: Annotated[float, Field(gt=0)] = 1_048_576.0  # the same for bytes
    device_pause_s: Annotated[float, Field(gt=0)] = 300.0  # how long one that sends too much is shut out
    keep_commands_days: Annotated[int, Field(ge=0)] = 90  # 0: for ever
    keep_events_days: Annotated[int, Field(ge=0)] = 30  # that are resolved
    keep_messages_days: Annotated[int, Field(ge=0)] = 365  # of conversations
    backup_dir: Path | None = None  # None: no backups are made
    backup_hours: Annotated[int, Field(ge=0)] = 24  # between two of them; 0: none are made
    backup_keep_days: Annotated[int, Field(ge=0)] = 14  # 0: for ever
    model: ModelSettings = ModelSettings()

    @property
    def is_encrypted(self) -> bool:
        """Whether people's browsers find us by TLS."""
        return self.public_url.startswith("https:")

    @property
    def directory(self) -> Path:
        """What the controller keeps beside its database."""
        return self.data_dir / "controller"

    @property
    def keys_path(self) -> Path:
        """What the controller signs with, readable by its owner only."""
        return self.directory / "keys.json"

    @property
    def heads_path(self) -> Path:
        """The signed heads of the audit, readable by its owner only."""
        return self.directory / "heads.jsonl"

    @property
    def token_keys_path(self) -> Path:
        """What access tokens are signed with, readable by its owner only."""
        return self.directory / "token-keys.json"

    @property
    def token_path(self) -> Path:
        """The administrator's token for the HTTP API, readable by its owner only."""
        return self.directory / "token"
