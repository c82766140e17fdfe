"""What each program is told: the broker's, the controller's and the node's own settings.

Imported only by what starts a program: it loads the programs' packages.
"""

import logging
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from broker import files
from broker.addresses import reachable
from broker.certificates.authority import public_path
from broker.identities import Identities
from broker.session import Endpoint, tls
from broker.settings import BrokerSettings
from controller.settings import ControllerSettings, ModelSettings, OidcSettings
from device_node.settings import NodeSettings
from orion.config import identity, policyfile
from orion.config.addresses import is_anonymous, mqtt_address, public_url, token_path
from orion.config.settings import Settings
from orion.config.sources import ConfigError, Loaded, Origin, variable
from schemas.devices import Risk
from schemas.ids import DEVICE_ID, RESERVED
from schemas.signing import Signer

logger = logging.getLogger(__name__)


def for_broker(settings: Settings) -> BrokerSettings:
    """The broker that this installation supervises.

    Raises:
        ConfigError: a broker that is run elsewhere is configured.
    """
    if settings.mqtt_url is not None:
        raise ConfigError(
            f"{variable('mqtt_url')} names a broker that is run elsewhere; unset it to run one here."
        )
    return BrokerSettings(
        data_dir=settings.data_dir,
        host=settings.mqtt_host,
        port=settings.mqtt_port,
        tls_host=settings.mqtt_tls_host,
        tls_port=settings.mqtt_tls_port or None,
        tls_names=settings.mqtt_tls_names,
        cert_port=settings.mqtt_cert_port or None,
        max_connections=settings.max_connections,
        prefix=settings.prefix,
    )


def identities(settings: Settings) -> Identities | None:
    """Who may connect to our broker; None when the broker is administered elsewhere."""
    if settings.mqtt_url is not None:
        return None
    return Identities(for_broker(settings).directory, prefix=settings.prefix)


def for_controller(settings: Settings) -> ControllerSettings:
    """The controller, with its own identity on our broker or the one in the broker's URL."""
    administered = identities(settings)
    if administered is None:
        endpoint = _endpoint(settings)
    else:
        kept = administered.ensure(settings.instance)
        host, port = mqtt_address(settings)
        endpoint = Endpoint(reachable(host), port, kept.username, kept.password)
    files.make_private_directory(token_path(settings).parent)
    return ControllerSettings(
        data_dir=settings.data_dir,
        endpoint=endpoint,
        identities_dir=None if administered is None else for_broker(settings).directory,
        administrator=_administrator(settings),
        database_url=settings.database_url,
        instance=settings.instance,
        prefix=settings.prefix,
        http_host=settings.http_host,
        http_port=settings.http_port,
        public_url=public_url(settings),
        oidc=_oidc(settings),
        trusted_proxies=settings.trusted_proxies,
        http_names=settings.http_names,
        cors_origins=settings.cors_origins,
        api_rate=settings.api_rate,
        api_burst=settings.api_burst,
        ca_path=settings.mqtt_ca if administered is None else public_path(for_broker(settings).directory),
        join_port=_join_port(settings),
        cert_port=0 if administered is None else settings.mqtt_cert_port,
        allow_unsigned=settings.allow_unsigned,
        heartbeat_s=settings.heartbeat_s,
        mqtt_max_risk=Risk(settings.mqtt_max_risk),
        mqtt_decisions=settings.mqtt_decisions,
        device_rate=settings.device_rate,
        device_bytes=settings.device_bytes,
        device_pause_s=settings.device_pause_s,
        keep_commands_days=settings.keep_commands_days,
        keep_events_days=settings.keep_events_days,
        keep_messages_days=settings.keep_messages_days,
        backup_dir=settings.backup_dir,
        backup_hours=settings.backup_hours,
        backup_keep_days=settings.backup_keep_days,
        model=ModelSettings(
            host=settings.ollama_host,
            name=settings.model,
            api_key=settings.ollama_api_key,
            context_tokens=settings.model_context,
            fast_path=settings.fast_path,
        ),
    )


def _oidc(settings: Settings) -> OidcSettings | None:
    """The identity provider; None where none is set.

    Raises:
        ConfigError: something of it is said, and not all that is needed.
    """
    issuer, client_id = settings.oidc_issuer, settings.oidc_client_id
    if issuer is None and client_id is None and settings.oidc_client_secret is None:
        return None
    if issuer is None or client_id is None:
        names = " and ".join(variable(each) for each in ("oidc_issuer", "oidc_client_id"))
        raise ConfigError(f"{names} go together: an identity provider, and as whom we are known there.")
    if settings.oidc_scopes[:1] != ("openid",):
        raise ConfigError(f"{variable('oidc_scopes')} must begin with openid: it is OpenID Connect.")
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=settings.oidc_client_secret,
        scopes=settings.oidc_scopes,
        username_claim=settings.oidc_username_claim,
        new_users=None if settings.oidc_new_users == "none" else settings.oidc_new_users,
    )


def _administrator(settings: Settings) -> Endpoint | None:
    """Who administers a broker that is run elsewhere; None when nobody told us.

    Raises:
        ConfigError: a name without a password, or the other way round, or without such a broker.
    """
    name, password = settings.mqtt_admin_user, settings.mqtt_admin_password
    if name is None and password is None:
        return None
    if name is None or password is None or settings.mqtt_url is None:
        names = " and ".join(variable(each) for each in ("mqtt_admin_user", "mqtt_admin_password"))
        raise ConfigError(
            f"{names} go together, and with {variable('mqtt_url')}: a broker that is run elsewhere."
        )
    return replace(_endpoint(settings), username=name, password=password.get_secret_value())


def _join_port(settings: Settings) -> int:
    """Where devices that join find the encrypted listener; 0: there is none."""
    if settings.mqtt_url is None:
        return settings.mqtt_tls_port
    return mqtt_address(settings)[1] if urlsplit(settings.mqtt_url).scheme == "mqtts" else 0


def legacy_password(settings: Settings) -> Path:
    """Where earlier releases kept this device's password."""
    return identity.folder(settings, settings.device_id) / "password"


def for_node(loaded: Loaded) -> NodeSettings:
    """The node of this computer; its policy file and its folder are made if they are missing.

    Raises:
        ConfigError: it has no identity yet.
    """
    settings = loaded.settings
    known = identity.kept(loaded)
    device_id = _named(loaded) if known is None else known.device_id
    endpoint = _unjoined(settings) if known is None else identity.endpoint(known, settings)
    if settings.node_password is not None:
        endpoint = replace(endpoint, password=settings.node_password.get_secret_value())
    if endpoint.password is None and not is_anonymous(settings):
        raise ConfigError(
            f"This computer has no identity at the broker yet. `orion up` makes one; elsewhere get a code "
            f"(`orion devices invite {device_id}`, on the controller's computer) and run `orion node join HOST`."
        )
    policyfile.ensure(loaded)
    return NodeSettings(
        data_dir=settings.data_dir,
        device_id=device_id,
        endpoint=endpoint,
        policy_path=settings.node_policy,
        signer=Signer.restore(known.signing_secret) if known and known.signing_secret else None,
        controller_keys=known.controller_keys if known else (),
        joined_at=known.joined_at if known else None,
        prefix=settings.prefix,
        name=None,
        heartbeat_s=settings.heartbeat_s,
    )


def renewed(loaded: Loaded, before: NodeSettings) -> NodeSettings | None:
    """The same node with the identity that is kept now; None while that is no other one, or cannot be used."""
    try:
        known = identity.load(before.directory)
        if known is None or not known.signing_secret or not known.controller_keys:
            return None
        endpoint = identity.endpoint(known, loaded.settings)
    except ConfigError as error:
        logger.warning("The identity of %s cannot be read again: %s", before.device_id, error)
        return None
    if loaded.settings.node_password is not None:
        endpoint = replace(endpoint, password=before.endpoint.password)
    signer = Signer.restore(known.signing_secret)
    is_same_key = before.signer is not None and before.signer.public == signer.public
    if is_same_key and endpoint.password == before.endpoint.password:
        return None
    facts = {"controller_keys": known.controller_keys, "joined_at": known.joined_at}
    return before.model_copy(update={"endpoint": endpoint, "signer": signer, **facts})


def _named(loaded: Loaded) -> str:
    """The id of a device that did not join: a broker lets nobody in under one name as another.

    Raises:
        ConfigError: the user name in the broker's URL is no device id, or another one than was set.
    """
    settings = loaded.settings
    user = _endpoint(settings).username if settings.mqtt_url is not None else None
    if user is None or user == settings.device_id:
        return settings.device_id
    is_id = re.fullmatch(DEVICE_ID, user) is not None and RESERVED.match(user) is None
    if is_id and loaded.origins["device_id"] is Origin.DEFAULT:
        return user
    url, own = variable("mqtt_url"), variable("device_id")
    raise ConfigError(
        f"{url} names the user {user!r}, but this node is {settings.device_id} ({own}), and a device's user name "
        f"is its id. Give the node the name and password that `orion devices add ID` printed, as {url}, and {own}=ID."
    )


def _unjoined(settings: Settings) -> Endpoint:
    """Of a device that was given a name and a password by hand."""
    given = _endpoint(settings) if settings.mqtt_url is not None else None
    if given is not None:
        return given
    host, port = mqtt_address(settings)
    try:
        password = legacy_password(settings).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        password = None
    return Endpoint(reachable(host), port, settings.device_id, password)


def _endpoint(settings: Settings) -> Endpoint:
    parts = urlsplit(settings.mqtt_url or "")
    host, port = mqtt_address(settings)
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    context = None
    if parts.scheme == "mqtts":
        try:
            ca = None if settings.mqtt_ca is None else settings.mqtt_ca.read_text(encoding="utf-8")
            context = tls.context(ca)
        except (OSError, ValueError, tls.Unusable) as error:
            raise ConfigError(
                f"{settings.mqtt_ca} ({variable('mqtt_ca')}) cannot be used: {error}"
            ) from error
    return Endpoint(host, port, user, password, context)
