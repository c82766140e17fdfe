"""Every setting of an installation, once: its name, type, default, unit and meaning.

Flags, variables, the file's keys, `orion config show` and `docs/configuration.md` all
follow from this list. It is a plain model, not a `BaseSettings`: where each value came
from must be known, and loading that library would double the time of a short command.
"""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from orion.config import urls
from orion.config.fields import (
    PREFIX,
    Folder,
    Port,
    origin,
    setting,
)
from schemas.ids import DeviceId, Instance


class Settings(BaseModel):
    """The list. A default of None is worked out from other settings; `resolved` says how."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data_dir: Folder = setting(
        None,
        "a folder",
        "Where everything of this installation is kept.",
        default_text="the user's data folder",
    )
    mqtt_host: str = setting(
        "127.0.0.1", "a host name or address", "Where the broker listens and where programs find it."
    )
    mqtt_port: Port = setting(1883, "a whole number from 1 to 65535", "The broker's port.")
    mqtt_tls_host: str = setting(
        "127.0.0.1",
        "a host name or address; 0.0.0.0 is every address of this computer",
        "Where the broker's encrypted listener is, for other computers.",
    )
    mqtt_tls_port: Annotated[int, Field(ge=0, le=65_535)] = setting(
        8883, "a whole number from 0 to 65535; 0 is none", "The encrypted listener's port."
    )
    mqtt_tls_names: tuple[str, ...] = setting(
        (),
        "names and addresses, in a variable divided by commas",
        "More names and addresses that the broker's certificate is for, beside this computer's own.",
        default_text="none",
        divider=",",
    )
    mqtt_cert_port: Annotated[int, Field(ge=0, le=65_535)] = setting(
        0,
        "a whole number from 0 to 65535; 0 is none",
        "The port of an encrypted listener that lets in by a client certificate, without a password.",
    )
    max_connections: Annotated[int, Field(ge=1)] = setting(
        20_000, "a whole number, at least 1", "How many clients one listener of the broker takes at once."
    )
    mqtt_url: Annotated[str, AfterValidator(urls.of_a_broker)] | None = setting(
        None,
        "like mqtt://user:password@host:1883, or mqtts:// for TLS",
        "A broker that is run elsewhere; ours is then not started.",
        masking="url",
    )
    mqtt_ca: Folder | None = setting(
        None,
        "a PEM file",
        "Certificate authority of a broker reached by mqtts://.",
        default_text="the system's",
    )
    mqtt_admin_user: Annotated[str, Field(min_length=1, max_length=64)] | None = setting(
        None,
        "a user name",
        "Who administers a broker that is run elsewhere, through its dynamic-security plugin.",
    )
    mqtt_admin_password: SecretStr | None = setting(
        None, "a password", "That administrator's password.", masking="whole", flag=False
    )
    mqtt_max_risk: Literal["low", "medium", "high"] = setting(
        "low",
        "low, medium or high",
        "How much risk a person's words that come by MQTT may cause; a broker can forge them.",
    )
    mqtt_decisions: bool = setting(
        False, "true or false", "Take decisions on approvals by MQTT; never on what is critical."
    )
    allow_unsigned: bool = setting(
        True, "true or false", "Work with devices that do not sign what they say: those of third parties."
    )
    device_rate: Annotated[float, Field(gt=0)] = setting(
        50.0,
        "a number above 0",
        "Messages a device may send for long; beyond that its heartbeats are dropped, then it is shut out for a while.",
        unit="1/s",
    )
    device_bytes: Annotated[float, Field(ge=65_536)] = setting(
        1_048_576.0, "a number, at least 65536", "The same for the size of what it sends.", unit="bytes/s"
    )
    device_pause_s: Annotated[float, Field(ge=1)] = setting(
        300.0, "a number, at least 1", "How long a device that sends too much is shut out.", unit="s"
    )
    prefix: Annotated[str, Field(pattern=PREFIX, max_length=100)] = setting(
        "orion/v1",
        "words divided by slashes, without + and #",
        "The topics' prefix: one installation, one prefix.",
    )
    instance: Instance = setting(
        "main", "1 to 64 letters, digits, - or _", "The controller's name; stable across restarts."
    )
    http_host: str = setting(
        "127.0.0.1", "a host name or address", "Where the controller's HTTP API listens and is found."
    )
    http_port: Port = setting(8180, "a whole number from 1 to 65535", "The HTTP API's port.")
    public_url: Annotated[str, AfterValidator(urls.of_a_site)] | None = setting(
        None,
        "like https://orion.example; without TLS only on this computer, and without a path",
        "Where people's browsers find the HTTP API: through a proxy with TLS, if they come from elsewhere.",
        default_text="http://http_host:http_port",
    )
    url: Annotated[str, AfterValidator(urls.of_a_site)] | None = setting(
        None,
        "like https://orion.example.org; without TLS only on this computer, and without a path",
        "Where `orion` finds the HTTP API in the place of http_host and http_port: that of another computer, by TLS.",
        masking="url",
        default_text="http://http_host:http_port",
    )
    url_ca: Folder | None = setting(
        None,
        "a PEM file",
        "Certificate authority of a controller that url names by https://.",
        default_text="the system's",
    )
    oidc_issuer: Annotated[str, AfterValidator(urls.of_an_issuer)] | None = setting(
        None,
        "like https://login.example, as the provider spells it; without TLS only on this computer",
        "An identity provider that people may sign in with (OpenID Connect).",
    )
    oidc_client_id: Annotated[str, Field(min_length=1, max_length=500)] | None = setting(
        None, "the id that the provider gave to Orion", "As whom we are known there."
    )
    oidc_client_secret: SecretStr | None = setting(
        None, "a secret", "What proves us there; a public client has none.", masking="whole", flag=False
    )
    oidc_scopes: tuple[str, ...] = setting(
        ("openid", "profile", "email"),
        "words that begin with openid, in a variable divided by commas",
        "What is asked for there.",
        divider=",",
    )
    oidc_username_claim: Annotated[str, Field(min_length=1, max_length=100)] = setting(
        "preferred_username",
        "the name of a claim",
        "What somebody new is called by; of `email` what is before the @, once it is verified there.",
    )
    oidc_new_users: Literal["none", "guest", "viewer", "operator"] = setting(
        "none",
        "none, guest, viewer or operator",
        "As what somebody is let in whom no administrator has linked to a user.",
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = setting(
        (),
        "addresses and networks, like 10.0.0.5 or 10.0.0.0/24, in a variable divided by commas",
        "Proxies before the HTTP API whose `X-Forwarded-For` or `Forwarded` says who calls.",
        default_text="none",
        divider=",",
    )
    http_names: tuple[str, ...] = setting(
        (),
        "names, in a variable divided by commas",
        "More names that the HTTP API is asked by, beside localhost and this computer's own: those of a proxy.",
        default_text="none",
        divider=",",
    )
    cors_origins: tuple[Annotated[str, AfterValidator(origin)], ...] = setting(
        (),
        "origins like https://panel.example.org, in a variable divided by commas",
        "Whose pages may ask the HTTP API from a browser.",
        default_text="none",
        divider=",",
    )
    api_rate: Annotated[float, Field(ge=0)] = setting(
        100.0,
        "a number; 0 is no limit",
        "Requests a user may make to the HTTP API for long; ten times as many from one address.",
        unit="1/s",
    )
    api_burst: Annotated[int, Field(ge=1)] = setting(
        400, "a whole number, at least 1", "How many requests of a user may come at once."
    )
    database_url: Annotated[str, AfterValidator(urls.of_a_database)] = setting(
        None,
        "like sqlite:////path/orion.db or postgresql+psycopg://user:password@host/name",
        "The controller's database.",
        masking="url",
        default_text="SQLite in data_dir/controller/orion.db",
    )
    ollama_host: str = setting(
        "http://127.0.0.1:11434",
        "like http://127.0.0.1:11434",
        "The Ollama server; used when it answers and has the model.",
        variable="OLLAMA_HOST",
        masking="url",
    )
    ollama_api_key: SecretStr | None = setting(
        None, "a key", "Sent to ollama.com only.", variable="OLLAMA_API_KEY", masking="whole", flag=False
    )
    model: Annotated[str, Field(min_length=1)] = setting(
        "gpt-oss:120b", "a model's name", "The language model; without it the offline planner serves."
    )
    model_context: Annotated[int, Field(ge=2_048)] = setting(
        16_384, "a whole number, at least 2048", "How much the model reads at once.", unit="tokens"
    )
    fast_path: bool = setting(
        False, "true or false", "Let the offline planner serve first where it is sure, also with a model."
    )
    device_id: DeviceId = setting(
        None,
        "1 to 63 small letters, digits, - or _, beginning with a letter or digit",
        "This computer's id as a device.",
        default_text="from the host name",
    )
    node_name: Annotated[str, Field(min_length=1, max_length=100)] = setting(
        None, "1 to 100 characters", "What people call this computer.", default_text="the host name"
    )
    node_password: SecretStr | None = setting(
        None,
        "the password that `orion devices add` printed",
        "This device's password at the broker.",
        masking="whole",
        flag=False,
        default_text="kept in data_dir/node/ID/password",
    )
    node_policy: Folder = setting(
        None,
        "a TOML file",
        "The owner's rules on this device; nothing on the network can loosen them.",
        default_text="data_dir/node/policy.toml",
    )
    allowed_paths: tuple[Folder, ...] = setting(
        None,
        "folders, in a variable divided as in PATH",
        "Folders of this computer that tools may use, when the policy file is first written.",
        default_text="data_dir/files",
    )
    heartbeat_s: Annotated[float, Field(ge=1, le=3600)] = setting(
        30.0,
        "a number from 1 to 3600",
        "Time between two signs of life of a device; three missed ones make it stale.",
        unit="s",
    )
    keep_commands_days: Annotated[int, Field(ge=0)] = setting(
        90, "a whole number; 0 is for ever", "How long commands that are over are kept.", unit="days"
    )
    keep_events_days: Annotated[int, Field(ge=0)] = setting(
        30, "a whole number; 0 is for ever", "How long events that are resolved are kept.", unit="days"
    )
    keep_messages_days: Annotated[int, Field(ge=0)] = setting(
        365, "a whole number; 0 is for ever", "How long the words of conversations are kept.", unit="days"
    )
    backup_dir: Folder = setting(
        None,
        "a folder",
        "Where backups of the database are made; best on another disk.",
        default_text="data_dir/backups",
    )
    backup_hours: Annotated[int, Field(ge=0, le=8_760)] = setting(
        24, "a whole number up to 8760; 0 is never", "How often the controller backs up by itself.", unit="h"
    )
    backup_keep_days: Annotated[int, Field(ge=0)] = setting(
        14, "a whole number; 0 is for ever", "How long those backups are kept.", unit="days"
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "debug, info, warning or error", "How much the programs say on stderr."
    )
    log_format: Literal["console", "json"] = setting(
        "console", "console or json", "How they say it: for people, or one JSON object a line."
    )
    otel_endpoint: Annotated[str, AfterValidator(urls.of_a_collector)] | None = setting(
        None,
        "an http:// or https:// address",
        "An OpenTelemetry collector (OTLP over HTTP) that traces are sent to; the standard OTEL_EXPORTER_OTLP_ENDPOINT does, too.",
        masking="url",
    )
    sentry_dsn: Annotated[SecretStr, AfterValidator(urls.of_a_tracker)] | None = setting(
        None,
        "a DSN, like https://key@host/1",
        "Where errors of the programs are sent to, in Sentry's protocol; no request, body or user is.",
        masking="whole",
        flag=False,
    )
