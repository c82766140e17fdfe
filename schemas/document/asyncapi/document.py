"""The document itself: who speaks where, to whom, about what; nothing in it is written twice."""

from dataclasses import dataclass
from typing import Any

from schemas.document.asyncapi import messages, paths, prose
from schemas.topics import DEFAULT_PREFIX, Topics

Json = dict[str, Any]

_SESSION = 7 * 86_400  # seconds that our own programs ask the broker to keep for them
_KEEPALIVE = 30  # seconds


@dataclass(frozen=True, slots=True)
class Broker:
    """Where an installation's broker listens; a port that is None is no listener of it."""

    host: str = "localhost"
    port: int | None = 1883
    tls_port: int | None = 8883
    local: str = "The broker on its own computer; nobody else reaches it."
    network: str = "The same broker for other computers, by TLS."

    @classmethod
    def elsewhere(cls, port: int, *, tls: bool) -> "Broker":
        """One that is not this computer's. Which one it is stands in no document, which everybody reads."""
        says = "The broker, which is run elsewhere."
        return cls("broker.example", None if tls else port, port if tls else None, says, says)


def document(prefix: str = DEFAULT_PREFIX, broker: Broker | None = None) -> Json:
    """The document of an installation with this prefix and this broker."""
    topics = Topics(prefix)
    broker = broker or Broker()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:orion:wire:1",
        "info": {
            "title": prose.TITLE,
            "version": prose.VERSION,
            "description": prose.description(prefix),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": messages.JSON,
        "servers": {
            name: _server(protocol, broker.host, port, says)
            for name, protocol, port, says in (
                ("local", "mqtt", broker.port, broker.local),
                ("network", "mqtts", broker.tls_port, broker.network),
            )
            if port is not None
        },
        "channels": paths.channels(topics),
        "operations": paths.operations(),
        "components": {
            "messages": messages.messages(topics),
            "schemas": messages.schemas(),
            "securitySchemes": {
                "identity": {
                    "type": "userPassword",
                    "description": "The name and password of one device or user; the client id is the name.",
                }
            },
        },
    }


def _server(protocol: str, host: str, port: int, says: str) -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "protocolVersion": "5.0",
        "description": says,
        "variables": {
            "host": {"default": host, "description": "Where the broker is."},
            "port": {"default": str(port), "description": "Its port, a setting of the installation."},
        },
        "security": [{"$ref": "#/components/securitySchemes/identity"}],
        "bindings": {
            "mqtt": {
                "clientId": "{username}",
                "cleanSession": False,
                "keepAlive": _KEEPALIVE,
                "sessionExpiryInterval": _SESSION,
                "bindingVersion": messages.BINDING,
            }
        },
    }
